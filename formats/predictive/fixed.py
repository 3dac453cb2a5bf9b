"""Signals that are kept exactly: fixed prediction, byte planes, zstd (SPEC.md, section 6.3)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import (
    byte_planes,
    join_byte_planes,
    unzigzag,
    zigzag,
    zstd_compress,
    zstd_decompress,
)

STORED, BYTES, PREDICTED = 0, 1, 2
_MAX_ORDER = 3
_ZSTD_LEVEL = 6
_PIECE = 1 << 18
"""Samples that are taken at a time: what a step in between takes does not grow with the chunk."""


def _sample_bytes(values: np.ndarray, width: int) -> bytes:
    return np.ascontiguousarray(values.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()


def _from_sample_bytes(data: bytes, width: int) -> np.ndarray:
    rows = np.frombuffer(data, np.uint8).reshape(-1, width)

    def decoded(start: int) -> np.ndarray:
        piece = rows[start : start + _PIECE]
        wide = np.zeros((len(piece), 4), np.uint8)
        wide[:, 4 - width :] = piece
        return wide.view("<i4").reshape(-1) >> (8 * (4 - width))

    return _joined(map(decoded, range(0, len(rows), _PIECE)), len(rows))


def _residual(values: np.ndarray, order: int) -> np.ndarray:
    """Differences of the given order; the samples before the chunk count as zero, so a chunk stands alone."""
    return np.diff(values.astype(np.int64), n=order, prepend=np.zeros(order, np.int64))


def _integrated(planes: bytes, count: int, number: int, order: int, limit: int) -> np.ndarray:
    """Samples of the byte planes of their residual, so many planes of that order, each in -limit..limit - 1."""
    if not number:
        return np.broadcast_to(np.int32(0), count)
    sums = np.zeros(order, np.int64)
    rows = np.frombuffer(planes, np.uint8).reshape(number, count)

    def decoded(start: int) -> np.ndarray:
        piece = np.ascontiguousarray(rows[:, start : start + _PIECE])
        flat = unzigzag(join_byte_planes(bytes([number]) + piece.tobytes(), piece.shape[1]))
        for place in range(order):
            flat[0] += sums[place]
            flat = np.cumsum(flat)
            sums[place] = flat[-1]
        if not (-limit <= int(flat.min()) and int(flat.max()) < limit):
            raise ContainerError("an exact signal leaves the range of its sample size.")
        return flat

    return _joined(map(decoded, range(0, count, _PIECE)), count)


def _joined(pieces: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Join pieces of at least one sample each, int32; of one value that is all there is, it takes the memory of one."""
    values, place, only = None, 0, np.int32(0)
    for piece in pieces:
        only = only if place else np.int32(piece[0])
        if values is None and (piece != only).any():
            values = np.full(count, only, np.int32)
        if values is not None:
            values[place : place + len(piece)] = piece
        place += len(piece)
    return np.broadcast_to(only, count) if values is None else values


def encode_exact(values: np.ndarray, width: int) -> bytes:
    """Code one signal's samples of one chunk without loss.

    Parameters
    ----------
    values : ndarray of int32, shape (n,)
        Digital values that fit into `width` bytes.
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.

    Returns
    -------
    bytes
        A method byte and its data: the smallest of stored bytes, zstd over the bytes (text, sparse grids,
        constant signals), and the best fixed predictor followed by byte planes and zstd.
    """
    flat = np.ascontiguousarray(values, np.int32).reshape(-1)
    raw = _sample_bytes(flat, width)
    costs = [int(np.abs(_residual(flat, order)).sum()) for order in range(_MAX_ORDER + 1)]
    order = int(np.argmin(costs))
    planes = byte_planes(zigzag(_residual(flat, order)))
    candidates = [
        bytes([STORED]) + raw,
        bytes([BYTES]) + zstd_compress(raw, _ZSTD_LEVEL),
        bytes([PREDICTED, order, planes[0]]) + zstd_compress(planes[1:], _ZSTD_LEVEL),
    ]
    return min(candidates, key=len)


def decode_exact(data: bytes, count: int, width: int) -> np.ndarray:
    """Inverse of :func:`encode_exact`.

    Parameters
    ----------
    data : bytes
        The stream's payload.
    count : int
        Samples that must come out.
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.

    Returns
    -------
    ndarray of int32, shape (count,)

    Raises
    ------
    ContainerError
        Unknown method or wrong size.
    """
    method = data[0] if data else -1
    if method == STORED:
        if len(data) != 1 + count * width:
            raise ContainerError(f"a stored signal takes {len(data) - 1} bytes where {count * width} belong.")
        return _from_sample_bytes(data[1:], width)
    if method == BYTES:
        return _from_sample_bytes(zstd_decompress(data[1:], count * width, "an exact signal"), width)
    if method == PREDICTED and len(data) >= 3 and data[1] <= _MAX_ORDER and data[2] <= 4:
        planes = zstd_decompress(data[3:], count * data[2], "an exact signal")
        return _integrated(planes, count, data[2], data[1], 1 << (8 * width - 1))
    raise ContainerError("an exact signal is coded with a method that this version does not know.")
