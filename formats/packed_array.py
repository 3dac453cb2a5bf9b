"""Arrays of integers as bytes, with the lossless coder of exact signals (SPEC.md, section 13)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import ContainerError, UsageError
from eegzip.formats.packing import pack_map, unpack_map, zstd_compress, zstd_decompress

_MAGIC = b"\x89EZA\r\n\x1a\n"
_VERSION = 1
_START = struct.Struct("<8sBI")
_CRC = struct.Struct("<I")
_KINDS = "biu"
_TYPE = re.compile(f"[<>|][{_KINDS}][1248]")

MAX_ARRAY_BYTES = 1 << 32
"""Of an array that is unpacked: bytes that promise more are refused before memory is taken."""

_PART_SAMPLES = 1 << 14
_TOGETHER = 64
"""Rows that predict one another, and samples of each that are coded at a time."""

_SHORTEST = 64
_WIDTH = 3
_HALF = 1 << (8 * _WIDTH - 1)
"""Bytes of a sample that the coder takes, of either sign; what is wider goes beside it."""


def dumps(array: npt.ArrayLike, *, axis: int = -1) -> bytes:
    """Pack an array of integers without loss: each row is predicted from its past and from the other rows.

    Made for samples of several channels, in whatever digits; the same array gives the same bytes on every machine.

    Parameters
    ----------
    array : array_like of integers or bool, of any shape
        Of any size and byte order.
    axis : int
        The axis of time.

    Returns
    -------
    bytes
        To be read by :func:`loads`: type, byte order, shape and a checksum are in it.

    Raises
    ------
    UsageError
        It holds other than integers, has no such axis, or more than 4 GiB.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.cumsum(np.ones((4, 1000), np.int16), axis=1, dtype=np.int16)
    >>> packed = eegzip.dumps(samples)
    >>> len(packed) < samples.nbytes // 20, bool((eegzip.loads(packed) == samples).all())
    (True, True)
    """
    values = np.asarray(array)
    if values.dtype.kind not in _KINDS:
        raise UsageError(f"only integers are packed, not {values.dtype}; round and scale to integers first.")
    if values.nbytes > MAX_ARRAY_BYTES:
        raise UsageError(f"an array of {values.nbytes} bytes is too large to be packed whole; pack parts of it.")
    if values.ndim and not -values.ndim <= axis < values.ndim:
        raise UsageError(f"an array of {values.ndim} dimensions has no axis {axis}.")
    time = axis % values.ndim if values.ndim else 0
    rows = _rows(values, time)
    low = _low(rows)
    streams = [zstd_compress(np.ascontiguousarray(values).tobytes(), 6)] if low is None else _encoded(rows, low)
    head = pack_map(
        {
            "dtype": values.dtype.str,
            "shape": list(values.shape),
            "axis": time,
            "low": low,
            "lengths": [len(stream) for stream in streams],
        }
    )
    body = _START.pack(_MAGIC, _VERSION, len(head)) + head + b"".join(streams)
    return body + _CRC.pack(zlib.crc32(body))


def loads(data: bytes | bytearray | memoryview) -> npt.NDArray[Any]:
    """Unpack what :func:`dumps` packed.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    ndarray
        Of the same type, byte order and shape.

    Raises
    ------
    ContainerError
        The bytes are damaged, cut short, of a newer version, or not packed by :func:`dumps`.
    """
    content = bytes(data)
    if len(content) < _START.size + _CRC.size or content[:8] != _MAGIC:
        raise ContainerError("these bytes are no array that eegzip.dumps packed; check where they come from.")
    _, version, size = _START.unpack_from(content)
    if version != _VERSION:
        raise ContainerError(f"the packed array has version {version}, and this eegzip reads {_VERSION}: update it.")
    if zlib.crc32(content[: -_CRC.size]) != _CRC.unpack(content[-_CRC.size :])[0]:
        raise ContainerError("the packed array is damaged or cut short (wrong checksum); fetch it again.")
    head = unpack_map(content[_START.size : _START.size + size], "the packed array's head")
    dtype, shape, axis, low, lengths = _checked(head, len(content) - _START.size - size - _CRC.size)
    place = _START.size + size
    if low is None:
        whole = zstd_decompress(content[place : place + lengths[0]], prod(shape) * dtype.itemsize, "the packed array")
        return np.frombuffer(whole, dtype).reshape(shape).copy()
    streams = []
    for length in lengths:
        streams.append(content[place : place + length])
        place += length
    return _decoded(streams, dtype, shape, axis, low)


def _rows(values: npt.NDArray[Any], time: int) -> npt.NDArray[Any]:
    """The array as rows of samples; one row where they are short."""
    wide = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64)
    if not wide.ndim:
        return wide.reshape(1, 1)
    wide = np.moveaxis(wide, time, -1)
    return wide.reshape(-1, wide.shape[-1]) if _in_rows(values.shape, time) else wide.reshape(1, -1)


def _in_rows(shape: tuple[int, ...], time: int) -> bool:
    return prod(shape) > 0 and shape[time] >= _SHORTEST


def _low(rows: npt.NDArray[Any]) -> int | None:
    """The value that the coder takes for its lowest; ``None`` where values are too far apart for it."""
    if not rows.size:
        return -_HALF
    low, high = int(rows.min()), int(rows.max())
    if low >= -_HALF and high < _HALF:
        return -_HALF  # the values themselves
    return low if high - low < 2 * _HALF else None


def _parts(rows: int, samples: int) -> Iterator[tuple[slice, slice]]:
    """Rows that are coded together, and of these stretch after stretch of samples."""
    for first in range(0, rows, _TOGETHER):
        for begin in range(0, samples, _PART_SAMPLES):
            yield slice(first, min(rows, first + _TOGETHER)), slice(begin, min(samples, begin + _PART_SAMPLES))


def _encoded(rows: npt.NDArray[Any], low: int) -> list[bytes]:
    from eegzip.formats.predictive.search.chunk_encoder import ExactEncoder

    small = rows if low == -_HALF else (rows - rows.dtype.type(low)).astype(np.int64) - _HALF
    streams: list[bytes] = []
    encoder, began = ExactEncoder(_WIDTH, range(_TOGETHER)), -1
    for which, when in _parts(*rows.shape):
        if which.start != began:
            encoder, began = ExactEncoder(_WIDTH, range(_TOGETHER)), which.start
        part = np.ascontiguousarray(small[which, when], np.int32)
        streams += encoder.encode(dict(enumerate(part))).values()
    return streams


def _decoded(
    streams: list[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], axis: int, low: int
) -> npt.NDArray[Any]:
    from eegzip.formats.predictive.chunk import ExactDecoder

    in_rows = bool(shape) and _in_rows(shape, axis)
    samples = shape[axis] if in_rows else prod(shape)
    rows = prod(shape) // samples if samples else 1
    moved = (*shape[:axis], *shape[axis + 1 :], shape[axis]) if shape else ()
    result = np.empty((rows, samples), dtype)
    bounds, place = np.iinfo(dtype) if dtype.kind != "b" else np.iinfo(np.uint8), 0
    for which, when in _parts(rows, samples):
        count, length = which.stop - which.start, when.stop - when.start
        part = streams[place : place + count]
        place += count
        if len(part) != count:
            raise ContainerError("the packed array has too few streams.")
        decoder = ExactDecoder(part.__getitem__, dict.fromkeys(range(count), (1, length)), _WIDTH, lambda error: error)
        for row in range(count):
            above = decoder.decode(row).reshape(-1).astype(np.int64) + _HALF
            if length and not bounds.min <= int(above.min()) + low <= int(above.max()) + low <= bounds.max:
                raise ContainerError("the packed array has values that its type can't hold.")
            wide = above.astype(np.uint64) + np.uint64(low) if low > bounds.max >> 1 else above + low
            result[which.start + row, when] = wide.astype(dtype)
    return np.ascontiguousarray(np.moveaxis(result.reshape(moved), -1, axis)) if shape else result.reshape(())


def _checked(head: Any, size: int) -> tuple[np.dtype[Any], tuple[int, ...], int, int | None, list[int]]:
    """The fields of the head, refused where they make no sense."""

    def whole(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    try:
        name, shape, axis, low, lengths = (head[key] for key in ("dtype", "shape", "axis", "low", "lengths"))
        dtype = np.dtype(name) if isinstance(name, str) and _TYPE.fullmatch(name) else None
        right = dtype is not None and isinstance(shape, list) and isinstance(lengths, list) and len(shape) <= 32
        right = right and all(whole(item) and item >= 0 for item in [*shape, *lengths])
        right = right and whole(axis) and 0 <= axis < max(1, len(shape))
        right = right and (low is None or (whole(low) and abs(low) < 1 << 64))
        right = right and sum(lengths) == size and (low is not None or len(lengths) == 1)
    except (KeyError, TypeError, ValueError) as error:
        raise ContainerError("the packed array's head is not one.") from error
    if not right or dtype is None:
        raise ContainerError("the packed array's head contradicts itself.")
    if prod(shape) * dtype.itemsize > MAX_ARRAY_BYTES:
        raise ContainerError(f"the packed array claims {prod(shape) * dtype.itemsize} bytes, more than the limit.")
    return dtype, tuple(shape), axis, low, lengths
