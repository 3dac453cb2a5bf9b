"""Every figure against what its definition says, on signals for which that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eegzip.evaluation.eeg_part import eeg_part
from eegzip.evaluation.metrics import BANDS, measure
from eegzip.formats.edf import EdfFile

RATE = 256
TIME = np.arange(20 * RATE) / RATE


def waves(**amplitudes: float) -> np.ndarray:
    """A wave in the middle of each band named."""
    middles = {"delta": 2.25, "theta": 6.0, "alpha": 10.5, "beta": 21.5, "gamma": 37.5}
    parts = [size * np.sin(2 * np.pi * middles[band] * TIME) for band, size in amplitudes.items()]
    return np.rint(np.sum(parts, axis=0)).astype(np.int32)


def test_a_perfect_copy() -> None:
    x = waves(delta=1000, alpha=500)
    found = measure(x, x, RATE)
    assert (found.prd, found.snr, found.r, found.worst_second_prd, found.largest_error) == (0, None, 1, 0, 0)
    assert found.spectrogram_loss == 0
    assert all(found.band_power[band] == pytest.approx(0, abs=1e-9) for band in ("delta", "alpha"))


def test_prd_removes_the_original_mean_and_counts_an_error_of_the_mean() -> None:
    x = waves(alpha=1000) + 20000
    assert measure(x, x + 100, RATE).prd == pytest.approx(100 * 100 / (1000 / np.sqrt(2)), rel=1e-3)
    assert measure(x, x + 100, RATE).snr == pytest.approx(20 * np.log10(1000 / np.sqrt(2) / 100), rel=1e-3)
    assert measure(x, x + 100, RATE).r == pytest.approx(1)
    assert measure(x, x + 100, RATE).largest_error == 100


def test_a_lost_wave_shows_in_its_band_only() -> None:
    x, y = waves(delta=2000, alpha=1000, beta=500), waves(delta=2000, alpha=500, beta=500)
    found = measure(x, y, RATE)
    assert found.band_power["alpha"] == pytest.approx(-75, abs=0.5)
    assert found.band_power["delta"] == pytest.approx(0, abs=0.1)
    assert found.band_power["beta"] == pytest.approx(0, abs=0.1)
    lost, all_of_it = 500**2, 2000**2 + 1000**2 + 500**2
    assert found.prd == pytest.approx(100 * np.sqrt(lost / all_of_it), rel=1e-3)


def test_the_worst_second_is_found() -> None:
    x = waves(theta=1000)
    y = x.copy()
    y[7 * RATE : 8 * RATE] = 0
    found = measure(x, y, RATE)
    assert found.worst_second_prd == pytest.approx(100, rel=1e-2)
    assert (found.worst_second, found.flat_seconds) == (7, 0)
    assert found.prd == pytest.approx(100 / np.sqrt(20), rel=1e-3)


def test_seconds_that_are_flat_or_padded_are_left_out_and_counted() -> None:
    """One value for half a second makes a second flat; an error in it says nothing of the EEG."""
    x = waves(theta=1000, alpha=500)
    for flat in (slice(0, 2 * RATE), slice(5 * RATE + RATE // 4, 5 * RATE + 3 * RATE // 4 + 1), slice(19 * RATE, None)):
        x[flat] = 7
    # Half a second across a border is a quarter of each of two seconds.
    x[10 * RATE - RATE // 4 : 10 * RATE + RATE // 4] = 0
    y = x + np.where(np.arange(len(x)) % 2, 100, -100)
    found = measure(x, y, RATE)
    assert found.flat_seconds == 4
    assert found.worst_second not in (0, 1, 5, 19)
    assert found.worst_second_prd is not None
    assert found.worst_second_prd < 25
    nothing = measure(np.full(5 * RATE, 3), np.full(5 * RATE, 4), RATE)
    assert (nothing.eeg_prd, nothing.worst_second_prd, nothing.worst_second) == (None, None, None)
    assert nothing.flat_seconds == 5


def test_the_eeg_part_is_not_flattered_by_drift_or_mains() -> None:
    eeg = waves(theta=100, alpha=50)
    loud = np.rint(50_000 + 1000 * np.sin(2 * np.pi * 0.03 * TIME) + 1000 * np.sin(2 * np.pi * 60 * TIME))
    found = measure((eeg + loud).astype(np.int32), (eeg // 2 + loud).astype(np.int32), RATE)
    assert found.prd is not None
    assert found.prd < 5
    assert found.eeg_prd == pytest.approx(50, abs=1)
    assert measure(eeg, eeg // 2, None).eeg_prd is None


def test_bands_that_the_rate_does_not_hold_are_left_out() -> None:
    x = waves(delta=1000)
    assert measure(x, x, 64.0).band_power["gamma"] is None
    assert measure(x, x, None).band_power == dict.fromkeys(BANDS)
    assert measure(x, x, None).worst_second_prd is None


def test_constants_are_no_signal() -> None:
    flat = np.full(1000, 77, np.int32)
    same, other = measure(flat, flat, RATE), measure(flat, flat + 1, RATE)
    assert (same.prd, same.r, same.worst_second_prd, same.spectrogram_loss) == (0, None, None, None)
    assert (other.prd, other.snr, other.largest_error) == (None, None, 1)
    empty = measure(flat[:0], flat[:0], RATE)
    assert (empty.prd, empty.r, empty.largest_error) == (0, None, 0)


def documented_loss(x: np.ndarray, y: np.ndarray) -> float:
    """The definition of docs/training.md."""
    total = 0.0
    for w in (32, 64, 128, 256, 512, 1024, 2048):
        if len(x) > w / 2:
            hann, logs = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(w) / w), []
            for wave in (x, y):
                frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, w // 2, mode="reflect"), w)[:: w // 4]
                logs.append(np.log10(np.maximum(np.abs(np.fft.rfft(frames * hann)), 1e-5)))
            total += float(np.mean(np.abs(logs[0] - logs[1])))
    return total


def test_a_real_channel_agrees_with_the_definitions(eegmat: Path) -> None:
    with EdfFile.open(eegmat) as file:
        x = file.read_signal(0, 0, 10000)
    y = (x // 200 * 200 + 100).astype(np.int32)
    found = measure(x, y, 500.0)
    centred = x - x.mean()
    assert found.prd == pytest.approx(100 * np.linalg.norm(x - y) / np.linalg.norm(centred))
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1])
    seconds = [slice(500 * s, 500 * s + 500) for s in range(20)]
    parts = eeg_part(np.stack([x, x - y]), 500.0)
    prds = [100 * np.linalg.norm(parts[1][s]) / np.linalg.norm(parts[0][s]) for s in seconds]
    assert found.worst_second_prd == pytest.approx(max(prds))
    assert found.worst_second == int(np.argmax(prds))
    assert found.eeg_prd == pytest.approx(100 * np.linalg.norm(parts[1]) / np.linalg.norm(parts[0]))
    level = x.std()
    assert found.spectrogram_loss == pytest.approx(documented_loss(centred / level, (y - x.mean()) / level), rel=1e-4)
    assert measure(x, y, 500.0, spectrogram=False).spectrogram_loss is None
