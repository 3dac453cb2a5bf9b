"""Small reversible steps that every stream is built from: varints, zigzag, zstd with a known size, msgpack."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import zstandard

from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_DEPTH, MAX_HEADER_BYTES, MAX_OBJECTS

_MAP_LEVEL = 19
# The first byte of a map that was compressed with the dictionary of small files; a zstd frame begins with 0x28.
_WITH_DICTIONARY = b"\x01"


@cache
def small_dictionary() -> zstandard.ZstdCompressionDict:
    """Return the dictionary of small files (SPEC.md, section 3.1)."""
    words = Path(__file__).with_name("small.dictionary").read_bytes()
    return zstandard.ZstdCompressionDict(words, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def zstd_compress(data: bytes, level: int, dictionary: zstandard.ZstdCompressionDict | None = None) -> bytes:
    """Compress to one zstd frame that states its content size and carries no checksum (the CRC is ours)."""
    return zstandard.ZstdCompressor(
        level=level, dict_data=dictionary, write_checksum=False, write_content_size=True
    ).compress(data)


def zstd_decompress(
    data: bytes, size: int, what: str, dictionary: zstandard.ZstdCompressionDict | None = None
) -> bytes:
    """Decompress one zstd frame whose content must be exactly `size` bytes.

    Raises
    ------
    ContainerError
        The frame is damaged, its content is of another size, or something follows it.
    """
    try:
        declared = zstandard.frame_content_size(data)
        if declared != size:
            raise ContainerError(f"{what} holds {declared} bytes where {size} belong.")
        if size:
            unpacker = zstandard.ZstdDecompressor(dict_data=dictionary)
            return unpacker.decompress(data, max_output_size=size, allow_extra_data=False)
        # decompress() looks no further than the size of an empty frame.
        frame = zstandard.ZstdDecompressor().decompressobj()
        if frame.decompress(data) or frame.unused_data or not frame.eof:
            raise ContainerError(f"{what} should be empty but is not.")
    except zstandard.ZstdError as error:
        raise ContainerError(f"{what} can't be decompressed ({error}).") from error
    return b""


def pack_map(content: dict[str, Any], small: bool = False) -> bytes:
    """Serialise a map as msgpack in one zstd frame.

    Parameters
    ----------
    content : dict
    small : bool
        Whether it is part of a small file, where the dictionary is worth its name.
    """
    raw = msgpack.packb(content, use_bin_type=True)
    if small:
        return _WITH_DICTIONARY + zstd_compress(raw, _MAP_LEVEL, small_dictionary())
    return zstd_compress(raw, _MAP_LEVEL)


def unpack_map(data: bytes, what: str) -> dict[str, Any]:
    """Inverse of :func:`pack_map`, with the size checked before memory is taken.

    Raises
    ------
    ContainerError
        The bytes are not a zstd frame with a msgpack map of at most 64 MiB, or the map holds too many values.
    """
    dictionary = None
    if data[:1] == _WITH_DICTIONARY:
        data, dictionary = data[1:], small_dictionary()
    try:
        size = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise ContainerError(f"{what} is not a zstd frame ({error}).") from error
    if not 0 <= size <= MAX_HEADER_BYTES:
        raise ContainerError(f"{what} declares {size} bytes, more than the {MAX_HEADER_BYTES} allowed.")
    raw = zstd_decompress(data, size, what, dictionary)
    _check_structure(raw, what)
    try:
        content = msgpack.unpackb(raw, raw=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise ContainerError(f"{what} is not valid msgpack ({error}).") from error
    if not isinstance(content, dict):
        raise ContainerError(f"{what} is not a msgpack map.")
    return content


# Bytes that follow the first byte of each msgpack type, where that number is fixed.
_FIXED_BYTES = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8} | {
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
}
# Width of the length field of strings and byte strings, and of lists (1 value an item) and maps (2).
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _check_structure(raw: bytes, what: str) -> None:
    """Walk over msgpack without building anything: an empty list is 1 byte in a file and 64 in memory."""
    pending = [1]
    position = seen = 0
    while pending:
        if pending[-1] == 0:
            pending.pop()
            continue
        pending[-1] -= 1
        seen += 1
        if position >= len(raw):
            raise ContainerError(f"{what} is not valid msgpack (it ends too early).")
        first = raw[position]
        position += 1
        items = 0
        if first <= 0x7F or first >= 0xE0:
            continue
        if first in _FIXED_BYTES:
            position += _FIXED_BYTES[first]
        elif 0xA0 <= first <= 0xBF:
            position += first & 0x1F
        elif first in _SIZED:
            width = _SIZED[first]
            position += width + int.from_bytes(raw[position : position + width], "big")
        elif first in _CONTAINERS or first <= 0x9F:
            width, values = _CONTAINERS.get(first, (0, 2 if first <= 0x8F else 1))
            declared = int.from_bytes(raw[position : position + width], "big") if width else first & 0x0F
            position += width
            items = declared * values
            pending.append(items)
        else:
            raise ContainerError(f"{what} holds a msgpack extension type, which the format does not use.")
        if seen + items > MAX_OBJECTS or len(pending) > MAX_DEPTH + 1:
            raise ContainerError(f"{what} holds more values, or deeper ones, than the format allows.")


def put_varint(out: bytearray, value: int) -> None:
    """Append an unsigned integer in LEB128: seven bits a byte, low bits first, high bit = more follow."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def take_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read one LEB128 integer below 2**64; return it and the position after it.

    Raises
    ------
    ContainerError
        The data end inside the integer, or it is too long.
    """
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ContainerError("a variable-length integer is cut short or too long.")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 1 << 64:
            return value, position
        shift += 7


def put_signed_varint(out: bytearray, value: int) -> None:
    """Append a signed integer: :func:`put_varint` of its :func:`zigzagged` value."""
    put_varint(out, zigzagged(value))


def take_signed_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read what :func:`put_signed_varint` wrote; return it and the position after it.

    Raises
    ------
    ContainerError
        As :func:`take_varint`.
    """
    value, position = take_varint(data, position)
    return unzigzagged(value), position


