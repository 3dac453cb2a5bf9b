"""Regions of neighbouring electrodes, for caps that no table of groups fits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.float64]


def regions(where: Positions, indices: npt.NDArray[np.int64], count: int) -> list[npt.NDArray[np.int64]]:
    """Divide electrodes into `count` regions of neighbours: halved again and again across their longest extent."""
    if count <= 1 or len(indices) <= 1:
        return [indices]
    places = where[indices]
    axis = int(places.var(axis=0).argmax())
    # Rounded, as electrodes of one row or of the midline are no farther apart than that; their order is kept.
    order = indices[np.argsort(places[:, axis].round(2), kind="stable")]
    first = count // 2
    # To the nearest: as n is at most `count * limit`, neither part gets more than its regions hold.
    middle = (len(order) * first + count // 2) // count
    return [*regions(where, order[:middle], first), *regions(where, order[middle:], count - first)]
