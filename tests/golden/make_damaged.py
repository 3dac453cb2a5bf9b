"""Write damaged golden files and the errors that they give, once: ``python tests/golden/make_damaged.py``."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from damaged_outcomes import outcome
from make_streams import HERE, once

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import StreamKind, pack_chunk
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.reader import EegzReader

EXACT, LAYERS, TOKENS, LINES = "v1.4/small", "v1.2/error", "v1.2/tokens", "v1.5/tokens"
Blocks = list[tuple[bytes, int, bytes]]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def blocks_of(data: bytes, reader: EegzReader) -> Blocks:
    """Type, flags and payload of all blocks but the index."""
    found = []
    for place in reader.blocks.places:
        header = layout.unpack_block_header(data[place.offset : place.payload_offset], reader.blocks.seed)
        assert header is not None
        found.append((place.type, header.flags, data[place.payload_offset : place.payload_offset + place.length]))
    return found


def joined(data: bytes, reader: EegzReader, blocks: Blocks) -> bytes:
    """A file of these blocks, all its checksums right."""
    out, places = bytearray(data[: layout.SIGNATURE_BYTES]), []
    for kind, flags, payload in blocks:
        header = layout.BlockHeader(kind, flags, len(places), len(payload), zlib.crc32(payload))
        places.append(BlockPlace(kind, len(out), len(payload)))
        out += header.pack(reader.blocks.seed) + payload
    index = pack_index(places, reader.header.small)
    block = layout.BlockHeader(layout.INDEX, 0, len(places), len(index), zlib.crc32(index))
    return bytes(out) + block.pack(reader.blocks.seed) + index + layout.pack_trailer(len(out))


def with_stream(
    data: bytes, reader: EegzReader, chunk: int, stream: tuple[int, int], change: Callable[[bytes], bytes | None]
) -> bytes:
    """A file with another stream in a chunk, all its checksums right."""
    directory, place = reader.directory(chunk), reader.chunks[chunk]
    streams = {}
    for key, entry in directory.streams.items():
        begin = place.payload_offset + entry.offset
        changed = data[begin : begin + entry.length]
        if key == stream and (changed := change(changed)) is None:
            continue
        streams[key] = changed
    payload = pack_chunk(chunk, directory.first_record, directory.n_records, streams, reader.blocks.seed)
    blocks = blocks_of(data, reader)
    number = [n for n, (kind, _, _) in enumerate(blocks) if kind == layout.CHUNK][chunk]
    blocks[number] = (layout.CHUNK, 0, payload)
    return joined(data, reader, blocks)


def signed(data: bytes, major: int) -> bytes:
    body = data[:9] + bytes([major]) + data[10:12]
    return body + zlib.crc32(body).to_bytes(4, "little") + data[16:]


def damaged(data: bytes, reader: EegzReader) -> Iterator[tuple[str, bytes]]:
    """Damage to the container, and to a chunk of it."""
    places = {kind: [p for p in reader.blocks.places if p.type == kind] for kind in layout.KNOWN_TYPES}
    chunk, last = reader.chunks[1], reader.chunks[max(reader.chunks)]
    yield "empty", b""
    yield "no-eegz", b"0       X X X X" + data[15:200]
    yield "text-mode", data.replace(b"\r\n", b"\n", 1)
    yield "signature-cut", data[:12]
    yield "signature-bit", flipped(data, 11)
    yield "version-2", signed(data, 2)
    yield "head", flipped(data, 60)
    yield "chunk-header", flipped(data, chunk.offset + 5)
    yield "chunk-directory", flipped(data, chunk.payload_offset + 9)
    yield "cut-in-chunk", data[: last.payload_offset + 20]
    yield "cut-in-index", data[:-20]
    yield "index", flipped(data, places[layout.SUMMARY][-1].payload_offset + places[layout.SUMMARY][-1].length + 40)
    yield "summary", flipped(data, places[layout.SUMMARY][0].payload_offset + 9)
    blocks = blocks_of(data, reader)
    numbers = [n for n, (kind, _, _) in enumerate(blocks) if kind == layout.CHUNK]
    a, b = numbers[:2]
    yield "chunk-missing", joined(data, reader, [*blocks[:b], *blocks[b + 1 :]])
    yield "chunks-swapped", joined(data, reader, [*blocks[:a], blocks[b], blocks[a], *blocks[b + 1 :]])
    yield "critical-block", joined(data, reader, [*blocks[:a], (b"LATR", layout.CRITICAL, b""), *blocks[a:]])
    yield "critical-flag", joined(data, reader, [(layout.HEAD, blocks[0][1] | 0x20, blocks[0][2]), *blocks[1:]])


def streams(data: bytes, reader: EegzReader) -> Iterator[tuple[str, bytes]]:
    """Damage to one stream of each kind of a chunk: a bad byte; content that no writer writes; none."""
    for kind, number in dict(reversed(reader.directory(1).streams)).items():
        entry = reader.directory(1).streams[kind, number]
        name = StreamKind(kind).name.lower().replace("_", "-")
        yield name, flipped(data, reader.chunks[1].payload_offset + entry.offset + entry.length // 2)
        yield f"{name}-unknown", with_stream(data, reader, 1, (kind, number), lambda stream: b"\xee" + stream[1:])
        yield f"{name}-missing", with_stream(data, reader, 1, (kind, number), lambda _: None)


def main(folder: Path) -> None:
    """Write all files into a new folder, and what became of them."""
    folder.mkdir()
    expected = {}
    for base in (EXACT, LAYERS, TOKENS, LINES):
        source = HERE / f"{base}.eegz"
        data = source.read_bytes()
        with EegzReader(source) as reader:
            made = [*(damaged(data, reader) if base == EXACT else ()), *streams(data, reader)]
        for name, content in made:
            path = folder / f"{base.replace('/', '-')}-{name}.eegz"
            with path.open("xb") as file:
                file.write(content)
            expected[path.name] = outcome(path)
    with (folder / "errors.json").open("x") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")
    print(f"{len(expected)} files")


if __name__ == "__main__":
    once(main, HERE / "damaged")
