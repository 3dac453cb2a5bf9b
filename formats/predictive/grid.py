"""Integers that sit on a sparse regular grid: v = floor((k * step + origin) / 2**24), or the same towards zero.

Recordings that were scaled after digitisation have such values: all that the converter said lies in k, and between two
values of the grid there is nothing to code. Recordings that were resampled by repetition have new values at such times
only (SPEC.md, section 6.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRACTION_BITS = 24
MIN_STEP, MAX_STEP = 1 << FRACTION_BITS, 1 << 56
MAX_STRAYS = 32
_PIECE = 1 << 18


@dataclass(frozen=True)
class Grid:
    """A grid of values, and some values beside it.

    Parameters
    ----------
    step, origin : int
        In 2**-24.
    towards_zero : bool
        Values are cut towards zero, not rounded down.
    strays : tuple of int
        Further values, ascending. They take ranks of their own, so that ranks rise as values do.
    """

    step: int
    origin: int
    towards_zero: bool
    strays: tuple[int, ...] = ()

    def values(self, ranks: np.ndarray) -> np.ndarray:
        """Values of ranks (integers from 0), int64."""
        wide = ranks.astype(np.int64)
        if not self.strays:
            return self._regular(wide)
        places = np.array([self.count_below(value) + before for before, value in enumerate(self.strays)])
        before = np.searchsorted(places, wide)
        stray = places[np.minimum(before, len(places) - 1)] == wide
        regular = self._regular(wide - before)
        return np.where(stray, np.array(self.strays)[np.minimum(before, len(places) - 1)], regular)

    def _regular(self, ranks: np.ndarray) -> np.ndarray:
        places = ranks * self.step + self.origin
        if self.towards_zero:
            return np.sign(places) * (np.abs(places) >> FRACTION_BITS)
        return places >> FRACTION_BITS

    def count_below(self, value: int) -> int:
        """How many values of the grid itself are below a value."""
        low, high = 0, MAX_STEP // self.step
        while low < high:
            middle = (low + high) // 2
            if int(self._regular(np.array([middle]))[0]) < value:
                low = middle + 1
            else:
                high = middle
        return low


def _ranks_kept(grid: Grid, count: int) -> tuple[int, int]:
    """Ranks of the values above 0 and below `count`: from the first up to the second."""
    # From the first time above 0, so that an origin far below it costs nothing: values rise by 1 at least.
    first, stop = (max(0, -((grid.origin - (time << FRACTION_BITS)) // grid.step)) for time in (1, count))
    return first, max(first, stop)


def count_kept(grid: Grid, count: int) -> int:
    """How many :func:`kept_times` there are."""
    first, stop = _ranks_kept(grid, count)
    return 1 + stop - first


def kept_times(grid: Grid, count: int) -> np.ndarray:
    """Times from 0 to `count` - 1 at which a value may differ from the one before: 0 and those of the grid, int32."""
    first, stop = _ranks_kept(grid, count)
    pieces = [np.zeros(1, np.int32)]
    for start in range(first, stop, _PIECE):
        pieces.append(grid.values(np.arange(start, min(start + _PIECE, stop))).astype(np.int32))
    return np.concatenate(pieces)
