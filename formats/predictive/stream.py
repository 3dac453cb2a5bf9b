"""The stream of a predicted signal: its references, its grid, and what the coder makes of it (SPEC.md, section 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_varint, take_varint
from eegzip.formats.predictive.grid import LEAST_STEP, MOST_STEP, MOST_STRAYS, Grid, find_grid, find_holds, kept_times
from eegzip.formats.predictive.shape import Shape

MAX_REFERENCES = 64
_GRID, _TOWARDS_ZERO, _HOLDS, _STRAYS = 1, 2, 4, 8


def _put_grid(out: bytearray, grid: Grid) -> None:
    put_varint(out, grid.step)
    put_varint(out, 2 * grid.origin if grid.origin >= 0 else -2 * grid.origin - 1)
    if grid.strays:
        put_varint(out, len(grid.strays))
        put_varint(out, 2 * grid.strays[0] if grid.strays[0] >= 0 else -2 * grid.strays[0] - 1)
        for lower, upper in pairwise(grid.strays):
            put_varint(out, upper - lower)


def _take_strays(data: bytes, place: int) -> tuple[tuple[int, ...], int]:
    count, place = take_varint(data, place)
    zigzagged, place = take_varint(data, place)
    strays = [zigzagged >> 1 if zigzagged % 2 == 0 else -(zigzagged + 1 >> 1)]
    if not 0 < count <= MOST_STRAYS:
        raise ContainerError(f"an exact signal has {count} values beside its grid, which can't be.")
    for _ in range(count - 1):
        more, place = take_varint(data, place)
        strays.append(strays[-1] + more)
    if any(upper <= lower for lower, upper in pairwise(strays)) or max(map(abs, strays)) >= 1 << 31:
        raise ContainerError("the values beside an exact signal's grid don't ascend, or are too large.")
    return tuple(strays), place


def _take_grid(data: bytes, place: int, *, towards_zero: bool) -> tuple[Grid, int]:
    step, place = take_varint(data, place)
    zigzagged, place = take_varint(data, place)
    origin = zigzagged >> 1 if zigzagged % 2 == 0 else -(zigzagged + 1 >> 1)
    if not LEAST_STEP <= step < MOST_STEP or abs(origin) >= MOST_STEP:
        raise ContainerError("an exact signal has an impossible grid.")
    return Grid(step, origin, towards_zero), place


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
    """

    head: bytes
    values: np.ndarray
    times: np.ndarray | None

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
    flags = (_GRID if found else 0) | (_TOWARDS_ZERO if towards_zero else 0) | (_HOLDS if holds else 0)
    head = bytearray([flags | (_STRAYS if found is not None and found[0].strays else 0)])
    if holds is not None:
        _put_grid(head, holds)
    if found is not None:
        _put_grid(head, found[0])
        kept = found[1]
    return Transformed(bytes(head), kept, times)


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
    # Only here, so that what asks for a stream's references alone needs no compiler.
    from eegzip.formats.predictive.coder import encode_residual

    out = bytearray()
    put_varint(out, len(references))
    for number in references:
        put_varint(out, number)
    others = [values if signal.times is None else values[signal.times] for values in references.values()]
    return (
        bytes(out) + signal.head + encode_residual(signal.values[:samples], [row[:samples] for row in others], 1, shape)
    )


def references_of(data: bytes) -> tuple[list[int], int]:
    """Ids of the signals that a stream needs, and where what follows them begins.

    Raises
    ------
    ContainerError
        There are too many, or one is named twice, or the stream ends among them.
    """
    count, place = take_varint(data, 0)
    if count > MAX_REFERENCES:
        raise ContainerError(f"an exact signal has {count} references, more than the {MAX_REFERENCES} allowed.")
    signals = []
    for _ in range(count):
        signal, place = take_varint(data, place)
        signals.append(signal)
    if len(set(signals)) != count:
        raise ContainerError("an exact signal names a reference twice.")
    return signals, place


def decode_predicted(data: bytes, count: int, references: Sequence[np.ndarray]) -> np.ndarray:
    """Inverse of :func:`encode_predicted`: `count` samples, int64, in any range.

    Raises
    ------
    ContainerError
        The stream is not what an encoder writes.
    """
    from eegzip.formats.predictive.coder import decode_residual

    _, place = references_of(data)
    flags = data[place] if place < len(data) else -1
    place += 1
    if not 0 <= flags < 16 or (flags & (_TOWARDS_ZERO | _STRAYS) and not flags & _GRID):
        raise ContainerError("an exact signal is transformed in a way that this version does not know.")
    times = grid = None
    if flags & _HOLDS:
        holds, place = _take_grid(data, place, towards_zero=False)
        times = kept_times(holds, count)
        references = [other[times] for other in references]
    if flags & _GRID:
        grid, place = _take_grid(data, place, towards_zero=bool(flags & _TOWARDS_ZERO))
        if flags & _STRAYS:
            strays, place = _take_strays(data, place)
            grid = replace(grid, strays=strays)
    values = decode_residual(data[place:], count if times is None else len(times), references).astype(np.int64)
    if grid is not None:
        if count and (int(values.min()) < 0 or int(values.max()) * grid.step >= MOST_STEP):
            raise ContainerError("an exact signal leaves its grid.")
        values = grid.values(values)
    return values if times is None else np.repeat(values, np.diff(times, append=count))
