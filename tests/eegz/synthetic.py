"""Synthetic ``.eegz`` files: headers of any layout, random content, and an independent account of what is in them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.header import (
    CodecEntry,
    Coding,
    FileHeader,
    GroupEntry,
    ScalingKind,
    SignalEntry,
)
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.reader import EegzReader, chunk_knot_range
from eegzip.formats.eegz.summary import FileSummary, SignalSummary
from eegzip.formats.eegz.writer import EegzWriter
from eegzip.formats.errors import EegzipError


@dataclass(frozen=True)
class Group:
    """A token stream to put into a header; ``members`` signals share it, told apart by styles where there are any."""

    members: int = 1
    samples: int = 128
    up: int = 1
    down: int = 1
    hop: int = 64
    codebooks: int = 3
    size: int = 1024
    scaling: str = ScalingKind.ADAPTIVE
    spacing: int = 128
    styles: tuple[int, ...] | None = None


def build_header(
    groups: tuple[Group, ...] = (Group(),),
    exact: tuple[int, ...] = (),
    *,
    sample_bytes: int = 2,
    n_records: int = 7,
    chunk_records: int = 3,
    record_duration: float | None = 1.0,
    trailing_bytes: int = 0,
    edf_header: bytes = b"0       an EDF header",
    predicted: bool = False,
) -> FileHeader:
    """Build a header with these token streams, followed by exact signals of so many samples a record."""
    limit = 1 << (8 * sample_bytes - 1)

    def signal(label: str, kind: str, samples: int, coding: Coding) -> SignalEntry:
        rate = samples / record_duration if record_duration else None
        return SignalEntry(label, "uV", kind, -100.0, 100.0, -limit, limit - 1, samples, rate, coding, "a reason")

    signals: list[SignalEntry] = []
    codecs: list[CodecEntry] = []
    entries: list[GroupEntry] = []
    for number, group in enumerate(groups):
        first = len(signals)
        signals += [signal(f"G{number}M{m}", "eeg", group.samples, Coding.TOKENS) for m in range(group.members)]
        codecs.append(
            CodecEntry(
                name="dac-sc" if group.styles is None else "dac-mc",
                model="synthetic",
                digest=f"{number:064x}",
                rate=Fraction(256) if number % 2 else None,
                hop=group.hop,
                codebooks=group.codebooks + number,
                codebook_size=group.size,
                scaling=ScalingKind(group.scaling),
                knot_spacing=0 if group.scaling == ScalingKind.FIXED else group.spacing,
            )
        )
        entries.append(
            GroupEntry(
                signals=tuple(range(first, first + group.members)),
                codec=number,
                codebooks=group.codebooks,
                up=group.up,
                down=group.down,
                centres=(0.5,) * group.members,
                ranges=(2.0,) * group.members,
                lowest=(-limit,) * group.members,
                highest=(limit - 1,) * group.members,
                bits_per_second=1.0,
                bits_per_sample=1.0,
                styles=group.styles,
            )
        )
    signals += [signal(f"X{number}", "other", samples, Coding.EXACT) for number, samples in enumerate(exact)]
    return FileHeader(
        software="eegzip tests",
        edf_header=edf_header,
        sample_bytes=sample_bytes,
        record_duration=record_duration,
        n_records=n_records,
        trailing_bytes=trailing_bytes,
        source_sha256="ab" * 32,
        deviations=("a deviation",),
        chunk_records=chunk_records,
        signals=tuple(signals),
        codecs=tuple(codecs),
        groups=tuple(entries),
        predicted=predicted,
    )


@dataclass(frozen=True)
class Recording:
    """A header and everything that its file must give back.

    ``knots`` holds one array for each signal with adaptive scaling, over the whole recording.
    """

    header: FileHeader
    tokens: list[np.ndarray]
    knots: list[np.ndarray]
    exact: dict[int, np.ndarray]
    trailing: bytes
    summary: FileSummary
    knot_groups: list[int] = field(default_factory=list)

    def chunk_tokens(self, chunk: int, group: int) -> np.ndarray:
        header = self.header
        first, stop = header.grid(group).frames_of_records(*header.records_of_chunk(chunk))
        return self.tokens[group][:, first:stop]

    def chunk_knots(self, chunk: int) -> list[np.ndarray]:
        result = []
        for group, knots in zip(self.knot_groups, self.knots, strict=True):
            first, stop = chunk_knot_range(self.header, chunk, group)
            result.append(knots[first:stop])
        return result

    def chunk_exact(self, chunk: int, signal: int) -> np.ndarray:
        first, stop = self.header.records_of_chunk(chunk)
        return self.exact[signal][first:stop]


def build_recording(header: FileHeader, seed: int = 0) -> Recording:
    """Fill a header with random content; exact signals in turn are a random walk, full-scale noise and text."""
    rng = np.random.default_rng(seed)
    limit = 1 << (8 * header.sample_bytes - 1)
    tokens, knots, knot_groups = [], [], []
    for number, group in enumerate(header.groups):
        grid, codec = header.grid(number), header.codecs[group.codec]
        tokens.append(rng.integers(0, codec.codebook_size, (group.codebooks, grid.n_frames)).astype(np.uint16))
        if codec.scaling == ScalingKind.ADAPTIVE:
            count = grid.n_model_samples // codec.knot_spacing + 3
            for _ in group.signals:
                knots.append(np.cumsum(rng.integers(-1, 2, (count, 2)), axis=0) + np.array([12, -300]))
                knot_groups.append(number)
    exact = {}
    for place, signal in enumerate(header.exact_signals()):
        shape = (header.n_records, header.signals[signal].samples_per_record)
        if place % 3 == 0:
            values = np.cumsum(rng.integers(-9, 10, shape).reshape(-1)).reshape(shape)
        elif place % 3 == 1:
            values = rng.integers(-limit, limit, shape)
        else:
            text = np.frombuffer(b"+0\x14\x14+1\x15" * (shape[0] * shape[1]), np.uint8)[: shape[0] * shape[1]]
            values = (text.astype(np.int64) * 257 if header.sample_bytes == 2 else text).reshape(shape)
        exact[signal] = np.clip(values, -limit, limit - 1).astype(np.int32)
    trailing = rng.integers(0, 256, header.trailing_bytes).astype(np.uint8).tobytes()
    entry = SignalSummary(10, 1.5, None, 0.99, None, 3)
    summary = FileSummary(1000, 10, 20, 30, (entry,) * len(header.signals))
    return Recording(header, tokens, knots, exact, trailing, summary, knot_groups)


def write(recording: Recording, *, pieces: int = 4 << 20) -> bytes:
    """Bytes of the complete file."""
    file = io.BytesIO()
    writer = EegzWriter(file, recording.header)
    for chunk in range(recording.header.n_chunks):
        writer.write_chunk(
            [recording.chunk_tokens(chunk, group) for group in range(len(recording.header.groups))],
            recording.chunk_knots(chunk),
            {signal: recording.chunk_exact(chunk, signal).reshape(-1) for signal in recording.exact},
        )
    for start in range(0, len(recording.trailing), pieces):
        writer.write_trailing(recording.trailing[start : start + pieces])
    assert writer.finish(recording.summary) == len(file.getvalue())
    return file.getvalue()


def check(reader: EegzReader, recording: Recording) -> set[object]:
    """Read everything; return what was refused, and fail if anything that came back differs from the original.

    Items are ``("tokens", chunk, group)``, ``("knots", chunk)``, ``("exact", chunk, signal)``, ``"trailing"``.
    """
    assert reader.header == recording.header
    assert reader.summary is None or reader.summary == recording.summary
    lost: set[object] = set()
    for chunk in range(recording.header.n_chunks):
        for group in range(len(recording.tokens)):
            codes = attempt(reader, lambda c=chunk, g=group: reader.chunk_tokens(c, g))
            if codes is None:
                lost.add(("tokens", chunk, group))
            else:
                np.testing.assert_array_equal(codes, recording.chunk_tokens(chunk, group), strict=True)
        if recording.knots:
            knots = attempt(reader, lambda c=chunk: reader.chunk_knots(c))
            if knots is None:
                lost.add(("knots", chunk))
            else:
                for found, wanted in zip(knots, recording.chunk_knots(chunk), strict=True):
                    np.testing.assert_array_equal(found, wanted)
        for signal in recording.exact:
            values = attempt(reader, lambda c=chunk, s=signal: reader.chunk_exact(c, s))
            if values is None:
                lost.add(("exact", chunk, signal))
            else:
                np.testing.assert_array_equal(values, recording.chunk_exact(chunk, signal), strict=True)
    pieces: list[bytes] = []
    if attempt(reader, lambda: pieces.extend(reader.trailing()) or True):
        assert b"".join(pieces) == recording.trailing
    else:
        assert recording.trailing.startswith(b"".join(pieces))
        lost.add("trailing")
    return lost


def attempt(reader: EegzReader, call: Callable[[], Any]) -> Any:
    """Result of a call, or ``None`` when it is refused with a sentence that names the file."""
    try:
        return call()
    except EegzipError as error:
        sentence = str(error)
    assert str(reader.path) in sentence
    return None


def check_bytes(path: Path, data: bytes, recording: Recording) -> set[object]:
    """Write `data` to `path`, read all of it, and return what was refused."""
    path.write_bytes(data)
    with EegzReader(path) as reader:
        return check(reader, recording)


@dataclass(frozen=True)
class Block:
    """A block as raw material for a forged file."""

    type: bytes
    payload: bytes
    flags: int = 0

    def pack(self, seed: int, sequence: int = 0) -> bytes:
        crc = zlib.crc32(self.payload)
        return layout.BlockHeader(self.type, self.flags, sequence, len(self.payload), crc).pack(seed) + self.payload


def seed_of(blocks: list[Block]) -> int:
    """What the checksums of the blocks after the first, the header, begin with."""
    return zlib.crc32(blocks[0].payload)


def split(data: bytes) -> list[Block]:
    """Blocks of an intact file, the index left out, read without the package's scanner."""
    blocks = []
    offset = layout.SIGNATURE_BYTES
    while data[offset : offset + 4] == layout.SYNC:
        kind, flags = data[offset + 4 : offset + 8], int.from_bytes(data[offset + 8 : offset + 10], "little")
        length = int.from_bytes(data[offset + 16 : offset + 24], "little")
        payload = data[offset + 32 : offset + 32 + length]
        if kind != layout.INDEX:
            blocks.append(Block(kind, payload, flags))
        offset += 32 + length
    return blocks


