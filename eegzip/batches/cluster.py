"""Files worked on by the workers of a Dask cluster; a worker that dies costs time, and no file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from eegzip._version import __version__
from eegzip.batches.files import Place
from eegzip.batches.work import Task, do
from eegzip.formats.errors import BadInputError, UsageError
from eegzip.formats.parallel import share_cores

_LOOK_SECONDS = 5.0
"""How often workers are counted, of which more may come."""


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to the scheduler of a running cluster.

    Parameters
    ----------
    address : str
        ``tcp://host:8786``, or the scheduler's file (``.json``), which who uses queues often has.

    Yields
    ------
    distributed.Client

    Raises
    ------
    UsageError
        Nothing answers there, or the package is missing.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("a cluster takes a package that is not installed: pip install 'eegzip[cluster]'.") from None
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**where, timeout=20, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}; check the address ({error}).") from error
    try:
        yield client
    finally:
        client.close()


def results_on(client: Any, tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Have a cluster work on tasks, and yield each with what came of it, as they end.

    Each task may be run more than once: Dask gives those of a worker that was lost to another. That changes nothing, as
    a task that is run again makes the same file, which appears whole in place of the first.

    Parameters
    ----------
    client : distributed.Client
    tasks : iterable of Task
        Taken as workers get free, two for each of their threads.

    Raises
    ------
    UsageError
        Workers have no eegzip, or another version.
    BadInputError
        The cluster went away.
    """
    from distributed import as_completed

    _refuse_others(client)
    waiting, running = iter(tasks), as_completed(loop=client.loop)
    busy: dict[str, tuple[Task, Any]] = {}
    batch, number, most, looked = uuid4().hex, 0, 0, -_LOOK_SECONDS

    def fill() -> None:
        nonlocal number, most, looked
        if time.monotonic() - looked >= _LOOK_SECONDS:
            most, looked = max(2, 2 * sum(client.nthreads().values())), time.monotonic()
        while len(busy) < most and (task := next(waiting, None)) is not None:
            number += 1
            future = client.submit(_do, _anywhere(task), pure=False, key=f"eegzip-{task.job.value}-{batch}-{number}")
            busy[future.key] = task, future
            running.add(future)

    try:
        fill()
        for future in running:
            task, _ = busy.pop(future.key)
            yield task, _outcome(future, task)
            fill()
    finally:
        with suppress(Exception):  # a cluster that is gone has nothing to cancel
            client.cancel([future for _, future in busy.values()])


def _outcome(future: Any, task: Task) -> dict[str, Any]:
    """What came of a task, or why nothing did."""
    from distributed import KilledWorker

    if future.status == "finished":
        outcome: dict[str, Any] = future.result()
        return outcome
    if future.status != "error":
        raise BadInputError("the Dask cluster went away; run the same command again when it is back: it goes on.")
    error = future.exception()
    if isinstance(error, KilledWorker):
        why = f"the workers that worked on it were lost one after the other, {error.last_worker.address} last, as "
        why += "happens where memory is short; give them more, or fewer threads."
    else:
        why = f"failed at a worker as nobody foresaw ({type(error).__name__}: {error}); report this."
    return {"state": "failed", "error": f"{task.source}: {why}"}


def _refuse_others(client: Any) -> None:
    try:
        versions = set(client.run(_version).values())
    except Exception as error:  # whatever their import raised
        raise UsageError(f"workers can't load eegzip {__version__} ({error}); install it where they are.") from error
    others = versions - {__version__}
    if others:
        raise UsageError(
            f"workers have eegzip {', '.join(sorted(others))}, and this is {__version__}; install the same everywhere."
        )


def _version() -> str:
    return __version__


def _anywhere(task: Task) -> Task:
    """A task as any worker can run it, any number of times: whole paths, and what is there may be of an earlier try."""
    options = dict(task.options)
    model = options.get("model")
    if isinstance(model, Mapping):
        options["model"] = {kind: _reachable(one) for kind, one in model.items()}
    elif model is not None:
        options["model"] = _reachable(model)
    target = None if task.target is None else _whole(task.target)
    return replace(
        task, source=_whole(task.source), target=target, options=options, overwrite=True, leftovers=task.job.writes
    )


def _reachable(model: str | Path) -> str | Path:
    """A model by a name that holds in any folder."""
    return str(Path(model).absolute()) if Path(model).exists() else model


def _whole(path: Place) -> Place:
    return path.absolute() if isinstance(path, Path) else path


def _do(task: Task) -> dict[str, Any]:
    share_cores(1)  # workers are parallel over files
    return do(task, lambda *_: None)
