"""What users are told of who is EEG, and how they say otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyedflib
import pytest
from api.recordings import SHIPPED
from click.testing import CliRunner, Result

import eegzip
from eegzip.cli.main import main
from eegzip.formats.edf import EdfFile


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def unnamed(tmp_path: Path) -> Path:
    """Two waves of 8 s that no label calls EEG, one of them with a comma, and an ECG."""
    times = np.arange(2048) / 256
    data = np.stack([40 * np.sin(2 * np.pi * f * times) + 5 * np.sin(29 * f * times) for f in (9.1, 10.3, 1.2)])
    eegzip.compress_array(data, 256, ["Foo, left", "Bar", "ECG"], tmp_path / "a.eegz", lossless=True)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    return tmp_path / "a.edf"


def test_where_nothing_is_known_the_option_is_named(unnamed: Path, tmp_path: Path) -> None:
    told = run("compress", unnamed, tmp_path / "b.eegz").stderr
    assert "no signal is known to be EEG by its label, so all are kept exactly: 'Foo, left', 'Bar'" in told
    assert "--lossy 'Foo, left'" in told
    assert "ECG" not in told
    shown = run("info", unnamed).stdout
    assert "its label is not known to be EEG" in shown
    assert "a voltage other than EEG" in shown


def test_the_user_says_what_is_eeg(unnamed: Path, tmp_path: Path) -> None:
    told = run("compress", unnamed, tmp_path / "b.eegz", "--lossy", "Foo, left", "--lossy", "Bar", "--max-prd", 40)
    assert "note" not in told.stderr
    with eegzip.open(tmp_path / "b.eegz") as recording:
        reasons = {signal["label"]: (signal["coding"], signal["reason"]) for signal in recording.info["signals"]}
    assert reasons["Foo, left"] == reasons["Bar"] == ("layers", "coded lossily as asked")
    assert reasons["ECG"] == ("exact", "a voltage other than EEG")


def test_nothing_is_said_of_what_is_asked_for(unnamed: Path, tmp_path: Path) -> None:
    assert "note" not in run("compress", unnamed, tmp_path / "b.eegz", "--lossless").stderr


def test_a_label_with_a_comma_among_channels(unnamed: Path, tmp_path: Path) -> None:
    run("compress", unnamed, tmp_path / "b.eegz", "--lossless")
    run("decompress", tmp_path / "b.eegz", tmp_path / "b.edf", "--channels", r"Foo\, left,ECG")
    with pyedflib.EdfReader(str(tmp_path / "b.edf")) as reader:
        assert reader.getSignalLabels() == ["Foo, left", "ECG"]


def test_eeg_of_an_unknown_unit(tmp_path: Path) -> None:
    raw = bytearray((SHIPPED / "edf" / "unit_micv.edf").read_bytes())
    with EdfFile.open(SHIPPED / "edf" / "unit_micv.edf") as file:
        count = len(file.header.signals)
    begin = 256 + 96 * count
    raw[begin : begin + 8] = b"pigeons "
    source = tmp_path / "a.edf"
    source.write_bytes(raw)
    told = run("compress", source, tmp_path / "a.eegz", "--max-prd", 9).stderr
    assert "'F3' is kept exactly: named as EEG, but its unit 'pigeons' is not a known voltage" in told
    assert "F4" not in told
    told = run("compress", source, tmp_path / "b.eegz", "--max-prd", 9, "--lossy", "F3").stderr
    assert "pigeons" not in told
    with eegzip.open(tmp_path / "b.eegz") as recording:
        assert recording.info["signals"][0]["coding"] == "layers"


def test_a_sleep_montage_loses_nothing_but_eeg(tmp_path: Path) -> None:
    source = SHIPPED / "edf" / "sleep_montage.edf"
    run("compress", source, tmp_path / "a.eegz", "--max-prd", 20)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "a.edf")
    with pyedflib.EdfReader(str(source)) as before, pyedflib.EdfReader(str(tmp_path / "a.edf")) as after:
        for index, label in enumerate(before.getSignalLabels()):
            same = (before.readSignal(index, digital=True) == after.readSignal(index, digital=True)).all()
            assert same == ("_M2" not in label), label
