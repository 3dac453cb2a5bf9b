"""Write the seeds from recordings and golden files that ship: ``python fuzz/make_corpus.py``."""

from __future__ import annotations

import random
import struct
import sys
from dataclasses import asdict
from pathlib import Path

import msgpack
import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "tests" / "tokens")]

import sections as parts
from sections import Section
from small_priors import random_tables
from targets import KEY

import eegzip
from eegzip.codecs.checkpoints.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.packed_array import dumps
from eegzip.formats.packing import unpack_map
from eegzip.formats.tokens.tables import pack_prior

GOLDEN = ROOT / "tests" / "golden"
DATA = ROOT / "tests" / "data" / "edf"
RECORDINGS = (
    "no_records.edf", "no_duration.edf", "exponent3.edf", "commas_in_labels.edf", "SC4001EC-Hypnogram.edf",
    "SC4001EC-Hypnogram.bdf", "annotation_texts.edf",
)  # fmt: skip


def _write(target: str, name: str, data: bytes) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def _numbers(*values: int) -> Section:
    return Section(b"P", b"", struct.pack(f"<{len(values)}H", *values))


def _bits(target: str, name: str, numbers: tuple[int, ...], body: bytes) -> None:
    """Write an input of numbers and the bits of a stream."""
    _write(target, name, parts.pack([_numbers(*numbers), Section(b"P", b"", body)]))


