"""Values that sit on a sparse regular grid: v = floor((k * step + origin) / 2**24), or the same towards zero.

Recordings that were scaled after digitisation have such values: all that the converter said lies in k, and between two
values of the grid there is nothing to code (SPEC.md, section 6.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRACTION_BITS = 24
_ONE = 1 << FRACTION_BITS
_LEAST_STEP = 1.05
_GROWTH = 1.25
_ROUNDS = 60
MAX_STEP = 1 << 56
MAX_RANK = 1 << 31


@dataclass(frozen=True)
class Grid:
    """A grid of values.

    Parameters
    ----------
    step, origin : int
        In 2**-24.
    towards_zero : bool
        Values are cut towards zero, not rounded down.
    """

    step: int
    origin: int
    towards_zero: bool

    def values(self, ranks: np.ndarray) -> np.ndarray:
        """Values of ranks (integers from 0), int64."""
        places = ranks.astype(np.int64) * self.step + self.origin
        if self.towards_zero:
            return np.sign(places) * (np.abs(places) >> FRACTION_BITS)
        return places >> FRACTION_BITS


def find_grid(values: np.ndarray) -> tuple[Grid, np.ndarray] | None:
    """Find the grid that all values sit on, with few values that are not used between those that are.

    Parameters
    ----------
    values : ndarray of int32, shape (n,)

    Returns
    -------
    Grid and ndarray of int64, shape (n,)
        The grid and the ranks of the values on it; ``None`` where there is none, or none that is sparse.
    """
    used, places = np.unique(values, return_inverse=True)
    wide = used.astype(np.int64)
    if len(wide) < 3 or wide[-1] - wide[0] < _LEAST_STEP * (len(wide) - 1):
        return None
    for towards_zero in (False, True):
        found = _fit(wide, towards_zero)
        if found is not None:
            grid, ranks = found
            return grid, ranks[places.reshape(-1)]
    return None


def _fit(used: np.ndarray, towards_zero: bool) -> tuple[Grid, np.ndarray] | None:
    """Grid and ranks of sorted distinct values."""
    gaps = np.diff(used)
    smallest = int(gaps.min())
    # Neighbours on the grid differ by a whole number next to its step; towards zero the gap around 0 is wider.
    single = gaps[gaps <= smallest + (1 if not towards_zero else 2)]
    low, high = float(smallest), float(smallest + (1 if not towards_zero else 2))
    middle = int(np.argmin(np.abs(gaps - np.median(single))))
    distances = used - used[middle]
    order = np.argsort(np.abs(distances), kind="stable")[1:]
    far = np.abs(distances[order])
    step = float(single.mean())
    slack = 2.0 if towards_zero else 1.0
    reach = 4.0 * max(step, 1.0)
    done = 0
    for _ in range(1000):
        stop = int(np.searchsorted(far, reach, "right"))
        part = distances[order[done:stop]].astype(float)
        if len(part):
            ranks = np.round(part / step)
            if (ranks == 0).any():
                return None
            low = max(low, float(((np.abs(part) - slack) / np.abs(ranks)).max()))
            high = min(high, float(((np.abs(part) + slack) / np.abs(ranks)).min()))
            if low > high:
                return None
            step = (low + high) / 2
        done = stop
        if done == len(order):
            break
        reach = max(reach * _GROWTH, float(far[done]))
    ranks = np.round(distances / step).astype(np.int64)
    ranks -= ranks[0]
    if ranks[-1] >= MAX_RANK or (np.diff(ranks) <= 0).any() or step < _LEAST_STEP:
        return None
    floors = np.where((used < 0) & towards_zero, used - 1, used).astype(float)
    # A value at 0 may come from either side of it.
    below = np.where((used == 0) & towards_zero, -1.0, floors)
    above = np.where((used == 0) & towards_zero, 1.0, floors + 1.0)
    if towards_zero:
        below, above = np.where(used < 0, used - 1.0, below), np.where(used < 0, used + 0.0, above)
    best = _origin(ranks.astype(float), below, above, low, high)
    grid = Grid(round(best[0] * _ONE), round(best[1] * _ONE), towards_zero)
    if not (_ONE < grid.step < MAX_STEP) or not np.array_equal(grid.values(ranks), used):
        return None
    return grid, ranks


def _origin(ranks: np.ndarray, below: np.ndarray, above: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Step and origin that leave the most room: the room is a concave function of the step."""

    def room(step: float) -> tuple[float, float]:
        lowest, highest = float((below - step * ranks).max()), float((above - step * ranks).min())
        return highest - lowest, (highest + lowest) / 2

    for _ in range(_ROUNDS):
        third = (high - low) / 3
        if room(low + third)[0] < room(high - third)[0]:
            low += third
        else:
            high -= third
    step = (low + high) / 2
    return step, room(step)[1]
