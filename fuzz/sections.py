"""Fuzz inputs: a file taken apart into sections without checksums, so that what is changed there is really read.

A section is a tag of one byte, a short head and a body. A container is put together from its sections with every
checksum right and every map and zstd frame compressed anew; what is wrong in it is then wrong on purpose.
"""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.container import Container
from eegzip.formats.eegz.identity import place_of_text
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.seals import Seals
from eegzip.formats.packing import put_varint, small_dictionary, zstd_compress, zstd_decompress

HEAD, SUMMARY, CHUNK, STREAM, TAIL, OTHER = b"H", b"M", b"C", b"S", b"T", b"B"
IDENTITY, LOCK, PIECE = b"I", b"L", b"Z"
"""Of a file with a sealed identity: what is sealed, its lock (``?`` for what is right), pieces of trailing bytes."""
NO_FRAME = 255
"""In the head of a stream: nothing of it is a zstd frame; else where one begins."""

_MAX_INFLATED = 1 << 22


@dataclass(frozen=True)
class Section:
    """A part of an input.

    Parameters
    ----------
    tag : bytes
        One byte: what it is.
    head, body : bytes
        What is said of it, at most 255 bytes, and what it holds.
    """

    tag: bytes
    head: bytes
    body: bytes


def pack(sections: Iterable[Section]) -> bytes:
    """One input of sections."""
    return b"".join(s.tag + bytes([len(s.head)]) + s.head + struct.pack("<I", len(s.body)) + s.body for s in sections)


def unpack(data: bytes) -> list[Section]:
    """Sections of any bytes: lengths that are too large end with the input."""
    sections, place = [], 0
    while place + 2 <= len(data):
        tag, size = data[place : place + 1], data[place + 1]
        head = data[place + 2 : place + 2 + size]
        place += 2 + size
        length = int.from_bytes(data[place : place + 4], "little")
        sections.append(Section(tag, head, data[place + 4 : place + 4 + length]))
        place += 4 + length
    return sections


def _inflated(payload: bytes) -> bytes:
    import zstandard

    words = None
    if payload[:1] == b"\x01":
        payload, words = payload[1:], small_dictionary()
    size = zstandard.frame_content_size(payload)
    return zstd_decompress(payload, size, "a map", words)


def _stream(kind: int, number: int, data: bytes) -> Section:
    """A stream, its zstd frame inflated where it has one."""
    import zstandard

    for place in range(4):
        if data[place : place + 4] == b"\x28\xb5\x2f\xfd":
            size = zstandard.frame_content_size(data[place:])
            if 0 <= size <= _MAX_INFLATED:
                body = data[:place] + zstd_decompress(data[place:], size, "a stream")
                return Section(STREAM, struct.pack("<BHB", kind, number, place), body)
    return Section(STREAM, struct.pack("<BHB", kind, number, NO_FRAME), data)


def take_apart(data: bytes) -> list[Section]:
    """Sections of an intact ``.eegz`` file."""
    sections: list[Section] = []
    with Container(data) as file:
        seen = False
        for place in file.blocks.places:
            header, payload = file.block_header(place), file.payload(place)
            if place.type == layout.HEAD:
                if not seen:
                    sections.append(Section(HEAD, bytes([header.flags & 0xFF]), _inflated(payload)))
                seen = True
            elif place.type == layout.SUMMARY:
                sections.append(Section(SUMMARY, b"", _inflated(payload)))
            elif place.type == layout.CHUNK:
                directory = file.read_directory(place)
                numbers = bytearray()
                for value in (directory.number, directory.first_record, directory.n_records):
                    put_varint(numbers, value)
                sections.append(Section(CHUNK, b"", bytes(numbers)))
                for entry in directory.streams.values():
                    stream = payload[entry.offset : entry.offset + entry.length]
                    sections.append(_stream(entry.kind, entry.id, stream))
            elif place.type == layout.TAIL:
                sections.append(Section(TAIL, payload[:8], _inflated(payload[8:])))
            else:
                sections.append(Section(OTHER, place.type, payload))
    return sections


