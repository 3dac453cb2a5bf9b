"""``eegzip plot``: the lines of the picture are the samples, in their place, at the scale that the bar shows."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyedflib
import pytest

import eegzip
from eegzip.formats.edf import EdfFile


@pytest.fixture(scope="module")
def restored(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lossless but for a file of its own, so that two recordings lie over each other."""
    path = tmp_path_factory.mktemp("plot") / "night.eegz"
    eegzip.compress(eegmat, path, lossless=True)
    return path


def samples_of(path: Path, label: str, start: int, stop: int) -> np.ndarray:
    with pyedflib.EdfReader(str(path)) as file:
        index = file.getSignalLabels().index(label)
        rate = round(file.getSampleFrequency(index))
        return file.readSignal(index, start * rate, (stop - start) * rate)


def uv_of(axes: object, line: object) -> np.ndarray:
    """What a line shows, by the bar that stands beside the traces."""
    scale = float(axes.texts[0].get_text().split()[0])
    values = np.asarray(line.get_ydata())
    return (values - np.median(values)) * scale


def test_lines_are_the_samples(eegmat: Path) -> None:
    axes = eegzip.plot(eegmat, start=3, stop=6).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["Fp1", "T7", "O1"]
    assert axes.get_xlim() == (3, 6)
    low, high = axes.get_ylim()
    assert low > high  # negative up
    for line, label in zip(axes.lines[:3], ("EEG Fp1", "EEG T3", "EEG O1"), strict=True):
        expected = samples_of(eegmat, label, 3, 6)
        assert np.allclose(uv_of(axes, line), expected - np.median(expected), atol=1e-6)
        assert np.asarray(line.get_xdata())[[0, -1]] == pytest.approx([3, 6 - 1 / 500])


def test_ten_seconds_or_what_is_left(eegmat: Path) -> None:
    assert eegzip.plot(eegmat, start=12).axes[0].get_xlim() == (12, 22)
    with EdfFile.open(eegmat) as file:
        length = file.n_records * file.header.record_duration
    assert eegzip.plot(eegmat, start=length - 3).axes[0].get_xlim() == (length - 3, length)


def test_both_files_from_the_compressed_one(eegmat: Path, restored: Path) -> None:
    """Between data records and chunks, in the order asked for; the second trace is moved as the first one is."""
    axes = eegzip.plot(eegmat, compare=restored, start=58.25, stop=61.5, channels=["O1", "Fp*"]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["O1", "Fp1"]
    for first, second in (axes.lines[:2], axes.lines[2:4]):
        assert np.array_equal(first.get_ydata(), second.get_ydata())
        assert first.get_linewidth() > second.get_linewidth()


def test_montages(eegmat: Path, tmp_path: Path) -> None:
    """A recording of T7 and P7, Fp1 and F7 as electrodes: the chain of the double banana, and the average."""
    path = tmp_path / "four.edf"
    rate, labels = 100, ["EEG P7", "EEG T3-REF", "F7", "FP1"]
    rows = np.cumsum(np.random.default_rng(1).normal(size=(4, 10 * rate)), axis=1)
    with pyedflib.EdfWriter(str(path), 4, pyedflib.FILETYPE_EDF) as file:
        for number, label in enumerate(labels):
            file.setSignalHeader(number, {"label": label, "dimension": "uV", "sample_frequency": rate, "transducer": "",
                                          "physical_min": -500, "physical_max": 500, "digital_min": -32768,
                                          "digital_max": 32767, "prefilter": ""})  # fmt: skip
        file.writeSamples(list(rows))
    axes = eegzip.plot(path, montage="bipolar").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Fp1-F7", "F7-T7", "T7-P7"]
    expected = rows[3] - rows[2]
    assert np.allclose(uv_of(axes, axes.lines[0]), expected - np.median(expected), atol=0.1)
    axes = eegzip.plot(path, montage="average").axes[0]
    expected = rows[0] - rows.mean(axis=0)
    assert np.allclose(uv_of(axes, axes.lines[3]), expected - np.median(expected), atol=0.1)
    with pytest.raises(eegzip.UsageError, match="neighbours"):
        eegzip.plot(path, montage="bipolar", channels=["P7", "Fp1"])


def test_the_command_writes_both_formats(
    eegmat: Path, restored: Path, tmp_path: Path, run: Callable[..., object]
) -> None:
    with EdfFile.open(eegmat) as file:
        patient, said = file.header.patient, file.header.recording
    for name in ("a.svg", "b.svg"):
        assert run("plot", eegmat, "--compare", restored, "--start", "0:05", "-o", tmp_path / name).returncode == 0
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert text == (tmp_path / "b.svg").read_text("utf-8")
    for word in (">Fp1<", ">0:05<", "uV<", f">{restored.name}<"):
        assert word in text
    assert said not in text
    assert patient.strip("X ") == "" or patient not in text
    assert run("plot", restored, "-c", "O1", "-q", "-o", tmp_path / "a.png").stdout == ""
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_refusals(
    eegmat: Path, short_psg: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"kept")
    assert "use -f" in refused(2, "plot", eegmat, "-o", picture, folder=tmp_path)
    assert ".svg" in refused(2, "plot", eegmat, "-o", tmp_path / "a.pdf", folder=tmp_path)
    missing = refused(2, "plot", eegmat, "-c", "Q9", "-o", tmp_path / "b.png", folder=tmp_path)
    assert "no channel matches 'Q9'" in missing
    assert "not within" in refused(2, "plot", eegmat, "--start", "2h", "-o", tmp_path / "b.png", folder=tmp_path)
    nothing = refused(2, "plot", eegmat, "--start", "1", "--stop", "1.0001", "-o", tmp_path / "b.png", folder=tmp_path)
    assert "no sample between" in nothing
    other = refused(1, "plot", eegmat, "--compare", short_psg, "-o", tmp_path / "b.png", folder=tmp_path)
    assert "compare a recording with its own" in other
    assert "no.edf" in refused(1, "plot", tmp_path / "no.edf", "-o", tmp_path / "b.png", folder=tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr("eegzip.formats.extras.find_spec", lambda name: None if name == "matplotlib" else found(name))
    assert "install eegzip[plot]" in refused(2, "plot", eegmat, "-o", tmp_path / "b.png", folder=tmp_path)
