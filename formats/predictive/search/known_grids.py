"""The grids that values of signals were found to sit on, looked for anew only where they don't fit."""

from __future__ import annotations

import numpy as np

from eegzip.formats.predictive.grid import FRACTION_BITS, MAX_STEP, Grid
from eegzip.formats.predictive.search.grids import find_grid, find_holds
from eegzip.formats.predictive.search.stream_encoder import Transformed, on_grid, transform

_LOOKED_AT = 2048
"""Samples that a grid of values or times must fit before it is looked for on all."""


class KnownGrids:
    """What was found of the signals of a recording, chunk by chunk."""

    def __init__(self) -> None:
        self._plain: set[int] = set()
        self._grids: dict[int, Grid] = {}

    def forget(self) -> None:
        """Look at all signals anew."""
        self._plain.clear()
        self._grids.clear()

    def transform(self, signal: int, values: np.ndarray) -> Transformed:
        """Take a signal's samples without what a grid makes certain, as :func:`.stream_encoder.transform` does."""
        known = self._grids.get(signal)
        if known is not None:
            fitting = _fitted(known, values)
            if fitting is not None:
                return on_grid(*fitting)
        if signal not in self._plain:
            found = _looked_for(values)
            if found.grid is not None and found.times is None:
                self._grids[signal] = found.grid
            if not found.plain:
                return found
            self._plain.add(signal)
        return transform(values, look=False)


def _looked_for(values: np.ndarray) -> Transformed:
    """What a grid leaves of a signal, which is looked for on a part of it first."""
    part = values[:_LOOKED_AT]
    if len(part) == len(values) or find_holds(part) is not None:
        return transform(values)
    found = find_grid(part)
    if found is None:
        return transform(values, look=False)
    fitting = _fitted(found[0], values)
    return transform(values) if fitting is None else on_grid(*fitting)


def _fitted(grid: Grid, values: np.ndarray) -> tuple[Grid, np.ndarray] | None:
    """A grid without strays, its origin moved by whole steps, and the ranks of values on it; ``None`` off the grid."""
    if grid.strays or not len(values):
        return None
    # Towards zero every value lies at or beyond its own; the middle of where it may come from is near enough.
    away = np.sign(values) if grid.towards_zero else 1
    middle = (values.astype(np.int64) << (FRACTION_BITS + 1)) + away * (1 << FRACTION_BITS)
    ranks = (middle - 2 * grid.origin + grid.step) // (2 * grid.step)
    lowest = int(ranks.min())
    origin = grid.origin + lowest * grid.step
    if abs(origin) >= MAX_STEP:
        return None
    moved = Grid(grid.step, origin, grid.towards_zero)
    ranks -= lowest
    if int(ranks.max()) * grid.step >= MAX_STEP or not np.array_equal(moved.values(ranks), values):
        return None
    return moved, ranks