def stream_bytes(section: Section) -> bytes:
    """A stream as a chunk holds it."""
    place = section.head[3] if len(section.head) > 3 else NO_FRAME
    if place == NO_FRAME:
        return section.body
    return section.body[:place] + zstd_compress(section.body[place:], 1)


def put_together(sections: list[Section], seals: Seals | None = None) -> bytes:
    """A file of these sections in which every checksum is right, and every seal where some are given."""
    head = next((s for s in sections if s.tag == HEAD), Section(HEAD, b"\1", b""))
    head_payload = zstd_compress(head.body, 1)
    seed = zlib.crc32(head_payload)
    out = bytearray(layout.pack_signature(layout.MINOR_VERSION))
    places: list[BlockPlace] = []

    def block(kind: bytes, payload: bytes, flags: int = 0) -> None:
        header = layout.BlockHeader(kind, flags, len(places), len(payload), zlib.crc32(payload))
        places.append(BlockPlace(kind, len(out), len(payload)))
        out.extend(header.pack(seed) + payload)

    block(layout.HEAD, head_payload, (head.head or b"\1")[0])
    identity = next((s.body for s in sections if s.tag == IDENTITY), None)
    if seals is not None and identity is not None:
        lock = next((s.body for s in sections if s.tag == LOCK), b"")
        sealed = seals.seal(b"HIDE", 0, zstd_compress(identity, 1), hashlib.sha256(head_payload).digest())
        block(layout.SEAL, b"\0" + zstd_compress(_with_sealed(lock, seals, sealed), 1))
    chunk: tuple[bytes, list[Section]] | None = None
    pieces = 0

    def close() -> None:
        if chunk is None:
            return
        directory = bytearray(chunk[0])
        put_varint(directory, len(chunk[1]))
        streams = []
        for section in chunk[1]:
            kind, number, _ = struct.unpack("<BHB", section.head.ljust(4, b"\0")[:4])
            streams.append(stream_bytes(section))
            if seals is not None and kind == StreamKind.SEALED_EXACT:
                place = place_of_text(chunk[0][0] if chunk[0] else 0, number)
                streams[-1] = seals.seal(b"TEXT", place, streams[-1])
            put_varint(directory, kind)
            put_varint(directory, number)
            put_varint(directory, len(streams[-1]))
            directory += struct.pack("<I", zlib.crc32(streams[-1]))
        prefix = struct.pack("<II", len(directory), zlib.crc32(directory, seed))
        block(layout.CHUNK, b"".join([prefix, directory, *streams]))

    for section in sections:
        if section.tag == STREAM:
            if chunk is not None:
                chunk[1].append(section)
            continue
        close()
        chunk = (section.body, []) if section.tag == CHUNK else None
        if section.tag == SUMMARY:
            block(layout.SUMMARY, zstd_compress(section.body, 1))
        elif section.tag == TAIL:
            block(layout.TAIL, section.head.ljust(8, b"\0")[:8] + zstd_compress(section.body, 1))
        elif section.tag == PIECE and seals is not None:
            payload = section.head.ljust(8, b"\0")[:8] + zstd_compress(section.body, 1)
            block(layout.SEAL, b"\1" + seals.seal(b"TAIL", pieces, payload))
            pieces += 1
        elif section.tag == OTHER:
            block(section.head.ljust(4, b"?")[:4], section.body)
    close()
    offset = len(out)
    block(layout.INDEX, pack_index(places[:]))
    return bytes(out) + layout.pack_trailer(offset)


