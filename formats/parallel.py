"""Work on all cores: how many there are, and items worked on ahead of their turn."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Begun = TypeVar("_Begun")


_share: list[int] = []


def cores() -> int:
    """Processor cores that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([count, *_share])


def share_cores(most: int) -> None:
    """Leave cores to other processes: from now on :func:`cores` is at most `most`, and so are threads of libraries.

    To be called before numba and torch are loaded, which look at the environment once.
    """
    _share[:] = [most]
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        stated = os.environ.get(name, "")
        if not stated.isdigit() or int(stated) > most:
            os.environ[name] = str(most)


def begun_ahead(
    items: Iterable[_Item], begin: Callable[[ThreadPoolExecutor, _Item], _Begun], most: int, spare: int = 0
) -> Iterator[_Begun]:
    """Begin items in a pool of threads before their turn comes, and yield them in their order.

    Parameters
    ----------
    items : iterable
        Taken in the caller's thread, as :func:`begin` is called there: a file is read by one thread at a time.
    begin : callable
        ``begin(pool, item)``: hands work to the pool, and returns what waits for it, such as a future.
    most : int
        Items under way at a time, and threads: each takes memory. No more than there are cores.
    spare : int
        Items begun beyond those, where an item is of use only when the next ones are done.

    Yields
    ------
    object
        What `begin` returned, the next item once `most` are under way.
    """
    most = min(cores(), most)
    waiting: deque[_Begun] = deque()
    pool = ThreadPoolExecutor(most)
    try:
        for item in items:
            waiting.append(begin(pool, item))
            if len(waiting) == most + spare:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        # Never waits, and so no `with`: who stops half-way waits for nothing that was not begun, and an abandoned
        # generator may end in the garbage collector, in a thread that is just being started. To join threads there
        # would wait for a lock that this very thread holds.
        pool.shutdown(wait=False, cancel_futures=True)
