"""Groups of neighbours in which a channel's style is its place in the group, not its name.

A model of names codes only the caps that it was trained on. But neighbouring electrodes are alike on every cap: what
they share is a smooth wave along the row in which they stand. So groups are regions of neighbours, their channels are
put in a row that goes from neighbour to neighbour, and place i of n has one style whatever the channel is called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eegzip.codecs.channels.positions import unit_positions
from eegzip.codecs.channels.vocabulary import style_name
from eegzip.formats.edf import normalise_channel_name

Positions = npt.NDArray[np.float64]


def styles_of_group(size: int) -> range:
    """Return the styles of a group's channels, in the order of its row."""
    first = size * (size - 1) // 2
    return range(first, first + size)


def positions_with_bipolar(names: Sequence[str]) -> dict[int, Positions]:
    """Return places by index of name; a bipolar channel lies half-way between its electrodes.

    Parameters
    ----------
    names
        Labels or names of channels; those without a place on the scalp are left out.
    """
    parts = [style_name(normalise_channel_name(name)).split("-") for name in names]
    known = unit_positions(sorted({name for pair in parts for name in pair}))
    return {
        index: np.mean([known[name] for name in pair], axis=0)
        for index, pair in enumerate(parts)
        if len(pair) <= 2 and all(name in known for name in pair)
    }


def row_of_neighbours(where: Positions) -> list[int]:
    """Put electrodes [n, 3] in a row: from the one farthest from the middle always on to the nearest that is left."""
    # Rounded, so that the last bits of a montage don't decide between symmetrical places.
    away = np.linalg.norm(where - where.mean(axis=0), axis=1).round(3)
    row = [int(away.argmax())]
    rest = [index for index in range(len(where)) if index != row[0]]
    while rest:
        distance = np.linalg.norm(where[rest] - where[row[-1]], axis=1).round(3)
        row.append(rest.pop(int(distance.argmin())))
    return row


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


def neighbour_groups(names: Sequence[str], limit: int) -> list[tuple[int, ...]]:
    """Divide channels into regions of neighbours, each in the order of its row.

    Parameters
    ----------
    names
        Labels or names of channels.
    limit
        Largest group.

    Returns
    -------
    list of tuple of int
        Indices into `names`; every channel is in exactly one group, those without a place alone. Sorted by each
        group's first channel in the recording.
    """
    placed = positions_with_bipolar(names)
    index = list(placed)
    groups: list[tuple[int, ...]] = [(i,) for i in range(len(names)) if i not in placed]
    if index:
        where = np.array([placed[i] for i in index])
        for region in regions(where, np.arange(len(index)), max(1, math.ceil(len(index) / limit))):
            groups.append(tuple(index[int(region[place])] for place in row_of_neighbours(where[region])))
    return sorted(groups, key=min)


def in_a_row(names: Sequence[str]) -> list[int]:
    """Return the order of a group's channels in their row; as they come where one of them has no place."""
    placed = positions_with_bipolar(names)
    if len(placed) < len(names):
        return list(range(len(names)))
    return row_of_neighbours(np.array([placed[index] for index in range(len(names))]))
