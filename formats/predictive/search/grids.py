"""Finds the grid that a signal's values, or the times of its changes, sit on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from eegzip.formats.predictive.grid import FRACTION_BITS, MAX_STEP, MAX_STRAYS, MIN_STEP, Grid

_ONE = 1 << FRACTION_BITS
_WORTH = 1.05
_GROWTH = 1.25
_ROUNDS = 60
_MAX_RANK = 1 << 31
_MIN_SPAN, _MAX_SPAN = 64, 1 << 20
_NEARLY_ALL = 0.6
_LOOKED_AT = 1000
_COARSE = 4.0
_TANGENTS = 12
_CLEARLY = 1e-6


def find_grid(values: np.ndarray) -> tuple[Grid, np.ndarray] | None:
    """Find the grid that all values sit on, or all but a few.

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
    stray = _strays(wide)
    for beside in (stray, np.zeros(len(wide), bool)) if stray is not None else (np.zeros(len(wide), bool),):
        fits = _fits(wide[~beside], (False, True))
        if fits:
            # A grid that is finer than need be may fit too.
            grid, own = max(fits, key=lambda fit: fit[0].step)
            ranks = np.zeros(len(wide), np.int64)
            ranks[~beside] = own
            if beside.any():
                ranks[beside] = [grid.count_below(value) for value in wide[beside].tolist()]
                ranks += np.cumsum(beside) - beside
                grid = replace(grid, strays=tuple(wide[beside].tolist()))
            if np.array_equal(grid.values(ranks), wide):
                return grid, ranks[places.reshape(-1)]
    return None


def find_holds(values: np.ndarray) -> Grid | None:
    """Find the grid of times outside of which every value repeats the one before, or ``None``.

    Parameters
    ----------
    values : ndarray of int32, shape (n,)
    """
    fits = _fits(np.flatnonzero(np.diff(values)) + 1, (False,))
    return fits[0][0] if fits else None


def _fits(used: np.ndarray, roundings: Sequence[bool]) -> list[tuple[Grid, np.ndarray]]:
    """Grids of sorted distinct integers, and ranks on each, the first being 0; at most one for each way of rounding."""
    if len(used) < 3 or used[-1] - used[0] < _WORTH * (len(used) - 1):
        return []
    fits: dict[bool, tuple[Grid, np.ndarray]] = {}
    for ranks in _possible_ranks(used):
        if (np.diff(ranks) <= 0).any() or ranks[-1] - ranks[0] >= _MAX_RANK:
            continue
        for towards_zero in roundings:
            grid = _grid_of(used, ranks - ranks[0], towards_zero) if towards_zero not in fits else None
            if grid is not None and grid.step >= _WORTH * _ONE:
                fits[towards_zero] = grid, ranks - ranks[0]
    return list(fits.values())


def _possible_ranks(used: np.ndarray) -> Iterator[np.ndarray]:
    ranks = _ranks_by_neighbours(used)
    if ranks is not None:
        yield ranks
    if _MIN_SPAN <= used[-1] - used[0] <= _MAX_SPAN:
        yield from _ranks_by_spectrum(used)


def _ranks_by_neighbours(used: np.ndarray) -> np.ndarray | None:
    """Count steps from one value to the next, knowing the step better with each: for steps of some size."""
    gaps = np.diff(used)
    smallest = int(gaps.min())
    # Neighbours on the grid differ by a whole number next to its step; towards zero by one less around 0.
    single = gaps[gaps <= smallest + 2]
    step = float(np.median(single))
    middle = int(np.argmin(np.abs(gaps - step)))
    distances = used - used[middle]
    order = np.argsort(np.abs(distances), kind="stable")[1:]
    far = np.abs(distances[order])
    low, high = smallest - 1.0, smallest + 3.0
    reach, done = 4.0 * step, 0
    while done < len(order):
        reach = max(reach * _GROWTH, float(far[done]))
        stop = int(np.searchsorted(far, reach, "right"))
        part = far[done:stop].astype(float)
        steps = np.round(part / step)
        if (steps == 0).any():
            return None
        low, high = max(low, float(((part - 2) / steps).max())), min(high, float(((part + 2) / steps).min()))
        if not 0 < low <= high:
            return None
        step, done = (low + high) / 2, stop
    ranks: np.ndarray = np.round(distances / step).astype(np.int64)
    return ranks


