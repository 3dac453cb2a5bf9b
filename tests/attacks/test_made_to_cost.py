"""Files that say much in a few bytes: they cost what their bytes explain, or are refused."""

from __future__ import annotations

import json
import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

import eegzip
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.codecs.checkpoints.registry import available
from eegzip.codecs.checkpoints.weights import MAX_HEADER_BYTES, check_open
from eegzip.codecs.networks.official_weights import is_descript
from eegzip.formats.errors import ContainerError, ModelError, OutOfMemoryError
from eegzip.formats.limits import MAX_CONTEXT_TOKENS
from eegzip.formats.tokens.stream import check_shape, most_tokens
from eegzip.formats.tokens.tables import PriorTables, TokenPrior, pack_prior

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "eegz"), str(TESTS.parent / "fuzz")]
import sections as parts  # noqa: E402 - in the folder of the fuzzer
from hostility import memory_below  # noqa: E402 - in the folder of other tests

TOKENS = TESTS / "golden" / "v1.2" / "tokens.eegz"


def said_otherwise(**fields: Any) -> bytes:
    """A file of tokens that are right, with other fields in its header, and every checksum right."""
    found = parts.take_apart(TOKENS.read_bytes())
    header = {**msgpack.unpackb(found[0].body), **fields}
    return parts.put_together([parts.Section(parts.HEAD, found[0].head, msgpack.packb(header)), *found[1:]])


@pytest.mark.parametrize("duration", [1e-300, 5e-324, 1e-290, 1e290])
def test_records_of_no_time_or_of_all_time(duration: float, tmp_path: Path) -> None:
    """How many chunks lie within the network's reach is no number then, and nothing to count."""
    (tmp_path / "a.eegz").write_bytes(said_otherwise(record_duration=duration))
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    eegzip.decompress(TOKENS, tmp_path / "b.edf")
    assert (tmp_path / "a.edf").read_bytes() == (tmp_path / "b.edf").read_bytes()


def flood(up: int, records: int) -> bytes:
    """Some signals of two samples a second, of a model that is `up` times as fast: a flat line."""
    header = msgpack.unpackb(parts.take_apart(TOKENS.read_bytes())[0].body)
    fields = ["0", "X", "X", "01.01.20", "00.00.00", "512", "", str(records), "1", "1"]
    signal = ["EEG Cz", "", "uV", "-100", "100", "-32768", "32767", "", "2", ""]
    widths = [8, 80, 80, 8, 8, 8, 44, 8, 8, 4, 16, 80, 8, 8, 8, 8, 8, 80, 8, 32]
    header["edf_header"] = "".join(map(str.ljust, [*fields, *signal], widths)).encode()
    header["signals"] = [{**header["signals"][0], "samples_per_record": 2, "sample_rate": 2.0}]
    header["groups"] = [{**header["groups"][0], "codebooks": 1, "up": up, "down": 1}]
    header["codecs"] = [{**header["codecs"][0], "scaling": "fixed", "knot_spacing": 0}]
    header.update(n_records=records, chunk_records=records)
    frames = -(-2 * records * up // 128) + 1
    chunk = parts.Section(parts.CHUNK, b"", bytes([0, 0]) + bytes([records]))
    stream = parts.Section(parts.STREAM, struct.pack("<BHB", 1, 0, 1), b"\1" + bytes(frames))
    return parts.put_together([parts.Section(parts.HEAD, b"\1", msgpack.packb(header)), chunk, stream])


def test_waveforms_thousands_of_times_as_fast_as_their_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    with memory_below(8 << 20), pytest.raises(OutOfMemoryError, match="max-memory"):
        eegzip.decompress(flood(65536, 100), BytesIO())
    ordinary = flood(2000, 100)
    whole, pieces = BytesIO(), BytesIO()
    eegzip.decompress(ordinary, whole)
    monkeypatch.setattr("eegzip.codecs.signal.synthesis._MODEL_SAMPLES", 1)
    eegzip.decompress(ordinary, pieces)
    assert len(set(whole.getvalue()[512:])) > 10
    assert pieces.getvalue() == whole.getvalue()


def prior(entries: int = 256, width: int = 4, hidden: int = 1) -> PriorTables:
    """Tables of the shapes that SPEC.md has, of nothing but ones."""
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "words": (np.int16, (1, entries, width)),
        **dict.fromkeys(("match", "norm"), (np.int16, (1, width, entries))),
        "rest": (np.int32, (1, width)),
        **dict.fromkeys(("gain", "norm_gain"), (np.int32, (1, 2, width))),
        "bias": (np.int16, (1, 2, entries)),
        **dict.fromkeys(("own", "before", "beside"), (np.int8, (1, entries, hidden))),
        "energy": (np.int8, (2, 24, hidden)),
        "level": (np.int16, (1, hidden)),
        "out": (np.int8, (1, hidden, entries)),
        "start": (np.int32, (2, width)),
        "lowest_class": (np.int32, (1,)),
        "bands": (np.int8, (width,)),
    }
    return PriorTables(**{name: np.ones(shape, kind) for name, (kind, shape) in shapes.items()})


