"""Features of files, and Temple's folders, made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest

import eegzip
from eegzip.downstream import labelled_features, recording_features, tuab, tuep, window_features
from eegzip.downstream.recordings import read_signals
from eegzip.downstream.temple import ELECTRODES
from eegzip.downstream.windows import cut_windows


def test_samples_are_those_of_pyedflib(eegmat: Path) -> None:
    found = read_signals(eegmat)
    with pyedflib.EdfReader(str(eegmat)) as reader:
        expected = np.stack([reader.readSignal(index) for index in range(3)])
        labels = reader.getSignalLabels()[:3]
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert list(found.channels) == labels
    assert found.rate == 500


def test_other_units_become_microvolts(tmp_path: Path) -> None:
    path = tmp_path / "millivolts.edf"
    wave = 0.05 * np.sin(np.arange(900) / 7) + 0.02
    _write(path, ["EEG C3", "EEG C4"], np.stack([wave, -wave]), unit="mV", limit=1.0)
    np.testing.assert_allclose(read_signals(path).values[0], 1000 * wave, atol=0.04)  # a digit is 0.03 uV


def test_a_compressed_file_has_the_features_of_what_it_restores(eegmat: Path, tmp_path: Path) -> None:
    names = [label.removeprefix("EEG ") for label in read_signals(eegmat).channels[1::-1]]
    eegzip.compress(eegmat, tmp_path / "a.eegz", max_prd=30)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    how: dict[str, Any] = {"channels": names, "domains": ["dft"], "stop": 13.0}
    one, other = recording_features(tmp_path / "a.eegz", **how), recording_features(tmp_path / "a.edf", **how)
    assert one.names == other.names
    assert one.names[0].endswith(str(how["channels"][0]))
    np.testing.assert_allclose(one.values, other.values)
    assert len(one.values) == 2
    assert not np.allclose(one.values, recording_features(eegmat, **how).values, rtol=1e-3)


def test_stretches_trials_and_limits(eegmat: Path) -> None:
    signals = read_signals(eegmat)
    found = recording_features(eegmat, domains=["time"], start=10, stop=40, windows=[1.5, 20.0])
    windows = cut_windows(signals.values[:, 5000:20000], 500.0, starts=[1.5, 20.0])
    np.testing.assert_allclose(found.values, window_features(windows, domains=["time"]).values)
    with pytest.raises(eegzip.BadInputError, match="no window is left below 1 uV"):
        recording_features(eegmat, limit=1.0, stop=12)


def test_channels_are_found_by_electrode_or_refused(eegmat: Path, tmp_path: Path) -> None:
    with pytest.raises(eegzip.BadInputError, match="has no channel 'T9'"):
        read_signals(eegmat, ["T9"])
    path = tmp_path / "twice.edf"
    _write(path, ["EEG C3-REF", "EEG C3-LE"], np.zeros((2, 900)))
    with pytest.raises(eegzip.BadInputError, match="has 2 channels 'C3'"):
        read_signals(path, ["C3"])
    with pytest.raises(eegzip.EegzipError):
        read_signals(tmp_path / "missing.edf")


def test_temples_folders(tmp_path: Path) -> None:
    """TUAB and TUEP with 30 Hz sines, other montages, stray channels, and orders of channels that differ."""
    rng = np.random.default_rng(8)
    for split, label, subject, reference in (
        ("train", "normal", "aaaaaaaa", "01_tcp_ar"),
        ("train", "abnormal", "aaaaaaab", "01_tcp_ar"),
        ("train", "normal", "aaaaaaab", "01_tcp_ar"),  # a second session, found normal
        ("train", "abnormal", "aaaaaaac", "02_tcp_le"),
        ("eval", "normal", "aaaaaaad", "01_tcp_ar"),
        ("eval", "abnormal", "aaaaaaae", "01_tcp_ar"),
    ):
        session = "s002" if (label, subject) == ("normal", "aaaaaaab") else "s001"
        path = tmp_path / "tuab" / "v3.0.1" / "edf" / split / label / reference / f"{subject}_{session}_t000.edf"
        names = [f"EEG {name}-REF" for name in rng.permutation(ELECTRODES)]
        amplitudes = [20.0 + ELECTRODES.index(name[4:-4]) for name in names]
        wave = np.sin(2 * np.pi * 30 * np.arange(1300) / 100)
        _write(path, [*names, "EEG EKG1-REF", "PHOTIC-REF"], np.outer([*amplitudes, 900.0, 0.0], wave))
    for folder in (tmp_path / "tuab", tmp_path / "tuab" / "v3.0.1", tmp_path / "tuab" / "v3.0.1" / "edf"):
        found = tuab(folder)
        assert [(r.subject, r.label, r.split) for r in found] == [
            ("aaaaaaab", "abnormal", "train"), ("aaaaaaaa", "normal", "train"), ("aaaaaaab", "normal", "train"),
            ("aaaaaaae", "abnormal", "eval"), ("aaaaaaad", "normal", "eval"),
        ]  # fmt: skip
    assert len(tuab(tmp_path / "tuab", ["01_tcp_ar", "02_tcp_le"])) == 6
    train = [recording for recording in found if recording.split == "train"]
    examples = labelled_features(train, channels=ELECTRODES, domains=["dft"])
    assert examples.values.shape == (3, 2835)
    assert list(examples.subjects) == ["aaaaaaab", "aaaaaaaa", "aaaaaaab"]
    # Whatever the order in the file, columns are those of the same electrodes.
    np.testing.assert_allclose(examples.values[0], examples.values[1], rtol=0.01, atol=1e-4)


def test_temples_epilepsy_corpus(tmp_path: Path) -> None:
    for place in (
        "00_epilepsy/aaaaaanr/s001_2003/02_tcp_le/aaaaaanr_s001_t000.edf",
        "00_epilepsy/aaaaaanr/s004_2004/01_tcp_ar/aaaaaanr_s004_t001.edf",
        "01_no_epilepsy/aaaaaebo/s001_2006/01_tcp_ar/aaaaaebo_s001_t000.edf",
        "01_no_epilepsy/aaaaaebo/s001_2006/01_tcp_ar/aaaaaebo_s001_t000.csv",
    ):
        path = tmp_path / "v3.0.0" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = tuep(tmp_path)
    assert [(r.subject, r.label, r.split) for r in found] == [
        ("aaaaaanr", "epilepsy", ""), ("aaaaaebo", "no epilepsy", ""),
    ]  # fmt: skip
    assert found[0].path.name == "aaaaaanr_s004_t001.edf"
    assert len(tuep(tmp_path, ["01_tcp_ar", "02_tcp_le"])) == 3
    _write(tmp_path / "le.edf", [f"EEG {name}-LE" for name in ELECTRODES], np.zeros((21, 900)))
    assert read_signals(tmp_path / "le.edf", ELECTRODES).channels == ELECTRODES


def test_folders_that_are_not_temples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(eegzip.BadInputError, match="no folder 'train'"):
        tuab(tmp_path)
    for split in ("train", "eval"):
        for label in ("normal", "abnormal"):
            path = tmp_path / split / label / "01_tcp_ar" / "aaaaaaaa_s001_t000.edf"
            path.parent.mkdir(parents=True)
            path.touch()
    with pytest.raises(eegzip.BadInputError, match="aaaaaaaa is in train and in eval"):
        tuab(tmp_path)
    (tmp_path / "00_epilepsy").mkdir()
    with pytest.raises(eegzip.BadInputError, match="no recordings of both classes"):
        tuep(tmp_path)


def _write(path: Path, labels: list[str], values: np.ndarray, *, unit: str = "uV", limit: float = 1000.0) -> None:
    """An EDF at 100 Hz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyedflib.EdfWriter(str(path), len(labels), file_type=pyedflib.FILETYPE_EDF) as writer:
        for index, label in enumerate(labels):
            writer.setSignalHeader(
                index,
                {
                    "label": label, "dimension": unit, "sample_frequency": 100, "physical_min": -limit,
                    "physical_max": limit, "digital_min": -32768, "digital_max": 32767,
                },
            )  # fmt: skip
        writer.writeSamples(list(np.ascontiguousarray(values)))
