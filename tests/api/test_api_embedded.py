"""A file that carries its model needs nothing else; what it carries is checked as a model's folder is."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from api.plain_edf import beginning
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.codecs.checkpoints import priors, registry
from eegzip.formats.eegz import layout
from eegzip.formats.eegz.embedded import MODEL_FILES, embedded_file, embedded_names, pack_model_file
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.packing import zstd_compress


@pytest.fixture(scope="module")
def short(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds."""
    return beginning(eegmat, tmp_path_factory.mktemp("short") / "in.edf", 6)


@pytest.fixture
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No model is bundled, cached or remembered."""
    monkeypatch.setattr(registry, "BUNDLED", tmp_path / "none")
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(priors, "_LOADED", {})


@pytest.fixture(scope="module")
def compact(short: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file that carries a model of 1.3 MB, and what it restores to with the model at hand."""
    folder = tmp_path_factory.mktemp("compact")
    report = eegzip.compress(short, folder / "a.eegz", model="dac-sc-compact-1", chunk_seconds=3, embed_model=True)
    assert 1_000_000 < report.model_bytes < report.compressed_bytes < report.model_bytes + 10_000
    assert "the model" in report.sentence()
    eegzip.decompress(folder / "a.eegz", folder / "a.edf")
    return folder / "a.eegz", folder / "a.edf"


@pytest.mark.parametrize("model", ["eegz-mc-2", "eegz-sc-2"])
def test_a_file_restores_without_its_model(model: str, short: Path, tmp_path: Path, request) -> None:
    packed, alone = tmp_path / "a.eegz", tmp_path / "alone.eegz"
    eegzip.compress(short, packed, model=model, embed_model=True, verify=True)
    eegzip.compress(short, alone, model=model)
    eegzip.decompress(packed, tmp_path / "a.edf")
    assert packed.read_bytes()[10] == 7
    request.getfixturevalue("nothing_at_hand")
    with pytest.raises(eegzip.ModelError):
        eegzip.decompress(alone, tmp_path / "none.edf")
    eegzip.decompress(packed, tmp_path / "b.edf")
    assert (tmp_path / "b.edf").read_bytes() == (tmp_path / "a.edf").read_bytes()
    found = eegzip.verify(packed, deep=True)
    assert found.intact
    assert not found.unchecked
    with eegzip.open(packed) as one, eegzip.open(alone) as other:
        assert one.info["groups"] == other.info["groups"]
        assert one.read(start=2, stop=3).shape[1] == 500


def test_a_network_too(compact: tuple[Path, Path], tmp_path: Path, nothing_at_hand: None) -> None:
    packed, expected = compact
    eegzip.decompress(packed, tmp_path / "b.edf")
    assert (tmp_path / "b.edf").read_bytes() == expected.read_bytes()