def _with_sealed(raw: bytes, seals: Seals, sealed: bytes) -> bytes:
    """The map of a SEAL block: a lock as it should be, with what an input says in its place."""
    fields = seals.lock.fields()
    try:
        said = msgpack.unpackb(raw, strict_map_key=False)
    except Exception:  # any bytes at all: it raises errors of many kinds
        return raw
    if not isinstance(said, dict):
        return raw
    for slot in said.get("slots") or () if isinstance(said.get("slots"), list) else ():
        if isinstance(slot, dict):
            slot.update({k: v for k, v in fields["slots"][0].items() if slot.get(k) == b"?"})
    said.update({k: v for k, v in {**fields, "sealed": sealed}.items() if said.get(k) == b"?"})
    try:
        return bytes(msgpack.packb(said, use_bin_type=True))
    except Exception:  # a number that msgpack does not take, or a circle
        return raw


_NUMBERS = [
    *((1 << power) + more for power in (7, 8, 15, 16, 24, 31, 32, 40, 53, 63) for more in (-1, 0, 1)),
    0, 1, 2, 3, -1, -2, 255, 10_000, 65535,
]  # fmt: skip
_VALUES: list[Any] = [
    *_NUMBERS, 0.5, 1e-300, 1e300, float("nan"), float("inf"), -0.0, None, True, False, "", "x", b"", [], {}, "A" * 300,
]  # fmt: skip


def changed_map(raw: bytes, dice: random.Random) -> bytes:
    """Another value in one place of a msgpack map, of a kind that hurts or one from elsewhere in the map."""
    try:
        content = msgpack.unpackb(raw, strict_map_key=False)
    except Exception:  # any bytes at all: it raises errors of many kinds
        return raw
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        keys = value.keys() if isinstance(value, dict) else range(len(value))
        for key in list(keys)[:64]:
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                walk(value[key])

    if not isinstance(content, (dict, list)):
        return raw
    walk(content)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        if not places:
            break
        owner, key = dice.choice(places)
        choice = dice.random()
        try:
            old = owner[key]
            if choice < 0.1:
                del owner[key]
            elif choice < 0.3 and isinstance(old, int):
                owner[key] = old + dice.choice((-1, 1, 2, old, 7 * old, -2 * old))
            elif choice < 0.4 and isinstance(old, float):
                owner[key] = old * dice.choice((-1.0, 2.0, 1e9, 1e-9, 0.0))
            elif choice < 0.5 and isinstance(old, list) and old:
                owner[key] = old * dice.choice((0, 2, 3)) if choice < 0.45 else old[:-1]
            elif choice < 0.7:
                other, place = dice.choice(places)
                owner[key] = other[place]
            else:
                owner[key] = dice.choice(_VALUES)
        except (KeyError, IndexError):
            continue
    try:
        return bytes(msgpack.packb(content, use_bin_type=True))
    except Exception:  # a number that msgpack does not take, or a circle
        return raw


def mutate(data: bytes, most: int, seed: int, bytewise: Callable[[bytes, int], bytes]) -> bytes:
    """Another input: a section changed, dropped, doubled or moved.

    Parameters
    ----------
    data : bytes
    most : int
        Bytes that it may have.
    seed : int
    bytewise : callable
        Changes bytes, which may become at most so many.
    """
    dice = random.Random(seed)
    sections = unpack(data)
    if not sections:
        return bytewise(data, most)[:most]
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        place = dice.randrange(len(sections))
        section, choice = sections[place], dice.random()
        if choice < 0.04 and len(sections) > 1:
            del sections[place]
        elif choice < 0.08:
            sections.insert(place, section)
        elif choice < 0.12:
            other = dice.randrange(len(sections))
            sections[place], sections[other] = sections[other], section
        elif choice < 0.2 and section.head:
            head = bytearray(section.head)
            head[dice.randrange(len(head))] = dice.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 255, dice.randrange(256)))
            sections[place] = replace(section, head=bytes(head))
        elif choice < 0.6 and section.tag in (HEAD, SUMMARY, IDENTITY, LOCK):
            sections[place] = replace(section, body=changed_map(section.body, dice))
        else:
            room = max(len(section.body) + 64, 64)
            sections[place] = replace(section, body=bytewise(section.body, room))
    return pack(sections)[:most]