def _strays(used: np.ndarray) -> np.ndarray | None:
    """Mark the few values that don't sit on the coarse grid of the others; ``None`` where there are none, or many."""
    gaps = np.diff(used)
    step = float(np.median(gaps)) if len(gaps) else 0.0
    if step < _COARSE:
        return None
    # Begin where values follow each other as they should.
    usual = np.abs(gaps - step) <= 2
    middle = int(np.argmax(np.convolve(usual, np.ones(min(9, len(usual))), "same")))
    distances = used - used[middle]
    order = np.argsort(np.abs(distances), kind="stable")[1:]
    far = np.abs(distances[order]).astype(float)
    stray = np.zeros(len(used), bool)
    low, high, reach, done = step - 1.0, step + 1.0, 1.5 * step, 0
    while done < len(order):
        reach = max(reach * _GROWTH, far[done])
        stop = int(np.searchsorted(far, reach, "right"))
        part = far[done:stop]
        steps = np.maximum(np.round(part / step), 1.0)
        lows, highs = (part - 2) / steps, (part + 2) / steps
        # So far away that the count of steps is a guess, a value counts as stray too.
        fine = (lows <= high) & (highs >= low) & ((high - low) * steps <= step / 4)
        stray[order[done:stop]] = ~fine
        low, high = max(low, *lows[fine], low), min(high, *highs[fine], high)
        if low > high:
            return None
        step, done = (low + high) / 2, stop
    # Of two values with one rank, the one farther from where it should be.
    ranks = np.round(distances / step)
    off = np.abs(distances - ranks * step)
    for first in np.flatnonzero((np.diff(ranks) == 0) & ~stray[1:] & ~stray[:-1]):
        stray[first + int(off[first + 1] > off[first])] = True
    return stray if 0 < stray.sum() <= min(MAX_STRAYS, len(used) // 16 + 1) else None


def _ranks_by_spectrum(used: np.ndarray) -> Iterator[np.ndarray]:
    """Find the step as the strongest period of the values that are used: for small steps."""
    places = (used - used[0]).astype(float)
    span = int(used[-1] - used[0])
    size = 1 << (4 * span).bit_length()
    comb = np.zeros(size)
    comb[used - used[0]] = 1.0
    # What is slower than a few periods in all is the values' frequency of use, not a grid.
    first = 8 * size // span
    peak = (first + int(np.argmax(np.abs(np.fft.rfft(comb)[first:])))) / size
    # Integers can't tell a frequency from its mirror image.
    for frequency in (peak, 1.0 - peak):
        some = places[:: 1 + len(places) // _LOOKED_AT]
        near = frequency + np.linspace(-1.0, 1.0, 41) / size
        sums = _sums(near, some)
        best = int(np.argmax(np.abs(sums)))
        ranks = np.round(places * near[best] - np.angle(sums[best]) / (2 * np.pi)).astype(np.int64)
        # Where many values share a rank it is a multiple of the step that was found.
        if (np.diff(ranks) > 0).mean() >= _NEARLY_ALL:
            yield ranks


def _sums(frequencies: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Fourier sums of unit impulses at some places, for frequencies in equal steps."""
    # Each is a coarse turn times a fine one, so that few of these costly numbers are needed.
    few = math.isqrt(len(frequencies) - 1) + 1
    step = (frequencies[-1] - frequencies[0]) / (len(frequencies) - 1)
    coarse = np.exp(2j * np.pi * frequencies[::few, None] * places)
    fine = np.exp(2j * np.pi * step * np.arange(few)[:, None] * places)
    return np.einsum("ap,bp->ab", coarse, fine).reshape(-1)[: len(frequencies)]


def _grid_of(used: np.ndarray, ranks: np.ndarray, towards_zero: bool) -> Grid | None:
    """The grid that gives these values for these ranks, or ``None``."""
    below, above = used.astype(float), used + 1.0
    if towards_zero:
        below[used <= 0] -= 1.0
        above[used < 0] -= 1.0
    step = (used[-1] - used[0]) / ranks[-1]
    slack = 3.0 / ranks[-1]
    found = _origin(ranks.astype(float), below, above, step - slack, step + slack)
    if found is None:
        return None
    step, origin = found
    grid = Grid(round(step * _ONE), round(origin * _ONE), towards_zero)
    if MIN_STEP <= grid.step < MAX_STEP and np.array_equal(grid.values(ranks), used):
        return grid
    return None


def _origin(
    ranks: np.ndarray, below: np.ndarray, above: np.ndarray, low: float, high: float
) -> tuple[float, float] | None:
    """Step and origin that leave the most room, a concave function of the step; ``None`` where clearly none does."""

    def room(step: float) -> tuple[float, float]:
        lowest, highest = float((below - step * ranks).max()), float((above - step * ranks).min())
        return highest - lowest, (highest + lowest) / 2

    if _no_room(ranks, below, above, low, high):
        return None
    for _ in range(_ROUNDS):
        third = (high - low) / 3
        if room(low + third)[0] < room(high - third)[0]:
            low += third
        else:
            high -= third
    step = (low + high) / 2
    return step, room(step)[1]


def _no_room(ranks: np.ndarray, below: np.ndarray, above: np.ndarray, low: float, high: float) -> bool:
    """Whether it soon shows that no step leaves room: tangents lie above a concave function."""

    def tangent(step: float) -> tuple[float, float, float]:
        first, last = int(np.argmax(below - step * ranks)), int(np.argmin(above - step * ranks))
        slope = float(ranks[first] - ranks[last])
        return step, float(above[last] - below[first]) + slope * step, slope

    left, right = tangent(low), tangent(high)
    for _ in range(_TANGENTS):
        if left[2] <= 0 or right[2] >= 0:
            return max(left[1], right[1]) < -_CLEARLY
        step = (right[1] - left[1] + left[2] * left[0] - right[2] * right[0]) / (left[2] - right[2])
        if left[1] + left[2] * (step - left[0]) < -_CLEARLY:
            return True
        middle = tangent(step)
        if middle[1] >= 0:
            return False
        left, right = (middle, right) if middle[2] > 0 else (left, middle)
    return False
