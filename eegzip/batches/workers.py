"""Processes that work on files, one file each at a time; what one of them dies of costs its file and no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any, NoReturn

from eegzip.batches.work import Task, do
from eegzip.formats.parallel import cores, share_cores

Told = Callable[[Task, str, int, int], None]
"""Called with a task, what is being done, and how many data records of how many are done."""

_TELL_SECONDS = 0.3
_SPAWN = multiprocessing.get_context("spawn")
"""Never a fork, which copies locks that threads of torch hold."""


def results(tasks: Iterable[Task], jobs: int, tell: Told) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Work on tasks and yield each with what came of it, as they end.

    Parameters
    ----------
    tasks : iterable of Task
        The next one is taken when a process is free for it.
    jobs : int
        Processes, which share the cores; 0 to work in this one.
    tell : callable
    """
    if not jobs:
        for task in tasks:
            yield task, do(task, lambda *done, task=task: tell(task, *done))
        return
    waiting = iter(tasks)
    busy: dict[Connection, tuple[_Worker, Task]] = {}
    idle: list[_Worker] = []
    threads = max(1, cores() // jobs)
    try:
        while True:
            while len(busy) < jobs:
                begun = next(waiting, None)
                if begun is None:
                    break
                worker = idle.pop() if idle else _Worker(threads)
                worker.connection.send(begun)
                busy[worker.connection] = worker, begun
            if not busy:
                return
            for ready in wait(list(busy)):
                connection = next(known for known in busy if known is ready)
                worker, task = busy[connection]
                try:
                    kind, content = connection.recv()
                except (EOFError, OSError):
                    del busy[connection]
                    yield task, {"state": "failed", "error": worker.obituary(task)}
                    continue
                if kind == "progress":
                    tell(task, *content)
                    continue
                del busy[connection]
                idle.append(worker)
                yield task, content
    finally:
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.end()


class _Worker:
    """A process, and the way to it."""

    def __init__(self, threads: int) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(theirs, threads), daemon=True)
        with _without_main():
            self._process.start()
        # Ours alone is left, so that its end is seen when the process dies, and ours by the process when we do.
        theirs.close()

    def obituary(self, task: Task) -> str:
        """Say what a process died of."""
        self._process.join()
        code = self._process.exitcode or 0
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return (
            f"{task.source}: the process that worked on it was ended {how}, as happens where memory is short; try "
            "fewer at a time (-j)."
        )

    def end(self) -> None:
        """Let it remove what it began, and go."""
        self.connection.close()
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def _without_main() -> Iterator[None]:
    """Start processes that don't run the main program again: they need none of it, and not all of them bear that."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(connection: Connection, threads: int) -> None:
    """Work on what comes until nobody sends any more."""
    # Ctrl-C reaches every process of a terminal; the first one decides, and ends this one properly.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    share_cores(threads)
    with suppress(EOFError, BrokenPipeError, ConnectionError):
        while True:
            task = connection.recv()
            connection.send(("done", do(task, _Teller(connection))))


def _die_with_parent() -> None:
    """A run that is killed must not go on in its workers while the next one begins."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _terminated(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


class _Teller:
    """Passes progress on, but not more often than anybody looks."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._last = connection, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _TELL_SECONDS:
            self._last = now
            self._connection.send(("progress", (what, done, total)))
