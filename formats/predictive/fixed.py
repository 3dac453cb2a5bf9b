"""Signals that are kept exactly: fixed prediction, byte planes, zstd (SPEC.md, section 6.3)."""

from __future__ import annotations

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


def _sample_bytes(values: np.ndarray, width: int) -> bytes:
    return np.ascontiguousarray(values.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()


def _from_sample_bytes(data: bytes, width: int) -> np.ndarray:
    wide = np.zeros((len(data) // width, 4), np.uint8)
    wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    return (wide.view("<i4").reshape(-1) >> (8 * (4 - width))).astype(np.int32)


def _residual(values: np.ndarray, order: int) -> np.ndarray:
    """Differences of the given order; the samples before the chunk count as zero, so a chunk stands alone."""
    return np.diff(values.astype(np.int64), n=order, prepend=np.zeros(order, np.int64))


def _integrate(residual: np.ndarray, order: int) -> np.ndarray:
    values = residual
    for _ in range(order):
        values = np.cumsum(values)
    return values


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
        values = _integrate(unzigzag(join_byte_planes(data[2:3] + planes, count)), data[1])
        limit = 1 << (8 * width - 1)
        if count and not (-limit <= int(values.min()) and int(values.max()) < limit):
            raise ContainerError("an exact signal leaves the range of its sample size.")
        return values.astype(np.int32)
    raise ContainerError("an exact signal is coded with a method that this version does not know.")
