"""Sealed files for tests, and what somebody without the key can do to them: every checksum made right again."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import pack_chunk
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.reader import EegzReader

KEY = bytes(range(32))


@dataclass
class Block:
    """A block of a file; of a chunk its streams, too, of which its payload is made anew."""

    kind: bytes
    flags: int
    payload: bytes
    number: int = 0
    records: tuple[int, int] = (0, 0)
    streams: dict[tuple[int, int], bytes] | None = None


def blocks_of(data: bytes) -> list[Block]:
    """Blocks of a file that is not sealed as a whole."""
    found = []
    with EegzReader(data) as reader:
        for place in reader.blocks.places:
            payload = reader.payload(place)
            block = Block(place.type, reader.block_header(place).flags, payload)
            if place.type == layout.CHUNK:
                chunk = reader.read_directory(place)
                block.number, block.records = chunk.number, (chunk.first_record, chunk.n_records)
                block.streams = {
                    key: payload[entry.offset : entry.offset + entry.length] for key, entry in chunk.streams.items()
                }
            found.append(block)
    return found


def file_of(blocks: list[Block]) -> bytes:
    """A file of blocks, as a forger makes it."""
    seed = zlib.crc32(next(block.payload for block in blocks if block.kind == layout.HEAD))
    out, places = bytearray(layout.pack_signature(7)), []

    def put(kind: bytes, flags: int, payload: bytes) -> None:
        header = layout.BlockHeader(kind, flags, len(places), len(payload), zlib.crc32(payload))
        places.append(BlockPlace(kind, len(out), len(payload)))
        out.extend(header.pack(seed) + payload)

    for block in blocks:
        payload = block.payload
        if block.streams is not None:
            payload = pack_chunk(block.number, *block.records, block.streams, seed)
        put(block.kind, block.flags, payload)
    offset = len(out)
    put(layout.INDEX, 0, pack_index(list(places)))
    return bytes(out) + layout.pack_trailer(offset)


def forged(data: bytes, change: Callable[[list[Block]], object]) -> bytes:
    """A file after somebody changed its blocks."""
    blocks = blocks_of(data)
    change(blocks)
    return file_of(blocks)


def flipped(data: bytes, place: int) -> bytes:
    """The same with one bit of a byte changed."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)
