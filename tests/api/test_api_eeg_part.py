"""Bounds in percent on recordings as the world makes them: offset, drift and mains pay for nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from api.dc_recordings import RATE, drifting, real_eeg
from api.plain_edf import PlainEdf, build, sample_bytes
from scipy.signal import butter, iirnotch, sosfiltfilt, tf2sos

import eegzip


def hundredths(path: Path, values: list[np.ndarray], duration: str = "1") -> Path:
    """Write channels of 0.01 uV a digital unit; values [records, samples]."""
    ends = {"unit": "uV", "pmin": -327.68, "pmax": 327.67, "dmin": -32768, "dmax": 32767}
    return build(
        path, [{"label": f"EEG C{3 + n}", "values": row, **ends} for n, row in enumerate(values)], duration=duration
    )


def eeg_of(rows: np.ndarray) -> np.ndarray:
    """Above 0.5 Hz and beside 50 and 60 Hz, by filters of scipy, without the second at either end."""
    sections = [butter(2, 0.5, "highpass", fs=RATE, output="sos")]
    sections += [tf2sos(*iirnotch(hertz, hertz / 3, RATE)) for hertz in (50.0, 60.0)]
    return sosfiltfilt(np.concatenate(sections), rows, axis=1)[:, RATE:-RATE]


@pytest.mark.parametrize("hertz", [50.0, 60.0])
@pytest.mark.parametrize("options", [{"max_prd": 9.0}, {"min_snr": 20.0, "max_error": 30.0}])
def test_the_eeg_is_within_the_bound_by_other_filters_too(
    tmp_path: Path, hertz: float, options: dict[str, float]
) -> None:
    """40 uV of mains and 100 uV of drift on 20 mV, under and beside 10 uV of EEG."""
    source = drifting(tmp_path / "a.bdf", mains=40.0, hertz=hertz)
    report = eegzip.compress(source, tmp_path / "a.eegz", **options)
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "back.bdf")
    x, y = (
        np.stack([PlainEdf.read(path).digital(n).astype(float) for n in range(3)])
        for path in (source, tmp_path / "back.bdf")
    )
    found = 100 * np.linalg.norm(eeg_of(x - y), axis=1) / np.linalg.norm(eeg_of(x), axis=1)
    percent = options.get("max_prd", 10.0)
    # The filters differ near 0.5 Hz and the lines.
    assert (found < 1.1 * percent).all()
    assert (found > 0.7 * percent).any() or "max_error" in options
    assert all(signal.coding == "layers" for signal in report.signals)
    assert "of the EEG above 0.5 Hz beside mains" in report.sentence()


def test_a_removed_eeg_is_graded_as_removed(tmp_path: Path) -> None:
    """Only the drift is kept: nearly nothing of the whole is lost, and all of the EEG."""
    source, other = drifting(tmp_path / "a.bdf"), tmp_path / "b.bdf"
    edf = PlainEdf.read(source)
    rows = np.stack([edf.digital(n) for n in range(3)]).astype(float)
    drift = np.rint(sosfiltfilt(butter(2, 0.4, fs=RATE, output="sos"), rows, axis=1)).astype(int)
    samples = sample_bytes(drift.reshape(3, -1, RATE).swapaxes(0, 1).reshape(-1, 3 * RATE), 3)
    other.write_bytes(edf.raw[: edf.header_bytes] + samples.tobytes())
    report = eegzip.evaluate(source, other)
    assert report.tier.prd is not None
    assert report.tier.prd < 1
    assert report.tier.letter_without_ratio == "-"
    assert all(channel.measures.eeg_prd == pytest.approx(100, abs=6) for channel in report.channels)
    assert "of the EEG above 0.5 Hz beside mains" in report.sentence()


def test_padded_seconds_make_no_worst_second(tmp_path: Path) -> None:
    rows = np.rint(100 * real_eeg(2, 8)).astype(int)
    rows[:, 6 * RATE :] = rows[:, 6 * RATE, None]
    source = hundredths(tmp_path / "a.edf", list(rows.reshape(2, 8, RATE)))
    report = eegzip.compress(source, tmp_path / "a.eegz", max_prd=20, chunk_seconds=7)
    # The last chunk is flat: exact, and no error of it counts.
    assert all(signal.chunks == {"exact": 1, "layer": 1} for signal in report.signals)
    found = eegzip.evaluate(source, tmp_path / "a.eegz")
    assert "2 s flat left out" in found.sentence()
    for channel in found.channels:
        assert channel.measures.flat_seconds == 2
        assert channel.measures.worst_second_prd is not None
        assert channel.measures.worst_second_prd < 60


@pytest.mark.parametrize("kind", ["ramp", "disconnected"])
def test_a_silent_channel_is_kept_within_less_than_a_digit(tmp_path: Path, kind: str) -> None:
    """Nothing above 0.5 Hz but rounding: then the bound leaves no error."""
    time = np.arange(20 * RATE)
    quiet = time // 3 if kind == "ramp" else np.random.default_rng(1).integers(-1, 2, len(time)) + time // 40
    values = [quiet, np.rint(100 * real_eeg(1, 20)[0]).astype(int)]
    source = hundredths(tmp_path / "a.edf", [row.reshape(-1, RATE) for row in values])
    report = eegzip.compress(source, tmp_path / "a.eegz", max_prd=9)
    assert report.signals[0].largest_error_uv == 0
    assert report.signals[1].worst_chunk_eeg_prd is not None
    assert 7 < report.signals[1].worst_chunk_eeg_prd <= 9


def test_eeg_of_any_rate_is_bounded(tmp_path: Path) -> None:
    """Bounds need no network, which wants 64 Hz."""
    rows = np.rint(100 * real_eeg(2, 40)[:, ::4]).astype(int)
    source = hundredths(tmp_path / "a.edf", [row.reshape(-1, 32) for row in rows])
    report = eegzip.compress(source, tmp_path / "a.eegz", max_prd=9)
    assert [signal.coding for signal in report.signals] == ["layers", "layers"]
    assert all(8 < (signal.worst_chunk_eeg_prd or 0) <= 9 for signal in report.signals)
    assert not report.notes
    kept = eegzip.compress(source, tmp_path / "b.eegz", max_prd=9, keep_tokens=True)
    assert all("under 64 Hz" in signal.reason for signal in kept.signals)


@pytest.mark.parametrize("options", [{}, {"max_prd": 9.0}, {"max_error": "2uV"}, {"quality": "compact"}])
def test_ten_samples_take_no_more_than_lossless(tmp_path: Path, options: dict[str, object]) -> None:
    values = np.rint(100 * real_eeg(1, 1)[0, :10]).astype(int).reshape(1, 10)
    source = hundredths(tmp_path / "a.edf", [values], "0.05")
    report = eegzip.compress(source, tmp_path / "a.eegz", **options)
    exact = eegzip.compress(source, tmp_path / "b.eegz", lossless=True)
    assert report.compressed_bytes == (tmp_path / "a.eegz").stat().st_size <= exact.compressed_bytes
    eegzip.decompress(tmp_path / "a.eegz", tmp_path / "back.edf")
    assert (tmp_path / "back.edf").read_bytes() == source.read_bytes()
    assert report.notes == ("everything is kept exactly, as that takes fewer bytes of so short a recording",)
    assert "kept exactly: everything" in report.sentence()
    assert "no channel" not in report.sentence()


@pytest.mark.parametrize("largest", [0.0, "10nV"])
def test_finer_than_a_digit_is_lossless(tmp_path: Path, largest: float | str) -> None:
    source = drifting(tmp_path / "a.bdf")
    report = eegzip.compress(source, tmp_path / "a.eegz", max_error=largest)
    eegzip.compress(source, tmp_path / "b.eegz", lossless=True)
    assert (tmp_path / "a.eegz").read_bytes() == (tmp_path / "b.eegz").read_bytes()
    assert report.targets is None
    assert not report.notes


def test_notes_name_the_network_where_there_is_one(tmp_path: Path) -> None:
    """A loose bound on every sample leaves little of a quiet channel: no advice about a network helps."""
    rows = real_eeg(2, 10)
    rows[1] *= 0.1
    source = hundredths(tmp_path / "a.edf", [np.rint(100 * row).astype(int).reshape(-1, RATE) for row in rows])
    report = eegzip.compress(source, tmp_path / "a.eegz", max_error="4uV")
    assert len(report.notes) == 1
    assert "'EEG C4'" in report.notes[0]
    assert "allow less" in report.notes[0]
    assert "--rate" not in report.notes[0]
