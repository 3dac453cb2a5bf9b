"""The progress of a download."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


@contextmanager
def download_bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None] | None]:
    """Yield a function that draws a bar of bytes on a terminal, or ``None`` in a pipe or when quiet.

    Parameters
    ----------
    what
        Name shown before the bar.
    quiet
        Show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def show(done: int, total: int | None) -> None:
        if not bars:  # nothing is drawn for what is in the cache already
            bars.append(tqdm(desc=what, total=total, unit="B", unit_scale=True, leave=False, file=sys.stderr))
        bars[0].update(done - bars[0].n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()
