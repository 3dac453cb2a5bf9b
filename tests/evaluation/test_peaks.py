"""Peaks, spikes, coherence and what is between channels, against SciPy, MNE and values worked out by hand."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
import scipy.signal

from eegzip.evaluation.band_table import band_table
from eegzip.evaluation.connectivity import CONNECTIVITY_BANDS, band_matrices, connectivity
from eegzip.evaluation.metrics import BANDS, measure
from eegzip.evaluation.peaks import PeakErrors, largest_peaks, spikes
from eegzip.formats.edf import EdfFile

RATE = 200
N = 20 * RATE


def triangles(*places: int, height: float = 100.0, base: int = 20) -> np.ndarray:
    """Spikes of 100 ms at their base, on a faint rhythm."""
    x = np.sin(2 * np.pi * 10 * np.arange(N) / RATE)
    for place in places:
        x[place - base // 2 : place + base // 2 + 1] += height * (1 - np.abs(np.arange(-10, 11)) / 10)
    return x


@pytest.fixture(scope="module")
def real(eegmat: Path) -> tuple[np.ndarray, float]:
    """Three EEG channels, 20 s, in digital units."""
    with EdfFile.open(eegmat) as file:
        return np.stack([file.read_signal(i, 0, 10000) for i in range(3)]), file.header.sample_rate(0)


def noisy(x: np.ndarray, size: float) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=x.shape) * size * x.std(axis=-1, keepdims=True)
    return np.rint(x + noise).astype(np.int32)


def test_a_spike_flattened_and_one_delayed_are_told_apart() -> None:
    before = triangles(500, 1500, 2500, 3500)
    after = before.copy()
    after[490:511] = triangles(500, height=40)[490:511]  # 40 % is left
    after[1480:1530] = triangles(1504)[1480:1530]  # 20 ms late
    found = spikes(before, after, RATE)
    assert (found.count, found.flattened) == (4, 1)
    # The rhythm, 1 beside 100, lies under both heights.
    assert found.worst_amplitude_change == pytest.approx(-60, abs=3)
    assert found.amplitude_change == pytest.approx(0, abs=2)
    assert (found.timing_error, found.worst_timing_error) == (0, 20)
    down = spikes(-before, -after, RATE)
    assert (down.count, down.flattened, down.worst_timing_error) == (4, 1, 20)


def test_slow_waves_and_rhythms_are_no_spikes() -> None:
    time = np.arange(N) / RATE
    blink = 100 * np.exp(-0.5 * ((time - 10) / 0.15) ** 2)  # 350 ms at half its height
    rhythm = np.sin(2 * np.pi * 10 * time)
    assert spikes(rhythm + blink, rhythm, RATE).count == 0
    assert spikes(triangles(500), triangles(500), 64.0) == PeakErrors()  # too coarse to see any
    assert spikes(np.zeros(N), np.zeros(N), RATE) == PeakErrors()
    assert spikes(triangles(500), np.zeros(N), RATE).flattened == 1


def test_largest_peaks_by_hand() -> None:
    """Ten a minute: of 20 s the three largest, of either sign."""
    x = np.zeros(N)
    x[[300, 900, 1800, 2700]] = [50, -80, 60, 10]
    y = np.zeros(N)
    y[[302, 900, 1800, 2700]] = [45, -40, 66, 100]
    found = largest_peaks(x, y, RATE)
    assert found.count == 3
    assert found.amplitude_change == pytest.approx(-10)
    assert found.worst_amplitude_change == pytest.approx(-50)
    assert (found.timing_error, found.worst_timing_error) == (0, 10)
    assert found.flattened == 1
    assert largest_peaks(np.zeros(N), y, RATE) == PeakErrors()


def test_coherence_is_scipys(real: tuple[np.ndarray, float]) -> None:
    x, rate = real
    y = noisy(x, 0.5)
    found = measure(x[0], y[0], rate, spectrogram=False).coherence
    frequencies, expected = scipy.signal.coherence(x[0], y[0], rate, nperseg=round(2 * rate))
    for name, (low, high) in BANDS.items():
        assert found[name] == pytest.approx(expected[(frequencies >= low) & (frequencies < high)].mean())
    assert found["delta"] > 0.9 > found["gamma"]
    same = measure(x[0], -3 * x[0], rate, spectrogram=False).coherence
    assert all(value == pytest.approx(1) for value in same.values())
    assert measure(x[0][:1000], y[0][:1000], rate, spectrogram=False).coherence == dict.fromkeys(BANDS)
    assert measure(x[0], x[0], 64.0, spectrogram=False).coherence["gamma"] is None


def test_matrices_are_those_of_the_analytic_signal(real: tuple[np.ndarray, float]) -> None:
    """SciPy's at the full rate; ours is made of fewer points in time."""
    x, rate = real
    flat = scipy.signal.detrend(x.astype(float))
    spectrum, frequencies = np.fft.rfft(flat), np.fft.rfftfreq(x.shape[1], 1 / rate)
    for name, (plv, r) in band_matrices(x, rate).items():
        low, high = CONNECTIVITY_BANDS[name]
        inside = (frequencies >= low) & (frequencies < high)
        z = scipy.signal.hilbert(np.fft.irfft(spectrum * inside, x.shape[1]))[:, round(rate) : -round(rate)]
        phase = z / np.abs(z)
        assert plv == pytest.approx(np.abs(phase @ phase.conj().T) / z.shape[1], abs=0.01)
        assert r == pytest.approx(np.corrcoef(z.real), abs=0.02)