def _streams(path: Path) -> None:
    """Streams of the first chunk of a golden file, for the decoders."""
    name = f"{path.parent.name}-{path.stem}"
    found = parts.take_apart(path.read_bytes())
    with EegzReader(path) as reader:
        header = reader.header
        first, stop = header.records_of_chunk(0)
    chunk = next(place for place, section in enumerate(found) if section.tag == parts.CHUNK)
    stop_at = next((i for i in range(chunk + 1, len(found)) if found[i].tag != parts.STREAM), len(found))
    lossless: dict[int, list[Section]] = {}
    for section in found[chunk + 1 : stop_at]:
        kind, number, _ = struct.unpack("<BHB", section.head)
        if kind == StreamKind.EXACT:
            lossless.setdefault(header.signals[number].samples_per_record, []).append(section)
        elif kind in (StreamKind.LAYER, StreamKind.FIRST_LAYER):
            members = header.layer_sets[number].signals
            samples = (stop - first) * header.signals[members[0]].samples_per_record
            body = parts.stream_bytes(section)[-(-len(members) // 8) :]
            which = int(kind == StreamKind.FIRST_LAYER)
            _bits("bounded", f"{name}-layer{number}", (len(members) - 1, samples, which, 0), body)
        elif kind == StreamKind.RESIDUAL and section.body[:1] == b"\0":
            samples = (stop - first) * header.signals[number].samples_per_record
            _bits("bounded", f"{name}-corrections", (0, samples, 2, 0), section.body[2:])
        elif kind == StreamKind.LINES:
            entry = header.line_sets[number]
            which = 3 + 5 * (entry.count - 1)
            _bits("bounded", f"{name}-lines", (len(entry.signals) - 1, 200, which, 100), section.body)
        elif kind == StreamKind.TOKENS and section.body[:1] == b"\3":
            frames = header.grid(number).frames_of_records(first, stop)
            shape = header.groups[number].codebooks - 1, frames[1] - frames[0], 7, 0
            _bits("tokens", f"{name}-{number % 4}", shape, section.body[1:])
    for samples, streams in lossless.items():
        shape = _numbers(header.sample_bytes - 2, stop - first, samples, 16)
        _write("lossless", f"{name}-{samples}", parts.pack([shape, *streams[:6]]))
    for klt in header.klts[:1]:
        _bits("bounded", f"{name}-rotation", (len(klt.groups) - 1, 64, 4, 0), klt.matrix)


def _model() -> bytes:
    """A model of a few hundred weights, which needs no torch to be made."""
    import json

    import safetensors.numpy

    network = NetworkConfig(
        encoder_dim=2, encoder_rates=(2,), latent_dim=2, decoder_dim=2, decoder_rates=(2,), n_codebooks=2,
        codebook_size=8, codebook_dim=2, linear_path=True, search="euclid", final_tanh=False,
    )  # fmt: skip
    prior = pack_prior(random_tables(1, levels=2, entries=8, width=2, hidden=2))
    config = ModelConfig(
        name="small", rate=256.0, network=network, scaling=ScalingConfig("adaptive", 256, 1.0, 8.0), window_frames=40,
        beam=4, prior="0" * 64,
    )  # fmt: skip
    dice, silent = np.random.default_rng(1), ("encoder.block", "decoder.model")
    arrays = {
        "encoder.linear.weight": dice.normal(size=(2, 1, 4)), "decoder.linear.weight": dice.normal(size=(2, 1, 4)),
        **{f"quantizer.quantizers.{level}.codebook.weight": dice.normal(size=(8, 2)) for level in range(2)},
        **{f"{layer}.3.{part}": np.zeros(2) for layer in silent for part in ("weight_g", "bias")},
    }  # fmt: skip
    weights = safetensors.numpy.save({name: value.astype(np.float32) for name, value in arrays.items()})
    text = json.dumps(config.to_json()).encode()
    return parts.pack([Section(b"J", b"", text), Section(b"W", b"", weights), Section(b"Q", b"", prior)])


def _sealed() -> bytes:
    """A file whose identity is sealed, its sealed parts opened."""
    path = GOLDEN / "v1.7" / "sealed" / "identity.eegz"
    with EegzReader(path, key=KEY) as reader:
        assert reader.identity is not None
        identity = {**asdict(reader.identity), "deviations": list(reader.identity.deviations)}
        found = [section for section in parts.take_apart(path.read_bytes()) if section.tag != parts.OTHER]
        chunk = -1
        for place, section in enumerate(found):
            chunk += section.tag == parts.CHUNK
            if section.tag == parts.STREAM and section.head[0] == StreamKind.SEALED_EXACT:
                number = int.from_bytes(section.head[1:3], "little")
                found[place] = parts._stream(StreamKind.SEALED_EXACT, number, reader._sealed(chunk, number))
        trailing = b"".join(reader.trailing())
    lock = {"file": b"?", "slots": [{"kind": "key", "salt": b"?", "wrapped": b"?"}], "sealed": b"?"}
    maps = [Section(parts.IDENTITY, b"", msgpack.packb(identity)), Section(parts.LOCK, b"", msgpack.packb(lock))]
    return parts.pack([*maps, *found, Section(parts.PIECE, bytes(8), trailing)])


def main() -> None:
    """Write all seeds."""
    _write("sealed", "identity", _sealed())
    for path in sorted(GOLDEN.glob("v*/*.eegz")):
        if path.stem in ("cut", "text") or path.parent.name == "sealed":
            continue
        data = path.read_bytes()
        _streams(path)
        if path.stat().st_size > 6000:
            continue
        _write("container", f"{path.parent.name}-{path.stem}", parts.pack(parts.take_apart(data)))
        if path.stat().st_size < 2500:
            _write("file", f"{path.parent.name}-{path.stem}", data)
    for name in RECORDINGS:
        _write("edf", name, (DATA / name).read_bytes()[: 1 << 13])
    for seed, extreme in enumerate((False, True)):
        _write("prior", f"random{seed}", pack_prior(random_tables(seed, extreme=extreme)))
    _write("checkpoint", "small", _model())
    dice = random.Random(1)
    for shape, dtype in (((3, 100), "<i2"), ((200,), "<i4"), ((2, 4), "u1")):
        values = np.array([dice.randrange(100) for _ in range(int(np.prod(shape)))]).reshape(shape).astype(dtype)
        data = dumps(values)
        length = int.from_bytes(data[9:13], "little")
        head = msgpack.packb(unpack_map(data[13 : 13 + length], "head"))
        streams = [Section(parts.STREAM, b"\2\0\0\xff", data[13 + length : -4])]
        _write("arrays", f"{dtype.strip('<')}", parts.pack([Section(b"A", b"", head), *streams]))
    total = sum(path.stat().st_size for path in (HERE / "corpus").rglob("*") if path.is_file())
    print(f"{total / 1000:.0f} kB of eegzip {eegzip.__version__}")


if __name__ == "__main__":
    main()
