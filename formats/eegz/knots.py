"""Scaling knots of one chunk: small integers, delta-coded in time (SPEC.md, section 6.4)."""

from __future__ import annotations

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_KNOT_CODE
from eegzip.formats.packing import (
    byte_planes,
    join_byte_planes,
    unzigzag,
    zigzag,
    zstd_compress,
    zstd_decompress,
)

_ZSTD_LEVEL = 19


def encode_knots(channels: list[np.ndarray]) -> bytes:
    """Code the scaling knots of all channels of a chunk together.

    Parameters
    ----------
    channels : list of ndarray of int, each of shape (knots, values)
        One array a channel; ``values`` is 2 (scale code, offset code). Counts may differ between channels.

    Returns
    -------
    bytes
        For each of the values in turn the differences along time of every channel, zigzagged, split into byte
        planes and compressed.
    """
    differences = [np.diff(codes.astype(np.int64), axis=0, prepend=0) for codes in channels]
    flat = np.concatenate([d[:, value] for value in range(2) for d in differences]) if channels else np.zeros(0)
    planes = byte_planes(zigzag(flat))
    return planes[:1] + zstd_compress(planes[1:], _ZSTD_LEVEL)


def decode_knots(data: bytes, counts: list[int]) -> list[np.ndarray]:
    """Inverse of :func:`encode_knots`.

    Parameters
    ----------
    data : bytes
        The stream's payload.
    counts : list of int
        Knots of each channel, known from the chunk's place in time.

    Returns
    -------
    list of ndarray of int32, each of shape (knots, 2)

    Raises
    ------
    ContainerError
        The payload holds another number of knots, or one that is out of range.
    """
    if not data or data[0] > 4:
        raise ContainerError("scaling knots are coded with a method that this version does not know.")
    total = 2 * sum(counts)
    planes = zstd_decompress(data[1:], data[0] * total, "the scaling knots")
    flat = unzigzag(join_byte_planes(data[:1] + planes, total))
    result = [np.zeros((count, 2), np.int32) for count in counts]
    position = 0
    for value in range(2):
        for codes, count in zip(result, counts, strict=True):
            sums = np.cumsum(flat[position : position + count])
            if count and max(int(sums.max()), -int(sums.min())) > MAX_KNOT_CODE:
                raise ContainerError("a scaling knot is out of range.")
            codes[:, value] = sums
            position += count
    return result