def test_tables_of_a_prior_take_no_more_than_its_file() -> None:
    content = pack_prior(prior())
    assert TokenPrior(content).entries == 256
    size = int.from_bytes(content[:8], "little")
    entries, body = json.loads(content[8 : 8 + size]), bytes(8 << 20)
    everything = {"dtype": "I8", "shape": [len(body)], "data_offsets": [0, len(body)]}
    for header in (
        {**entries, **{f"another {number}": everything for number in range(500)}},
        dict.fromkeys(entries, everything),
    ):
        text = json.dumps(header).encode()
        bomb = struct.pack("<Q", len(text)) + text + body
        with memory_below(20 << 20), pytest.raises(ModelError, match="prior"):
            TokenPrior(bomb)


def test_a_prior_of_a_stranger_takes_no_hours() -> None:
    """Whatever ships may be asked for as many tokens as ever; a giant for as few as take as long."""
    for folder in available().values():
        if (folder / "prior.safetensors").exists():
            shipped = TokenPrior((folder / "prior.safetensors").read_bytes())
            assert most_tokens(shipped) == MAX_CONTEXT_TOKENS
    giant = TokenPrior(pack_prior(prior(32768, 80)))
    most = most_tokens(giant)
    assert 10_000 < most < 20_000
    check_shape(giant, (1, most), 32768)
    with pytest.raises(ContainerError, match=f"more than {most} tokens"):
        check_shape(giant, (1, most + 1), 32768)


def test_a_header_of_weights_is_no_place_for_a_million_things() -> None:
    text = b'{"a":[' + b",".join([b"[]"] * (MAX_HEADER_BYTES // 3)) + b"]}"
    content = struct.pack("<Q", len(text)) + text
    with memory_below(1 << 20), pytest.raises(ModelError, match="no safetensors file"):
        check_open(BytesIO(content), len(content), Path("model.safetensors"))
    for folder in available().values():
        weights = folder / "model.safetensors"
        if weights.exists():
            content = weights.read_bytes()
            assert int.from_bytes(content[:8], "little") < MAX_HEADER_BYTES // 20
            check_open(BytesIO(content), len(content), weights)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no device that never ends")
@pytest.mark.parametrize(
    ("model", "name"),
    [(1, "config.json"), (1, "model.safetensors"), (1, "prior.safetensors"), (2, "joint.safetensors")],
)
def test_models_with_links_to_what_never_ends(model: int, name: str, tmp_path: Path) -> None:
    for path in available()[f"eegz-sc-{model}"].iterdir():
        if path.name != name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).symlink_to("/dev/zero")
    with memory_below(96 << 20), pytest.raises(ModelError):
        load_checkpoint(tmp_path)
    if name == "config.json":
        with memory_below(8 << 20):
            assert not is_descript(tmp_path)