def test_info_says_so_and_reads_no_model(compact: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    inner = EegzReader.read_bytes
    monkeypatch.setattr(EegzReader, "read_bytes", lambda self, *where: read.append(where[1]) or inner(self, *where))
    done = CliRunner().invoke(main, ["info", str(compact[0])])
    assert "carries     the model itself, 1." in done.stdout
    assert "config.json, model.safetensors" in done.stdout
    assert max(read) <= 1
    content = json.loads(CliRunner().invoke(main, ["info", "--json", str(compact[0])]).stdout)
    assert content["embedded_model"]["files"] == ["config.json", "model.safetensors"]
    assert content["format"] == "eegz 1.7"


def test_readers_that_need_no_model_read_none(compact: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("the model was read")

    monkeypatch.setattr("eegzip.decoding.stored_tokens.embedded_checkpoint", refuse)
    with eegzip.open(compact[0]) as recording:
        assert recording.tokens(recording.channels[0])[0].codes.size
        recording.read(start=1, stop=2)  # the model is at hand


def test_what_carries_nothing(short: Path, tmp_path: Path) -> None:
    plain, asked = tmp_path / "plain.eegz", tmp_path / "asked.eegz"
    eegzip.compress(short, plain, lossless=True)
    report = eegzip.compress(short, asked, lossless=True, embed_model=True)
    assert asked.read_bytes() == plain.read_bytes()
    assert report.model_bytes == 0
    assert any("carries no model" in note for note in report.notes)


def test_a_model_that_is_too_large_is_refused(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eegzip.codecs.checkpoints.embedded.MAX_EMBEDDED_BYTES", 1 << 20)
    for model in ("dac-sc-compact-1", "eegz-mc-2"):
        with pytest.raises(eegzip.UsageError, match="larger than a file may carry"):
            eegzip.compress(short, tmp_path / "a.eegz", model=model, embed_model=True)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_file_has_it_still_and_repair_keeps_it(
    compact: tuple[Path, Path], tmp_path: Path, nothing_at_hand: None
) -> None:
    packed, expected = compact
    with EegzReader(packed) as reader:
        cut = reader.chunks[1].offset
    (tmp_path / "cut.eegz").write_bytes(packed.read_bytes()[:cut])
    report = eegzip.decompress(tmp_path / "cut.eegz", tmp_path / "cut.edf", salvage=True)
    assert report.lost_records == ((3, 5),)
    data = bytearray(packed.read_bytes())
    data[-1] ^= 1
    (tmp_path / "broken.eegz").write_bytes(data)
    eegzip.repair(tmp_path / "broken.eegz", tmp_path / "mended.eegz")
    assert (tmp_path / "mended.eegz").read_bytes()[10] == 7
    assert eegzip.verify(tmp_path / "mended.eegz").intact
    eegzip.decompress(tmp_path / "mended.eegz", tmp_path / "b.edf")
    assert (tmp_path / "b.edf").read_bytes() == expected.read_bytes()


def rebuilt(packed: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    """A file that carries other payloads in place of its model's, its checksums right."""
    data = packed.read_bytes()
    with EegzReader(packed) as reader:
        places, seed, small = reader.blocks.places, reader.blocks.seed, reader.header.small
    out, written = bytearray(data[:16]), []
    for place in places:
        old = layout.unpack_block_header(data[place.offset : place.offset + 32], seed)
        payload = data[place.payload_offset : place.payload_offset + place.length]
        if place.type == layout.MODEL and MODEL_FILES[payload[0]] in change:
            changed = change[MODEL_FILES[payload[0]]]
            if changed is None:
                continue
            payload = changed
        header = layout.BlockHeader(place.type, old.flags, len(written), len(payload), zlib.crc32(payload))
        written.append(BlockPlace(place.type, len(out), len(payload)))
        out += header.pack(seed) + payload
    index = pack_index(written, small)
    block = layout.BlockHeader(layout.INDEX, 0, len(written), len(index), zlib.crc32(index))
    target.write_bytes(bytes(out) + block.pack(seed) + index + layout.pack_trailer(len(out)))
    return target


def hostile(packed: Path) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    with EegzReader(packed) as reader:
        assert embedded_names(reader) == ["config.json", "model.safetensors"]
        config, weights = (embedded_file(reader, name) or b"" for name in MODEL_FILES[:2])
    other = bytearray(weights)
    other[-3] ^= 1
    yield "another model", {"model.safetensors": pack_model_file("model.safetensors", bytes(other))}
    stated = {key: value for key, value in json.loads(config).items() if key != "digest"}
    yield (
        "another model",
        {
            "config.json": pack_model_file("config.json", json.dumps(stated | {"name": "other"}).encode()),
        },
    )
    yield "no JSON", {"config.json": pack_model_file("config.json", b"[" * 100_000)}
    yield "no safetensors", {"model.safetensors": pack_model_file("model.safetensors", b"\xff" * 1000)}
    yield "more than can be", {"model.safetensors": bytes([1]) + zstd_compress(bytes((1 << 24) + 1), 3)}
    yield "not at hand", {"model.safetensors": None}
    yield "can't be|more than can be", {"model.safetensors": b"\x01no frame"}
    yield "belong|can't be|more than can be", {"config.json": b"\x00"}


def test_what_is_carried_is_checked(compact: tuple[Path, Path], tmp_path: Path, nothing_at_hand: None) -> None:
    packed, _ = compact
    cases = list(hostile(packed))
    for number, (_, change) in enumerate(cases):
        path = rebuilt(packed, tmp_path / f"{number}.eegz", change)
        with pytest.raises((eegzip.ModelError, eegzip.ContainerError)):
            eegzip.decompress(path, tmp_path / "b.edf")
        assert not (tmp_path / "b.edf").exists()
        found = eegzip.verify(path)
        assert not found.intact or found.unchecked


def test_damage_to_the_model_costs_nothing_where_it_is_at_hand(compact: tuple[Path, Path], tmp_path: Path) -> None:
    packed, expected = compact
    for number, (_, change) in enumerate(hostile(packed)):
        path = rebuilt(packed, tmp_path / f"{number}.eegz", change)
        eegzip.decompress(path, tmp_path / "b.edf", overwrite=True)
        assert (tmp_path / "b.edf").read_bytes() == expected.read_bytes()
        if change != {"model.safetensors": None}:
            assert not eegzip.verify(path).intact
