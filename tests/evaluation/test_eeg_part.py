"""The EEG part of a signal, against direct convolution and least squares, and against what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from spec import second_eeg_part

from eegzip.evaluation.eeg_part import LINES, NORM, eeg_energy, eeg_part


@pytest.mark.parametrize(("n", "rate"), [(1500, 256.0), (700, 128.0), (300, 160.5), (40, 256.0), (7, 8.0), (2, 1.0)])
def test_it_is_what_the_specification_says(n: int, rate: float) -> None:
    random = np.random.default_rng(n)
    x = np.cumsum(random.integers(-40, 41, (2, n)), axis=1) + np.array([[900], [-5_000_000]])
    found = eeg_part(x, rate)
    for row, wanted in zip(found, (second_eeg_part.eeg_part(row.astype(float), rate) for row in x), strict=True):
        assert row == pytest.approx(wanted, abs=1e-3 * max(1.0, float(np.abs(wanted).max(initial=0.0))))
    assert eeg_energy(x, rate) == pytest.approx((found**2).sum(axis=1))


@pytest.mark.parametrize("rate", [128.0, 256.0, 500.0])
def test_what_passes_and_what_does_not(rate: float) -> None:
    """As a gain: half the power at 0.5 Hz, hardly anything at 0.1 Hz and in a line, everything between."""
    time = np.arange(int(40 * rate)) / rate
    inside = slice(int(3 * rate), int(-3 * rate))

    def gain(hertz: float) -> float:
        wave = np.rint(1e5 * np.sin(2 * np.pi * hertz * time + 1)).astype(np.int64)
        return float(eeg_part(wave[None], rate)[0, inside].std() / wave[inside].std())

    assert gain(0.5) == pytest.approx(0.707, abs=0.01)
    assert gain(0.1) < 0.05
    assert all(0.95 < gain(hertz) < 1.05 for hertz in (1.5, 3.0, 10.0, 21.0, 40.0))
    assert all(gain(line) < 0.005 for line in LINES if line < rate / 2)
    assert all(gain(line + 0.1) < 0.02 for line in (50.0, 60.0))


def test_on_real_eeg_it_is_about_a_high_pass_of_scipy(eegmat_samples: np.ndarray) -> None:
    """Offset and drift added beforehand change nothing; what is left is what a Butterworth filter leaves."""
    x = eegmat_samples.astype(np.int64)
    seconds = np.arange(x.shape[1]) / 500.0
    drifting = x + np.rint(800_000 + 5_000 * seconds + 70_000 * np.sin(2 * np.pi * seconds / 60)).astype(np.int64)
    found, moved = eeg_part(x, 500.0), eeg_part(drifting, 500.0)
    assert np.abs(found - moved).max() < 0.02 * found.std()
    other = sosfiltfilt(butter(2, 0.4, "highpass", fs=500.0, output="sos"), x, axis=1)
    inside = slice(1000, -1000)
    assert np.corrcoef(found[0, inside], other[0, inside])[0, 1] > 0.97


@pytest.mark.parametrize(("n", "rate"), [(600, 128.0), (300, 250.0), (90, 256.0), (50, 20.0)])
def test_an_error_hardly_grows_in_it(n: int, rate: float) -> None:
    """The norm of the whole filter, ends included, by its matrix."""
    matrix = eeg_part(1_000_000 * np.eye(n, dtype=np.int64), rate) / 1_000_000
    assert np.linalg.norm(matrix, 2) < NORM


def test_a_ramp_a_constant_and_one_sample_have_none() -> None:
    ramp = 7 * np.arange(2000) - 5
    assert np.abs(eeg_part(np.stack([ramp, np.full(2000, 8_000_000)]), 256.0)).max() < 1e-6
    assert eeg_part(np.array([[12345]]), 256.0) == pytest.approx(0)
    assert eeg_part(np.zeros((3, 0), np.int64), 256.0).shape == (3, 0)


@pytest.fixture(scope="module")
def eegmat_samples() -> np.ndarray:
    from api.recordings import SHIPPED

    from eegzip.formats.edf import EdfFile

    with EdfFile.open(SHIPPED / "eegmat" / "Subject16_rest_70s.edf") as file:
        return np.stack([file.read_signal(index, 0, 15000) for index in range(2)])
