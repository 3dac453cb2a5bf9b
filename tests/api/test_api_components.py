"""Channels coded as components of their recording: fewer bytes, no more error; parts are as the whole; damage shows."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from api.recordings import ROOT
from pyedflib import EdfReader, EdfWriter

import eegzip
from eegzip.codecs.checkpoints.priors import priors
from eegzip.encoding.klt import _covariance
from eegzip.evaluation.coded_size import coded_bytes
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError, UsageError
from eegzip.formats.fixed_order import gram
from eegzip.formats.tokens.packed import ABSENT

# Subject 18 of EEGMAT, whom no training saw; 20 channels of EEG.
ARITHMETIC = ROOT / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
MODEL, ALONE = "eegz-mc-2", "eegz-sc-1"


@pytest.fixture(scope="module")
def packed(compressed) -> Path:
    return compressed(ARITHMETIC, model=MODEL, chunk_seconds=10, codebooks=8)


def written(path: Path, waves: np.ndarray, rates: list[int]) -> Path:
    """Digital waveforms as a recording: each at its own rate, in a range of its own."""
    with EdfWriter(str(path), len(waves)) as writer:
        header = {"dimension": "uV", "physical_min": -3000, "physical_max": 3000, "digital_min": -30000}
        header |= {"digital_max": 30000, "transducer": "", "prefilter": ""}
        writer.setSignalHeaders(
            [{"label": f"EEG X{i}", "sample_frequency": rate, **header} for i, rate in enumerate(rates)]
        )
        writer.writeSamples([np.rint(wave).astype(np.int32) for wave in waves], digital=True)
    return path


def real(channels: int, seconds: int = 12) -> np.ndarray:
    """Digital waveforms of some channels at 250 Hz."""
    with EdfReader(str(ARITHMETIC)) as reader:
        return np.stack([reader.readSignal(i, 0, 500 * seconds, digital=True)[::2] for i in range(channels)])


def error_of(path: Path) -> float:
    with EegzReader(path) as reader:
        return float(np.mean([s.prd for s in reader.summary.signals if s.prd]))


def test_fewer_bytes_at_no_more_error(compressed):
    """The same number of codebooks stands for about the error that it leaves where every channel is coded alone."""
    together, alone = (compressed(ARITHMETIC, model=model, codebooks=8) for model in (MODEL, ALONE))
    with EegzReader(together) as reader, EegzReader(alone) as other:
        eeg = [i for i, signal in enumerate(reader.header.signals) if signal.coding == "tokens"]
        assert reader.minor_version == 3
        assert other.minor_version == 2
        assert coded_bytes(reader, eeg) < 0.82 * coded_bytes(other, eeg)
    assert error_of(together) <= 1.02 * error_of(alone)


def test_a_part_is_that_part_of_the_whole(packed, tmp_path):
    with eegzip.open(packed) as recording:
        whole = recording.read(["Fp1", "O2", "Cz"])
        part = recording.read(["Cz", "Fp1"], start=13, stop=17.5)
    np.testing.assert_allclose(part, whole[[2, 0], 13 * 500 : 8750], atol=0.11)
    eegzip.decompress(packed, tmp_path / "part.edf", start=13, stop=18, channels=["Cz"])
    with EdfReader(str(tmp_path / "part.edf")) as reader:
        np.testing.assert_allclose(reader.readSignal(0), whole[2, 6500:9000], atol=0.11)


def test_chunks_change_no_token(packed, compressed):
    with eegzip.open(packed) as recording, eegzip.open(compressed(ARITHMETIC, model=MODEL, codebooks=8)) as other:
        for ours, theirs in zip(recording.tokens(), other.tokens(), strict=True):
            np.testing.assert_array_equal(ours.codes, theirs.codes, strict=True)


def test_streams_say_what_they_are_of(packed):
    with eegzip.open(packed) as recording:
        streams = recording.tokens("Cz")
        entry = recording.info["mixtures"][0]
    assert [stream.component for stream in streams] == list(range(20))
    assert all(len(stream.labels) == 20 and "EEG Cz" in stream.labels for stream in streams)
    assert entry["signals"] == list(range(20))
    mixing = np.array([stream.weights for stream in streams]).T / np.array(entry["gains"])[:, None]
    np.testing.assert_allclose(mixing @ mixing.T, np.eye(20), atol=1e-12)
    tokens = [(stream.codes != ABSENT).sum() for stream in streams]
    assert tokens[0] > 2 * tokens[5] > 4 * tokens[19]


def test_silent_components_cost_next_to_nothing(tmp_path):
    """Ten channels that are one waveform: nine components are empty, and so are their streams."""
    wave = real(1)[0] - real(1).mean()
    source = written(tmp_path / "in.edf", np.stack([wave * gain for gain in np.linspace(0.5, 1.4, 10)]), [250] * 10)
    eegzip.compress(source, tmp_path / "out.eegz", model=MODEL, codebooks=12)
    with EegzReader(tmp_path / "out.eegz", priors()) as reader:
        lengths = [reader.directory(0).streams[StreamKind.TOKENS, group].length for group in range(10)]
        depths = [(reader.chunk_tokens(0, group) != ABSENT).sum() for group in range(10)]
    assert depths[0] > 100
    assert sum(depths[1:]) < depths[0] / 10
    assert max(lengths[2:]) <= 8
    assert error_of(tmp_path / "out.eegz") < 20


@pytest.mark.parametrize(("channels", "mixtures"), [(1, []), (2, [2]), (67, [33, 34])])
def test_any_number_of_channels(tmp_path, channels, mixtures):
    waves = real(19, seconds=4)
    mix = np.random.default_rng(channels).dirichlet(np.full(19, 0.3), channels)
    source = written(tmp_path / "in.edf", mix @ waves, [250] * channels)
    eegzip.compress(source, tmp_path / "out.eegz", model=MODEL, codebooks=12)
    with EegzReader(tmp_path / "out.eegz") as reader:
        assert [len(mixture.groups) for mixture in reader.header.klts] == mixtures
    assert error_of(tmp_path / "out.eegz") < 30
    assert eegzip.verify(tmp_path / "out.eegz", deep=True).intact


def test_rates_stay_apart_and_groups_can_be_asked_for(tmp_path):
    waves = real(6)
    source = written(tmp_path / "in.edf", [w[:: 1 + i % 2] for i, w in enumerate(waves)], [250, 125] * 3)

    def parts(groups: str | Path | None) -> list[tuple[int, ...]]:
        eegzip.compress(source, tmp_path / "out.eegz", model=MODEL, groups=groups, overwrite=True)
        with EegzReader(tmp_path / "out.eegz") as reader:
            return [reader.header.sharing(mixture.groups[0]) for mixture in reader.header.klts]

    assert parts(None) == [(0, 2, 4), (1, 3, 5)]
    assert parts("single") == []
    (tmp_path / "groups.txt").write_text("X4, X0\nX1\n")
    assert parts(tmp_path / "groups.txt") == [(0, 4)]
    (tmp_path / "groups.txt").write_text("X0, X1\n")
    with pytest.raises(UsageError, match="different sample rates"):
        parts(tmp_path / "groups.txt")


def test_a_flat_beginning_and_an_artefact(tmp_path):
    """Levels are those of ordinary seconds: a channel that is flat half the time and one that jumps spoil no other."""
    waves = real(4) - real(4).mean(axis=1, keepdims=True)
    waves[0, : waves.shape[1] * 2 // 3] = 0
    waves[1, 1000:1200] += 25000
    source = written(tmp_path / "in.edf", waves, [250] * 4)
    eegzip.compress(source, tmp_path / "out.eegz", model=MODEL)
    with EegzReader(tmp_path / "out.eegz") as reader:
        errors = [signal.prd for signal in reader.summary.signals[:4]]
    assert max(errors[2:]) < 20
    assert max(errors) < 50


def test_damage_costs_a_chunk_and_is_never_silent(packed, restored, tmp_path):
    with EegzReader(packed) as reader:
        place, entry = reader.chunks[2], reader.directory(2).streams[StreamKind.TOKENS, 7]
    data = bytearray(packed.read_bytes())
    data[place.payload_offset + entry.offset] ^= 0x55
    damaged = tmp_path / "damaged.eegz"
    damaged.write_bytes(data)
    assert not eegzip.verify(damaged).intact
    with eegzip.open(damaged) as recording, pytest.raises(ContainerError, match="chunk 2"):
        recording.read(["Fp1"], start=25, stop=26)
    eegzip.decompress(damaged, tmp_path / "rest.edf", salvage=True)
    with EdfFile.open(tmp_path / "rest.edf") as file, EdfFile.open(restored(packed)) as other:
        rest, whole = (np.stack([f.read_signal(i, 0, 500 * 62) for i in range(20)]) for f in (file, other))
    assert not rest[:, 10000:15000].any()
    np.testing.assert_allclose(rest[:, : 500 * 15], whole[:, : 500 * 15], atol=1)


def test_tokens_beneath_a_bound(eegmat, compressed):
    path = compressed(eegmat, model=MODEL, max_prd=9, keep_tokens=True)
    with eegzip.open(path) as recording:
        preview, whole = recording.read(layer=0), recording.read(["Fp1", "C3", "*O*"][:1])
        assert len(recording.info["mixtures"]) == 1
        assert all(signal["worst_chunk_prd"] <= 9 for signal in recording.info["signals"][:3])
    assert np.corrcoef(preview[0], whole[0])[0, 1] > 0.9


def test_a_number_of_bits(eegmat, tmp_path):
    report = eegzip.compress(eegmat, tmp_path / "out.eegz", model=MODEL, bitrate=40)
    assert report.token_bytes * 8 / 3 / report.duration == pytest.approx(40, rel=0.15)


def test_rotations_are_found_in_little_memory(eegmat):
    """Beside the samples as they are stored and as int32: a stretch of seconds at a time, not all of them as floats."""
    with EdfFile.open(eegmat) as file:
        signals = [i for i, signal in enumerate(file.header.signals) if signal.label.startswith("EEG")]
        samples = len(signals) * file.n_samples(signals[0])
        gram(np.ones((2, 2)))
        tracemalloc.start()
        try:
            _covariance(file, signals, np.ones(len(signals)), 500.0, 256.0)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 12 * samples