def test_phase_locking_agrees_with_mnes_filter_and_scipys_hilbert(real: tuple[np.ndarray, float]) -> None:
    """A filter of another make, with soft edges, finds about the same."""
    x, rate = real
    found = band_matrices(x, rate)
    for name in ("alpha", "beta"):
        low, high = BANDS[name]
        band = mne.filter.filter_data(x.astype(float), rate, low, high, verbose="error")
        z = scipy.signal.hilbert(band)[:, round(rate) : -round(rate)]
        phase = z / np.abs(z)
        assert found[name][0] == pytest.approx(np.abs(phase @ phase.conj().T) / z.shape[1], abs=0.1)


def test_what_is_between_channels(real: tuple[np.ndarray, float]) -> None:
    x, rate = real
    labels = ["Fp1", "T3", "O1"]
    same = connectivity(labels, x, 2 * x, rate)
    assert all(band.largest_plv_change < 1e-9 and band.largest_r_change < 1e-9 for band in same.values())
    # One channel is another's copy now, so they go together wholly.
    after = x.copy()
    after[1] = x[0]
    found = connectivity(labels, x, after, rate)["alpha"]
    plv, r = band_matrices(x, rate)["alpha"]
    assert (found.plv_pair, found.pairs) == (("Fp1", "T3"), 3)
    assert found.largest_plv_change == pytest.approx(1 - plv[0, 1])
    assert found.largest_r_change == pytest.approx(max(1 - r[0, 1], abs(r[0, 2] - r[1, 2])))
    assert connectivity(labels[:1], x[:1], x[:1], rate) == {}
    assert connectivity(labels, x[:, :100], x[:, :100], rate) == {}
    gone = connectivity(labels, x, np.zeros_like(x), rate)["alpha"]
    assert gone.plv_after == 0


def test_the_table_by_band(real: tuple[np.ndarray, float]) -> None:
    x, rate = real
    y = noisy(x, 0.3)
    channels = [measure(a, b, rate, spectrogram=False) for a, b in zip(x, y, strict=True)]
    table = {band.name: band for band in band_table(channels, {})}
    assert list(table) == [*BANDS, "all"]
    powers = [channel.band_power["gamma"] for channel in channels]
    assert table["gamma"].power_change == sorted(powers)[1]
    assert table["gamma"].worst_power_change == max(powers, key=abs)
    assert table["gamma"].lowest_coherence == min(channel.coherence["gamma"] for channel in channels)
    assert table["all"].power_change is table["all"].pairs is None
