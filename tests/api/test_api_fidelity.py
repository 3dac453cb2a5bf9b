"""The error that a file states is the error that an independent reader finds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyedflib
import pytest
from api.plain_edf import beginning

import eegzip


def physical(path: Path, index: int) -> np.ndarray:
    with pyedflib.EdfReader(str(path)) as reader:
        values: np.ndarray = reader.readSignal(index)
        return values * {"uV": 1.0, "mV": 1e3, "V": 1e6}.get(reader.getPhysicalDimension(index), 1.0)


def check(source: Path, path: Path, back: Path) -> int:
    """Compare what the file states for each lossy channel with what pyedflib's values give; return how many."""
    with eegzip.open(path) as recording:
        stated = recording.info["signals"]
    lossy = [(index, signal) for index, signal in enumerate(stated) if signal["coding"] == "tokens"]
    for index, signal in lossy:
        x, y = physical(source, index), physical(back, index)
        x0, y0, error = x - x.mean(), y - y.mean(), x - y
        prd = 100 * np.sqrt((error**2).sum() / (x0**2).sum())
        assert signal["prd"] == pytest.approx(prd, rel=1e-6)
        assert signal["snr"] == pytest.approx(10 * np.log10((x0**2).sum() / (error**2).sum()), rel=1e-6)
        assert signal["r"] == pytest.approx((x0 * y0).sum() / np.sqrt((x0**2).sum() * (y0**2).sum()), rel=1e-6)
        assert signal["largest_error_uv"] == pytest.approx(np.abs(error).max(), rel=1e-6)
    for signal in stated:
        if signal["coding"] == "exact" and signal["kind"] != "annotations":
            assert signal["prd"] == 0 or signal["prd"] is None
            assert not signal["largest_error_uv"]
    return len(lossy)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("eegmat/Subject16_rest_70s.edf", 3), ("edf/short_psg.bdf", 2), ("edf/test_edf_stim_channel.edf", 20)],
)
@pytest.mark.parametrize("codebooks", [1, None])
def test_what_the_file_states_is_what_pyedflib_finds(
    name: str,
    expected: int,
    codebooks: int | None,
    eegmat: Path,
    compressed: Callable[..., Path],
    tmp_path: Path,
) -> None:
    source = eegmat.parents[1] / name
    path, back = compressed(source, codebooks=codebooks), tmp_path / f"back{source.suffix}"
    eegzip.decompress(path, back)
    assert check(source, path, back) == expected


@pytest.mark.parametrize(
    ("name", "seconds", "expected"), [("eeg/adhd/ADHD_v254.edf", 40, 19), ("eeg/vep/co2a0000364.edf", 10, 64)]
)
def test_also_on_the_development_recordings(
    name: str,
    seconds: int,
    expected: int,
    shared_recording: Callable[[str], Path],
    compressed: Callable[..., Path],
    tmp_path: Path,
) -> None:
    source = beginning(shared_recording(name), tmp_path / "beginning.edf", seconds)
    path, back = compressed(source), tmp_path / "back.edf"
    eegzip.decompress(path, back)
    assert check(source, path, back) >= expected - 3


def test_the_shipped_model_is_a_codec(eegmat: Path, compressed: Callable[..., Path]) -> None:
    """Loose bounds that any checkpoint worth shipping keeps, on a person that it never saw."""
    with eegzip.open(compressed(eegmat)) as recording:
        signals = recording.info["signals"][:3]
        ratio = recording.info["ratio"]
    assert all(signal["prd"] < 60 and signal["r"] > 0.8 for signal in signals)
    assert ratio > 3


def test_report_and_file_agree(eegmat: Path, tmp_path: Path) -> None:
    source = tmp_path / "copy.edf"
    shutil.copy(eegmat, source)
    report = eegzip.compress(source, tmp_path / "file.eegz")
    with eegzip.open(tmp_path / "file.eegz") as recording:
        info = recording.info
    for said, stored in zip(report.signals, info["signals"], strict=True):
        for key in ("label", "coding", "reason", "stored_bytes", "prd", "snr", "r", "largest_error_uv"):
            assert getattr(said, key) == stored[key]
    assert info["compressed_bytes"] == report.compressed_bytes == (tmp_path / "file.eegz").stat().st_size
    assert info["original_bytes"] == report.original_bytes == source.stat().st_size
    assert report.token_bytes + report.exact_bytes + report.overhead_bytes < report.compressed_bytes
    # Of a minute of a few channels; an hour of many is another matter.
    assert 0 < report.overhead_bytes < 0.1 * report.compressed_bytes