def reseed(chunk: Block, seed: int) -> Block:
    """Give a chunk's directory the checksum that belongs into a file of this seed."""
    size = int.from_bytes(chunk.payload[:4], "little")
    crc = zlib.crc32(chunk.payload[8 : 8 + size], seed)
    return Block(chunk.type, chunk.payload[:4] + crc.to_bytes(4, "little") + chunk.payload[8:], chunk.flags)


def join(blocks: list[Block], *, index: bool = True) -> bytes:
    """Build a file of these blocks, with matching checksums, index and trailer; the header must come first."""
    seed = seed_of(blocks)
    data = layout.pack_signature()
    places = []
    for number, block in enumerate(blocks):
        places.append(BlockPlace(block.type, len(data), len(block.payload)))
        intact = block.type == layout.CHUNK and len(block.payload) > 8 and block.payload[:8] != b"\xff" * 8
        data += (reseed(block, seed) if intact else block).pack(seed if number else 0, number)
    if index:
        offset = len(data)
        data += Block(layout.INDEX, pack_index(places)).pack(seed, len(blocks)) + layout.pack_trailer(offset)
    return data


def block_offsets(data: bytes) -> list[int]:
    """Where the blocks of an intact file begin, the index last."""
    offsets, offset = [], layout.SIGNATURE_BYTES
    while data[offset : offset + 4] == layout.SYNC:
        offsets.append(offset)
        offset += 32 + int.from_bytes(data[offset + 16 : offset + 24], "little")
    return offsets
