"""Writes the stream of a predicted signal, and finds what a grid of values or held samples make certain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eegzip.formats.packing import put_signed_varint, put_varint
from eegzip.formats.predictive.grid import Grid, kept_times
from eegzip.formats.predictive.search.grids import find_grid, find_holds
from eegzip.formats.predictive.shape import Shape
from eegzip.formats.predictive.stream import HOLDS, ON_GRID, STRAYS, TOWARDS_ZERO


@dataclass(frozen=True)
class Transformed:
    """A signal's samples without what a grid of values or held samples make certain.

    Parameters
    ----------
    head : bytes
        Says in the stream what was done.
    values : ndarray of int, shape (m,)
        What is left to code.
    times : ndarray of int64, shape (m,), or None
        The times of these values; ``None`` where they are all.
    grid : Grid or None
        What values sit on, where they do.
    """

    head: bytes
    values: np.ndarray
    times: np.ndarray | None
    grid: Grid | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing was done."""
        return self.head == b"\0"


def transform(values: np.ndarray, *, look: bool = True) -> Transformed:
    """Find out whether a signal's values or the times of its changes sit on a grid, and take what is left then.

    Parameters
    ----------
    values : ndarray of int32, shape (n,)
    look : bool
        False: take the values as they are.
    """
    holds = find_holds(values) if look else None
    times = None if holds is None else kept_times(holds, len(values))
    kept = values if times is None else values[times]
    found = find_grid(kept) if look else None
    towards_zero = found is not None and found[0].towards_zero
    flags = (ON_GRID if found else 0) | (TOWARDS_ZERO if towards_zero else 0) | (HOLDS if holds else 0)
    head = bytearray([flags | (STRAYS if found is not None and found[0].strays else 0)])
    if holds is not None:
        _put_grid(head, holds)
    if found is not None:
        _put_grid(head, found[0])
        kept = found[1]
    return Transformed(bytes(head), kept, times, None if found is None else found[0])


def on_grid(grid: Grid, ranks: np.ndarray) -> Transformed:
    """Take the ranks of a signal's values on a grid without strays, as :func:`transform` does where it finds one."""
    head = bytearray([ON_GRID | (TOWARDS_ZERO if grid.towards_zero else 0)])
    _put_grid(head, grid)
    return Transformed(bytes(head), ranks, None, grid)


def packed_references(numbers: Collection[int]) -> bytes:
    """Numbers of a stream's references, as it begins with them."""
    out = bytearray()
    put_varint(out, len(numbers))
    for number in numbers:
        put_varint(out, number)
    return bytes(out)


def encode_predicted(
    signal: Transformed, references: Mapping[int, np.ndarray], shape: Shape, samples: int | None = None
) -> bytes:
    """Code a signal.

    Parameters
    ----------
    signal : Transformed
    references : mapping of int to ndarray of int32, each of shape (n,)
        By number of the signal.
    shape : Shape
    samples : int, optional
        Code only the first so many, to see what they cost.

    Returns
    -------
    bytes
    """
    # Here, as it needs numba, which takes a while to load.
    from eegzip.formats.predictive.coder import encode_residual

    others = [values if signal.times is None else values[signal.times] for values in references.values()]
    return (
        packed_references(references)
        + signal.head
        + encode_residual(signal.values[:samples], [row[:samples] for row in others], 1, shape)
    )


def _put_grid(out: bytearray, grid: Grid) -> None:
    put_varint(out, grid.step)
    put_signed_varint(out, grid.origin)
    if grid.strays:
        put_varint(out, len(grid.strays))
        put_signed_varint(out, grid.strays[0])
        for lower, upper in pairwise(grid.strays):
            put_varint(out, upper - lower)
