"""The stream of a predicted signal: its references, its grid, and what the coder makes of it (SPEC.md, section 6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import take_signed_varint, take_varint
from eegzip.formats.predictive.grid import MAX_STEP, MAX_STRAYS, MIN_STEP, Grid, count_kept, kept_times

MAX_REFERENCES = 64
ON_GRID, TOWARDS_ZERO, HOLDS, STRAYS = 1, 2, 4, 8
"""Flags of what was done to a signal before it was predicted."""


def _take_strays(data: bytes, place: int) -> tuple[tuple[int, ...], int]:
    count, place = take_varint(data, place)
    first, place = take_signed_varint(data, place)
    strays = [first]
    if not 0 < count <= MAX_STRAYS:
        raise ContainerError(f"an exact signal has {count} values beside its grid, which can't be.")
    for _ in range(count - 1):
        more, place = take_varint(data, place)
        strays.append(strays[-1] + more)
    if any(upper <= lower for lower, upper in pairwise(strays)) or max(map(abs, strays)) >= 1 << 31:
        raise ContainerError("the values beside an exact signal's grid don't ascend, or are too large.")
    return tuple(strays), place


def _take_grid(data: bytes, place: int, *, towards_zero: bool) -> tuple[Grid, int]:
    step, place = take_varint(data, place)
    origin, place = take_signed_varint(data, place)
    if not MIN_STEP <= step < MAX_STEP or abs(origin) >= MAX_STEP:
        raise ContainerError("an exact signal has an impossible grid.")
    return Grid(step, origin, towards_zero), place


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


def decode_predicted(
    data: bytes, count: int, references: Sequence[np.ndarray], *, by_blocks: bool = False
) -> np.ndarray:
    """Samples of a predicted signal: `count` of them, int64, in any range, not to be written to.

    Parameters
    ----------
    data : bytes
        The stream without its method.
    count : int
    references : sequence of ndarray of int32, each of shape (count,)
    by_blocks : bool
        Whether it is predicted block by block (method 4).

    Raises
    ------
    ContainerError
        The stream is not what an encoder writes.
    """
    # Only here, so that what asks for a stream's references alone needs no compiler.
    if by_blocks:
        from eegzip.formats.predictive.block_coder import decode_by_blocks as decode
    else:
        from eegzip.formats.predictive.coder import decode_residual as decode

    _, place = references_of(data)
    flags = data[place] if place < len(data) else -1
    place += 1
    if not 0 <= flags < 16 or (flags & (TOWARDS_ZERO | STRAYS) and not flags & ON_GRID):
        raise ContainerError("an exact signal is transformed in a way that this version does not know.")
    holds = grid = None
    if flags & HOLDS:
        holds, place = _take_grid(data, place, towards_zero=False)
        if references:
            times = kept_times(holds, count)
            references = [other[times] for other in references]
    if flags & ON_GRID:
        grid, place = _take_grid(data, place, towards_zero=bool(flags & TOWARDS_ZERO))
        if flags & STRAYS:
            strays, place = _take_strays(data, place)
            grid = replace(grid, strays=strays)
    values = decode(data[place:], count if holds is None else count_kept(holds, count), references)
    flat = is_flat(values)
    values = (values[:1] if flat else values).astype(np.int64)
    if grid is not None:
        if count and (int(values.min()) < 0 or int(values.max()) * grid.step >= MAX_STEP):
            raise ContainerError("an exact signal leaves its grid.")
        values = grid.values(values)
    if flat:
        return np.broadcast_to(values[0], count)
    return values if holds is None else np.repeat(values, np.diff(kept_times(holds, count), append=count))


def is_flat(values: np.ndarray) -> bool:
    """Whether an array is one value that is there many times and takes the memory of one."""
    return values.strides == (0,) and len(values) > 0
