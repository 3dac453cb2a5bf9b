"""Phase locking against SciPy's filters and Hilbert transform, and signals whose answer is known."""

from __future__ import annotations

import numpy as np
from scipy.signal import filtfilt, firwin, hilbert

from eegzip.downstream.bands import OVERLAPPING
from eegzip.downstream.phase import TAPS, locking


def test_against_scipy(windows: np.ndarray) -> None:
    """Filtered in time with mirrored ends, then Hilbert's transform of what is filtered."""
    found = locking(windows[:1])[0]
    half = TAPS // 2
    centred = windows[0] - windows[0].mean(axis=1, keepdims=True)
    for place, (low, high) in enumerate(OVERLAPPING):
        taps = firwin(TAPS, [low, high], pass_zero=False, fs=100) if low else firwin(TAPS, high, fs=100)
        filtered = np.stack([np.convolve(np.pad(row, half, mode="reflect"), taps) for row in centred])
        phases = np.angle(hilbert(filtered)[:, 2 * half : 2 * half + 600])
        expected = [np.abs(np.mean(np.exp(1j * (phases[a] - phases[b])))) for a, b in ((0, 1), (0, 2), (1, 2))]
        np.testing.assert_allclose(found[place], expected, atol=1e-6)


def test_signals_whose_locking_is_known() -> None:
    time = np.arange(600) / 100
    rng = np.random.default_rng(5)
    tone = np.sin(2 * np.pi * 10 * time)
    shifted = np.sin(2 * np.pi * 10 * time + 1.0)
    # Half of the time in phase, half against it.
    turned = np.where(time < 3, tone, -tone)
    noise = rng.standard_normal((2, 600))
    signals = np.stack([tone, shifted, turned, *noise])
    alpha = OVERLAPPING.index((8.0, 13.0))
    found = locking(signals[None])[0, alpha]
    pairs = list(zip(*np.triu_indices(5, 1), strict=True))
    assert found[pairs.index((0, 1))] > 0.98
    assert found[pairs.index((0, 2))] < 0.1
    assert found[pairs.index((3, 4))] < 0.6


def test_a_filter_passes_its_band_only() -> None:
    """Two channels share a tone of 10 Hz and have noise of their own elsewhere: locked there and nowhere else."""
    time = np.arange(600) / 100
    rng = np.random.default_rng(6)
    fast = np.stack([filtfilt(*_highpass(), rng.standard_normal(600)) for _ in range(2)])
    found = locking((10 * np.sin(2 * np.pi * 10 * time) + fast)[None])[0, :, 0]
    assert found[OVERLAPPING.index((8.0, 13.0))] > 0.99
    assert found[OVERLAPPING.index((30.0, 49.9))] < 0.3


def _highpass() -> tuple[np.ndarray, list[float]]:
    return firwin(101, 25, pass_zero=False, fs=100), [1.0]
