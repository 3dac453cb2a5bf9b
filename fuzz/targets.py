"""What is fuzzed: each target takes bytes, and may end in nothing but an ``EegzipError``."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import sections as parts
from sections import Section

import eegzip
from eegzip.anonymising import anonymize
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.codecs.checkpoints.priors import priors
from eegzip.codecs.networks.linear_network import LinearWeights, is_linear
from eegzip.compression import compress
from eegzip.decompression import decompress
from eegzip.formats.edf import EdfFile, EdfWriter, classify_signals, decode_signal, parse_header, read_timeline
from eegzip.formats.eegz.rotation import unpack_rotation
from eegzip.formats.eegz.seals import Seals
from eegzip.formats.errors import BadInputError, ContainerError, EegzipError
from eegzip.formats.lines.oscillator import synthesise
from eegzip.formats.lines.stream import decode_lines
from eegzip.formats.packed_array import dumps, loads
from eegzip.formats.packing import zstd_compress
from eegzip.formats.predictive.chunk import ExactDecoder
from eegzip.formats.tokens.stream import decode_stream, unpack_parameters
from eegzip.formats.tokens.tables import TokenPrior
from eegzip.formats.transform.corrections import decode_corrections
from eegzip.formats.transform.layer import decode_layer
from eegzip.recording import Recording
from eegzip.repairing import repair
from eegzip.verification import verify

MAX_SAMPLES = 1 << 17
"""Of what a target decodes: inputs should be many."""

_MEMORY = 256 << 20

_room = tempfile.TemporaryDirectory(prefix="eegzip-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
ROOM = Path(_room.name)


def container(data: bytes) -> None:
    """Open, verify, decode and restore a file; what `verify` calls intact must restore."""
    file = parts.put_together(parts.unpack(data))
    _read(file)


def sealed(data: bytes) -> None:
    """The same of a file whose identity is sealed, read with the key."""
    _read(parts.put_together(parts.unpack(data), _seals()), KEY)


KEY = bytes(range(32))


class _Forgetful(set[bytes]):
    """Holds nothing: all these files have one key, and places that are sealed twice, and are thrown away."""

    def __contains__(self, _: object) -> bool:
        return False


@functools.cache
def _seals() -> Seals:
    seals = Seals.new(KEY)
    seals._sealed = _Forgetful()
    return seals


def file(data: bytes) -> None:
    """The same of any bytes, as they are: damage that checksums see, and salvage and repair of it."""
    _read(data)
    path = ROOM / "damaged.eegz"
    path.write_bytes(data)
    with suppress(EegzipError):
        repair(path, ROOM / "repaired.eegz", overwrite=True)
    with suppress(EegzipError):
        decompress(data, io.BytesIO(), salvage=True, max_output=1 << 22, max_memory=_MEMORY)


def _read(file: bytes, key: bytes | None = None) -> None:
    with Recording(file, key=key) as recording:
        header = recording._reader.header
        whole = header.record_bytes * header.n_records
        for use in (lambda: recording.info, lambda: recording.annotations, recording._repr_html_, recording.tokens):
            with suppress(EegzipError):
                if whole < 1 << 24:
                    use()
    if whole >= 1 << 24:
        return
    found = verify(file, max_memory=_MEMORY, key=key)
    if found.intact and not found.unchecked:
        # Not a word of refusal is right now, but about memory.
        with suppress(eegzip.OutOfMemoryError):
            decompress(file, ROOM / "restored.edf", max_memory=_MEMORY, key=key, overwrite=True)


def edf(data: bytes) -> None:
    """Read a recording to its end, write it again, anonymise and compress it."""
    path = ROOM / "recording.edf"
    path.write_bytes(data)
    with EdfFile.open(path) as file:
        header = file.header
        assert parse_header(header.raw) == header
        assert len(classify_signals(header)) == len(header.signals)
        if file.n_records > 1 << 12 or len(header.signals) > 64:
            return
        assert len(read_timeline(file).onsets) == file.n_records
        out = io.BytesIO()
        writer = EdfWriter(out)
        writer.write_header(header.raw)
        for _, block in file.blocks():
            writer.write_records(block)
            for signal in header.signals:
                assert decode_signal(block, header, signal.index).shape == (len(block), signal.samples_per_record)
        writer.write_trailing(file.read_trailing())
        assert out.getvalue() == data
    with suppress(EegzipError):
        anonymize(path, io.BytesIO())
    if zlib.crc32(data) % 16 == 0:  # it takes long
        packed, back = io.BytesIO(), io.BytesIO()
        compress(path, packed, lossless=True)
        decompress(packed.getvalue(), back)
        assert back.getvalue() == data


def _numbers(found: list[Section], count: int) -> list[int]:
    """Numbers of 16 bits that an input begins with."""
    head = found[0].body if found else b""
    return list(struct.unpack_from(f"<{count}H", head.ljust(2 * count, b"\0")))


def lossless(data: bytes) -> None:
    """Decode the lossless streams of a chunk."""
    found = parts.unpack(data)
    width, records, samples, count = _numbers(found, 4)
    width, count = 2 + width % 2, max(1, count % 17)
    if records * samples > MAX_SAMPLES // count:
        return
    streams = {
        int.from_bytes(section.head[1:3], "little"): parts.stream_bytes(section) for section in found[1 : 1 + count]
    }

    def load(signal: int) -> bytes:
        if signal not in streams:
            raise ContainerError("missing")
        return streams[signal]

    decoder = ExactDecoder(load, dict.fromkeys(streams, (records, samples)), width, lambda error: error)
    for signal in streams:
        with suppress(EegzipError):
            values = decoder.decode(signal)
            assert values.shape == (records, samples)
            assert not values.size or np.abs(values.astype(np.int64)).max() <= 1 << (8 * width - 1)


def bounded(data: bytes) -> None:
    """Decode a layer, corrections, lines and a rotation from the same bits."""
    found = parts.unpack(data)
    signals, samples, which, step = _numbers(found, 4)
    body = found[1].body if len(found) > 1 else b""
    signals = 1 + signals % 64
    if not samples or signals * samples > MAX_SAMPLES:
        return
    kind = which % 5
    if kind < 2:
        members, values = decode_layer(body, signals, samples, first=kind == 1)
        assert values.shape == (int(members.sum()), samples)
        assert np.isfinite(values).all()
    elif kind == 2:
        assert decode_corrections(body, samples).shape == (samples,)
    elif kind == 3:
        spacing, knots = 16 + step, 2 + samples % 64
        lines = decode_lines(body, 1 + which // 5 % 16, (1 + step,) * signals, knots, which % 32, spacing)
        assert synthesise(lines, signals, spacing, 0, min(samples, spacing * (knots - 1))).shape[0] == signals
    else:
        assert np.isfinite(unpack_rotation(body, signals)).all()


@functools.cache
def _shipped() -> TokenPrior:
    entry = type("Codec", (), {"prior": None, "model": "eegz-sc-1", "digest": "0" * 64})()
    folder = Path(eegzip.__file__).parent / "checkpoints" / "eegz-sc-1"
    entry.prior = hashlib.sha256((folder / "prior.safetensors").read_bytes()).hexdigest()
    return priors(folder)(entry)


def tokens(data: bytes) -> None:
    """Decode a token stream with the prior that ships, its references being any tokens."""
    found = parts.unpack(data)
    levels, frames, seed, _ = _numbers(found, 4)
    body = found[1].body if len(found) > 1 else b""
    prior = _shipped()
    shape = (1 + levels % prior.levels, frames % 512)
    dice = np.random.default_rng(seed)
    known = {
        group: dice.integers(0, prior.entries, (1 + group % prior.levels, shape[1])).astype(np.uint16)
        for group in unpack_parameters(body).references
    }
    codes = decode_stream(prior, body, shape, prior.entries, known)
    assert codes.shape == shape
    assert ((codes < prior.entries) | (codes == 65535)).all()


def prior(data: bytes) -> None:
    """Read a prior, and decode tokens with it."""
    if len(data) > 1 << 20:
        return
    tables = TokenPrior(data)
    dice = np.random.default_rng(len(data))
    shape = (min(tables.levels, 4), 8)
    for varying in (0, 1):
        body = bytes([varying, 20, 1, 0, 0]) + dice.bytes(400)
        known = {0: dice.integers(0, tables.entries, (1, 8)).astype(np.uint16)}
        with suppress(EegzipError):
            decode_stream(tables, body, shape, tables.entries, known)


def checkpoint(data: bytes) -> None:
    """Load a model whose digests are right, and its weights."""
    found = {section.tag: section.body for section in parts.unpack(data)}
    folder = ROOM / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    text = found.get(b"J", b"")
    with suppress(ValueError, RecursionError):
        config = json.loads(text)
        if isinstance(config, dict):
            config.pop("digest", None)
            for tag, field in ((b"Q", "prior"), (b"D", "joint")):
                digest = hashlib.sha256(found.get(tag, b"")).hexdigest()
                if isinstance(config.get(field), str):
                    config[field] = digest
                elif isinstance(config.get(field), dict) and "weights" in config[field]:
                    config[field]["weights"] = digest
            text = json.dumps(config).encode()
    names = {b"W": "model.safetensors", b"Q": "prior.safetensors", b"D": "joint.safetensors", b"O": "weights-of.txt"}
    (folder / "config.json").write_bytes(text)
    for tag, name in names.items():
        if tag in found:
            (folder / name).write_bytes(found[tag])
    loaded = load_checkpoint(folder)
    arrays = loaded.arrays
    assert all(np.isfinite(value).all() for value in arrays.values())
    with suppress(EegzipError):
        _ = loaded.joint_arrays
    if is_linear(loaded):
        LinearWeights(loaded)


def arrays(data: bytes) -> None:
    """Read packed arrays, and pack them again."""
    found = parts.unpack(data)
    if found and found[0].tag == b"A":  # head and streams, to which length and checksum are added
        head = zstd_compress(found[0].body, 1)
        data = b"\x89EZA\r\n\x1a\n\1" + struct.pack("<I", len(head)) + head
        data += b"".join(parts.stream_bytes(section) for section in found[1:])
        data += struct.pack("<I", zlib.crc32(data))
    values = loads(data)
    if values.size < 1 << 16:
        np.testing.assert_array_equal(loads(dumps(values)), values)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (container, sealed, file, edf, lossless, bounded, tokens, prior, checkpoint, arrays)
}

IN_SECTIONS = frozenset({"container", "sealed", "lossless", "bounded", "tokens", "checkpoint", "arrays"})
"""Targets whose inputs are sections."""


def try_one(target: Callable[[bytes], None], data: bytes) -> None:
    """Run a target; whatever is an error on purpose is none here."""
    with suppress(EegzipError, BadInputError):
        target(data)
