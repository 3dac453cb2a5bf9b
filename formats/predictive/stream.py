"""The stream of a predicted signal: its references, its grid, and what the coder makes of it (SPEC.md, section 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eegzip.formats.eegz.packing import put_varint, take_varint
from eegzip.formats.errors import ContainerError
from eegzip.formats.predictive.grid import MAX_STEP, Grid, find_grid

MAX_REFERENCES = 64
_PLAIN, _DOWN, _TOWARDS_ZERO = 0, 1, 2


def encode_predicted(
    values: np.ndarray,
    references: Mapping[int, np.ndarray],
    shape: tuple[int, int, int, int],
) -> bytes:
    """Code a signal, given others of the same length by id."""
    # Only here, so that what asks for a stream's references alone needs no compiler.
    from eegzip.formats.predictive.coder import Shape, encode_residual

    out = bytearray()
    put_varint(out, len(references))
    for signal in references:
        put_varint(out, signal)
    found = find_grid(values)
    if found is None:
        out.append(_PLAIN)
    else:
        grid, values = found
        out.append(_TOWARDS_ZERO if grid.towards_zero else _DOWN)
        put_varint(out, grid.step)
        put_varint(out, 2 * grid.origin if grid.origin >= 0 else -2 * grid.origin - 1)
    return bytes(out) + encode_residual(values, list(references.values()), 1, Shape(*shape))


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
    kind = data[place] if place < len(data) else -1
    place += 1
    if kind == _PLAIN:
        return decode_residual(data[place:], count, references).astype(np.int64)
    if kind not in (_DOWN, _TOWARDS_ZERO):
        raise ContainerError("an exact signal has a grid of a kind that this version does not know.")
    step, place = take_varint(data, place)
    zigzagged, place = take_varint(data, place)
    origin = zigzagged >> 1 if zigzagged % 2 == 0 else -(zigzagged + 1 >> 1)
    ranks = decode_residual(data[place:], count, references)
    if step >= MAX_STEP or abs(origin) >= MAX_STEP:
        raise ContainerError("an exact signal has an impossible grid.")
    if count and (int(ranks.min()) < 0 or int(ranks.max()) * step >= MAX_STEP):
        raise ContainerError("an exact signal leaves its grid.")
    return Grid(step, origin, kind == _TOWARDS_ZERO).values(ranks)
