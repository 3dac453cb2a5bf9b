"""A chunk's payload: a directory of streams, each with its own checksum, then the streams (SPEC.md, section 6)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_SIGNALS
from eegzip.formats.packing import put_varint, take_varint

_PREFIX = struct.Struct("<II")
_CRC = struct.Struct("<I")
PREFIX_BYTES = _PREFIX.size
MAX_DIRECTORY_BYTES = 32 * (2 * MAX_SIGNALS + 8)


class StreamKind(IntEnum):
    """What a stream of a chunk holds."""

    KNOTS = 0
    TOKENS = 1
    EXACT = 2
    FIRST_LAYER = 3
    RESIDUAL = 4
    LAYER = 5
    LINES = 6
    SEALED_EXACT = 18


@dataclass(frozen=True)
class StreamEntry:
    """One line of a chunk's directory.

    Parameters
    ----------
    kind : int
        A :class:`StreamKind`; readers skip numbers that they don't know.
    id : int
        Group of a token stream, signal of an exact stream or a residual, layer set of a layer, line set of
        lines, 0 for the knots.
    offset, length : int
        Place of the payload, from the beginning of the chunk's payload.
    crc : int
        CRC-32 of the payload.
    """

    kind: int
    id: int
    offset: int
    length: int
    crc: int


@dataclass(frozen=True)
class ChunkDirectory:
    """Which records a chunk covers and where its streams lie."""

    number: int
    first_record: int
    n_records: int
    streams: dict[tuple[int, int], StreamEntry]


def pack_chunk(
    number: int, first_record: int, n_records: int, streams: dict[tuple[int, int], bytes], seed: int
) -> bytes:
    """Build a chunk's payload from its streams, keyed by (kind, id); `seed` is that of the file's block headers."""
    directory = bytearray()
    for value in (number, first_record, n_records, len(streams)):
        put_varint(directory, value)
    for (kind, stream_id), payload in streams.items():
        put_varint(directory, kind)
        put_varint(directory, stream_id)
        put_varint(directory, len(payload))
        directory += _CRC.pack(zlib.crc32(payload))
    prefix = _PREFIX.pack(len(directory), zlib.crc32(directory, seed))
    return b"".join([prefix, directory, *streams.values()])


def directory_size(prefix: bytes) -> int:
    """Bytes of the directory that follows the first 8 bytes of a chunk's payload."""
    size: int = _PREFIX.unpack(prefix)[0]
    if size > MAX_DIRECTORY_BYTES:
        raise ContainerError(f"a chunk declares a directory of {size} bytes, more than can be.")
    return size


def unpack_directory(prefix: bytes, directory: bytes, payload_length: int, seed: int) -> ChunkDirectory:
    """Read a chunk's directory.

    Parameters
    ----------
    prefix, directory : bytes
        The first 8 bytes of the payload and as many as they announce.
    payload_length : int
        Of the whole chunk: the streams must fill it without holes or overlaps.
    seed : int
        What the checksum begins with, as for the file's block headers.

    Raises
    ------
    ContainerError
        Damaged, or streams that don't fit the payload.
    """
    size, crc = _PREFIX.unpack(prefix)
    if len(directory) != size or zlib.crc32(directory, seed) != crc:
        raise ContainerError("a chunk's directory is damaged (wrong checksum).")
    position = 0
    numbers = []
    for _ in range(4):
        value, position = take_varint(directory, position)
        numbers.append(value)
    number, first_record, n_records, count = numbers
    if count > 2 * MAX_SIGNALS:
        raise ContainerError(f"a chunk declares {count} streams, more than can be.")
    offset = PREFIX_BYTES + size
    streams: dict[tuple[int, int], StreamEntry] = {}
    for _ in range(count):
        kind, position = take_varint(directory, position)
        stream_id, position = take_varint(directory, position)
        length, position = take_varint(directory, position)
        if position + 4 > size:
            raise ContainerError("a chunk's directory is cut short.")
        entry = StreamEntry(kind, stream_id, offset, length, _CRC.unpack_from(directory, position)[0])
        position += 4
        offset += length
        if (kind, stream_id) in streams:
            raise ContainerError("a chunk's directory names a stream twice.")
        streams[kind, stream_id] = entry
    if position != size or offset != payload_length:
        raise ContainerError("a chunk's streams do not fill its payload exactly.")
    return ChunkDirectory(number, first_record, n_records, streams)
