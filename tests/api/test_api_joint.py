"""Channels decoded together: nearer than alone, the same whatever is asked for, and never worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from api.joint_models import save_joint, small_decoder
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader

EEG = ["EEG*"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_joint(tmp_path_factory.mktemp("joint") / "small-joint", small_decoder()).folder


@pytest.fixture(scope="module")
def joint(eegmat: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 s of three channels: two windows, five chunks."""
    target = tmp_path_factory.mktemp("files") / "joint.eegz"
    eegzip.compress(eegmat, target, model=model, codebooks=3, chunk_seconds=15)
    return target


@pytest.fixture(scope="module")
def plain(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("files") / "plain.eegz"
    eegzip.compress(eegmat, target, model="eegz-sc-1", codebooks=3, chunk_seconds=15)
    return target


def read(path: Path, model: Path | str | None = None, *, alone: bool = False, **options: object) -> np.ndarray:
    with eegzip.open(path, model=model, alone=alone) as recording:
        return recording.read(**{"channels": EEG, **options})


def test_same_tokens_hardly_a_byte_more_and_nearer(joint: Path, plain: Path, model: Path) -> None:
    with EegzReader(joint) as together, EegzReader(plain) as alone:
        assert together.minor_version == 5
        assert together.refined == {0, 1, 2}
        mine, theirs = together.summary, alone.summary
        assert mine.token_bytes == theirs.token_bytes
        assert together.size - alone.size < 60
        assert all(a.prd < 0.999 * b.prd for a, b in zip(mine.signals[:3], theirs.signals[:3], strict=True))
    with eegzip.open(joint, model=model) as mine, eegzip.open(plain) as theirs:
        for one, other in zip(mine.tokens(), theirs.tokens(), strict=True):
            np.testing.assert_array_equal(one.codes, other.codes)


def test_stated_figures_are_those_of_what_is_restored(joint: Path, model: Path, eegmat: Path, tmp_path: Path) -> None:
    eegzip.decompress(joint, tmp_path / "back.edf", model=model)
    found = eegzip.evaluate(eegmat, tmp_path / "back.edf").channels
    measured = {channel.label: channel.measures.prd for channel in found}
    with eegzip.open(joint, model=model) as recording:
        for signal in recording.info["signals"][:3]:
            assert measured[signal["label"]] == pytest.approx(signal["prd"], rel=1e-4)


def test_alone_is_what_the_tokens_gave_before(joint: Path, plain: Path, model: Path) -> None:
    np.testing.assert_array_equal(read(joint, model, alone=True), read(plain))
    assert not np.array_equal(read(joint, model), read(plain))


def test_any_part_is_part_of_the_whole(joint: Path, model: Path) -> None:
    whole = read(joint, model)
    np.testing.assert_array_equal(read(joint, model, channels=["EEG*"], start=31, stop=42), whole[:, 15500:21000])
    with eegzip.open(joint, model=model) as recording:
        label = recording.channels[1]
        np.testing.assert_array_equal(recording.read([label], start=60)[0], whole[1, 30000:])


def test_chunks_do_not_show(joint: Path, model: Path, eegmat: Path, tmp_path: Path) -> None:
    eegzip.compress(eegmat, tmp_path / "other.eegz", model=model, codebooks=3, chunk_seconds=41)
    np.testing.assert_array_equal(read(tmp_path / "other.eegz", model), read(joint, model))


def test_a_decoder_that_harms_is_not_used(plain: Path, eegmat: Path, tmp_path: Path) -> None:
    bad = save_joint(tmp_path / "bad", small_decoder(spread=3.0)).folder
    eegzip.compress(eegmat, tmp_path / "bad.eegz", model=bad, codebooks=3, chunk_seconds=15)
    with EegzReader(tmp_path / "bad.eegz") as reader:
        assert reader.refined == frozenset()
    np.testing.assert_array_equal(read(tmp_path / "bad.eegz", bad), read(plain))


def test_damage_costs_its_chunk_and_the_refinement_beside_it(joint: Path, model: Path, tmp_path: Path) -> None:
    with EegzReader(joint) as reader:
        place = reader.chunks[0].payload_offset + reader.directory(0).streams[StreamKind.TOKENS, 0].offset
    data = bytearray(joint.read_bytes())
    data[place] ^= 255
    damaged = tmp_path / "damaged.eegz"
    damaged.write_bytes(data)
    report = eegzip.decompress(damaged, tmp_path / "rest.edf", salvage=True, model=model)
    assert [(lost.signal, lost.records) for lost in report.lost_signals] == [(0, ((0, 14),))]
    eegzip.decompress(joint, tmp_path / "whole.edf", model=model)
    eegzip.decompress(joint, tmp_path / "alone.edf", model=model, alone=True)
    rows = []
    for name in ("rest", "whole", "alone"):
        with EdfFile.open(tmp_path / f"{name}.edf") as file:
            rows.append(file.read_signal(0, 0, 35000))
    # The window of the lost chunk ends at about 36 s; what follows is refined as ever.
    np.testing.assert_array_equal(rows[0][12000:17000], rows[2][12000:17000])
    np.testing.assert_array_equal(rows[0][20000:], rows[1][20000:])


def test_without_summary_channels_are_decoded_alone(joint: Path, model: Path, plain: Path, tmp_path: Path) -> None:
    with EegzReader(joint) as reader:
        end = next(p.offset for p in reader.blocks.places if p.type == b"SUMM")
    cut = tmp_path / "cut.eegz"
    cut.write_bytes(joint.read_bytes()[:end])
    with EegzReader(cut) as reader:
        assert any("decoded alone" in problem for problem in reader.problems)
    np.testing.assert_array_equal(read(cut, model), read(plain))


def test_bounded_layers_take_no_part(model: Path, eegmat: Path, tmp_path: Path) -> None:
    target = tmp_path / "bounded.eegz"
    eegzip.compress(eegmat, target, model=model, codebooks=3, max_prd=9, keep_tokens=True)
    with EegzReader(target) as reader:
        assert not reader.header.codecs[0].joint
        assert reader.refined == frozenset()


def test_command_line(joint: Path, model: Path, tmp_path: Path, plain: Path) -> None:
    run = CliRunner().invoke
    told = run(main, ["info", str(joint)])
    assert "3 of 3 channels refined by the others; one of them takes the tokens of all 3" in told.output
    options = ["--alone", "--model", str(model), "-q"]
    assert run(main, ["decompress", str(joint), str(tmp_path / "a.edf"), *options]).exit_code == 0
    eegzip.decompress(plain, tmp_path / "b.edf")
    assert (tmp_path / "a.edf").read_bytes() == (tmp_path / "b.edf").read_bytes()
    assert run(main, ["verify", str(joint), "--deep", "--model", str(model)]).exit_code == 0
