"""Fourier and wavelet features against sums written out, and signals whose answer is known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import pywt

from eegzip.downstream.bands import BANDS, OVERLAPPING
from eegzip.downstream.spectra import (
    OF_FOURIER,
    OF_WAVELETS,
    cwt_features,
    dwt_features,
    fourier_features,
    weighted,
)


def _figures(magnitudes: np.ndarray) -> dict[str, float]:
    """What a band's or scale's figures are by themselves, a plain sum each."""
    values = [float(value) for value in magnitudes]
    mean = math.fsum(values) / len(values)
    return {
        "maximum": max(values),
        "mean": mean,
        "minimum": min(values),
        "power": math.fsum(value * value for value in values),
        "value_range": max(values) - min(values),
        "variance": math.fsum((value - mean) ** 2 for value in values) / len(values),
        "bounded_variation": math.fsum(abs(b - a) for a, b in pairwise(values)) / (max(values) - min(values)),
    }


def _check(found: np.ndarray, names: tuple[str, ...], parts: list[np.ndarray]) -> None:
    """Hold features [figures, bands] of a channel against magnitudes of each band."""
    expected = [_figures(part) for part in parts]
    whole = math.fsum(figures["power"] for figures in expected)
    for place, figures in enumerate(expected):
        share = figures["power"] / whole
        figures |= {"power_ratio": share, "spectral_entropy": -share * math.log(share)}
        for name in set(names) - {"peak_frequency"}:
            assert found[names.index(name), place] == pytest.approx(figures[name], rel=1e-7), name


def test_fourier_against_sums(windows: np.ndarray) -> None:
    """The transform as the sum that it is; Blackman-Harris from its four cosines."""
    x = windows[0, 1]
    n = np.arange(600)
    cosines = (0.35875, -0.48829, 0.14128, -0.01168)
    window = sum(a * np.cos(2 * np.pi * k * n / 600) for k, a in enumerate(cosines))
    np.testing.assert_allclose(weighted(x), x * window, atol=1e-9)
    bins = np.arange(300)
    magnitudes = np.abs(np.exp(-2j * np.pi * np.outer(bins, n) / 600) @ (x * window)) / 600
    parts = [magnitudes[(bins / 6 >= low) & (bins / 6 < high)] for low, high in OVERLAPPING]
    found = fourier_features(weighted(windows))[0, :, :, 1]
    _check(found, OF_FOURIER, parts)
    peaks = [math.ceil(low * 6) / 6 + part.argmax() / 6 for (low, _), part in zip(OVERLAPPING, parts, strict=True)]
    np.testing.assert_allclose(found[OF_FOURIER.index("peak_frequency")], peaks)


def test_discrete_wavelets_against_filters(windows: np.ndarray) -> None:
    """db4 by its filters: mirrored ends, filtered, every other sample, four times over."""
    low, high = (np.array(taps) for taps in pywt.Wavelet("db4").filter_bank[:2])
    np.testing.assert_allclose(low @ low, 1.0)
    x, parts = weighted(windows)[1, 2], []
    for _ in range(4):
        mirrored = np.pad(x, 7, mode="symmetric")
        parts.insert(0, np.convolve(mirrored, high, mode="valid")[1::2])
        x = np.convolve(mirrored, low, mode="valid")[1::2]
    parts.insert(0, x)
    _check(dwt_features(weighted(windows))[1, :, :, 2], OF_WAVELETS, [np.abs(part) / 600 for part in parts])


def test_continuous_wavelets_see_a_tone_at_its_scale() -> None:
    """A tone at the upper edge of a band has most of its power at that band's scale."""
    time = np.arange(600) / 100
    for place, (_, high) in enumerate(BANDS[:-1]):
        found = cwt_features(weighted(np.sin(2 * np.pi * high * time))[None, None])[0, :, :, 0]
        assert found[OF_WAVELETS.index("power_ratio")].argmax() == place


def test_continuous_wavelets_against_the_integral(windows: np.ndarray) -> None:
    """Morlet's wavelet exp(-t^2/2) cos(5t), scaled, at every sample, as a sum over the window."""
    x = weighted(windows)[0, 0]
    n = np.arange(600)
    found = cwt_features(weighted(windows))[0, :, :, 0]
    for place, (_, high) in enumerate(BANDS[:3]):  # at shorter scales PyWavelets' steps are coarse
        scale = 0.8125 * 100 / high
        t = (n[None, :] - n[:, None]) / scale
        direct = np.abs((np.exp(-(t**2) / 2) * np.cos(5 * t)) @ x) / np.sqrt(scale) / 600
        for name, value in (("mean", direct.mean()), ("maximum", direct.max()), ("power", np.square(direct).sum())):
            assert found[OF_WAVELETS.index(name), place] == pytest.approx(value, rel=0.04), (name, high)


def test_shares_add_up(windows: np.ndarray) -> None:
    for found, names in (
        (fourier_features(weighted(windows)), OF_FOURIER),
        (cwt_features(weighted(windows)), OF_WAVELETS),
        (dwt_features(weighted(windows)), OF_WAVELETS),
    ):
        np.testing.assert_allclose(found[:, names.index("power_ratio")].sum(axis=1), 1.0)
        # Whatever the amplifier's gain.
    louder = fourier_features(weighted(windows * 3))
    entropy = OF_FOURIER.index("spectral_entropy")
    np.testing.assert_allclose(louder[:, entropy], fourier_features(weighted(windows))[:, entropy])