def zigzagged(value: int) -> int:
    """Map a signed integer of any size to an unsigned one: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzagged(value: int) -> int:
    """Inverse of :func:`zigzagged`."""
    return -(value + 1 >> 1) if value & 1 else value >> 1


def zigzag(values: np.ndarray) -> np.ndarray:
    """:func:`zigzagged` of an array of 64-bit integers, as uint64."""
    wide = values.astype(np.int64)
    return ((wide << 1) ^ (wide >> 63)).astype(np.uint64)


def unzigzag(values: np.ndarray) -> np.ndarray:
    """Inverse of :func:`zigzag`, as int64."""
    wide = values.astype(np.uint64)
    return (wide >> np.uint64(1)).astype(np.int64) ^ -(wide & np.uint64(1)).astype(np.int64)


def byte_planes(values: np.ndarray) -> bytes:
    """Split unsigned integers below 2**32 into planes of bytes, lowest first, as many as the largest needs.

    The first byte of the result is the number of planes (0 to 4).
    """
    peak = int(values.max()) if values.size else 0
    count = (peak.bit_length() + 7) // 8
    planes = np.ascontiguousarray(values.astype("<u4")).view(np.uint8).reshape(-1, 4)[:, :count]
    return bytes([count]) + np.ascontiguousarray(planes.T).tobytes()


def join_byte_planes(data: bytes, size: int) -> np.ndarray:
    """Inverse of :func:`byte_planes` for `size` integers, as uint32.

    Raises
    ------
    ContainerError
        The number of planes does not fit the number of bytes.
    """
    if not data or data[0] > 4 or len(data) != 1 + data[0] * size:
        raise ContainerError("byte planes are of the wrong size.")
    planes = np.zeros((size, 4), np.uint8)
    planes[:, : data[0]] = np.frombuffer(data, np.uint8, offset=1).reshape(data[0], size).T
    return planes.view("<u4").reshape(size).astype(np.uint32)
