"""Features of Fourier and wavelet coefficients.

All are of the magnitudes of coefficients over the number of samples, after weighting a window with a Blackman-Harris
window of its length. Of the wavelets, each scale or level has eight figures:

==================  ====================================================================================================
bounded_variation   sum of the steps between neighbours, over the range
maximum, mean, minimum, variance
power               sum of squares
power_ratio         power over that of all scales (or levels) of the channel
spectral_entropy    -p log p of the power ratio: what this scale adds to the entropy
==================  ====================================================================================================

The Fourier coefficients of a band have value_range (maximum - minimum) in place of bounded_variation, and
peak_frequency, that of the largest, in Hz.

DFT
    Bins from a band's lower edge, included, to its upper, excluded, in fifteen overlapping bands; ratios are over the
    sum of the power of all fifteen.
CWT
    Morlet's wavelet (``morl`` of PyWavelets) at eight scales; their centre frequencies are the upper edges of bands.
DWT
    Daubechies' ``db4``, four steps: approximation a4 and details d4 to d1; 100 Hz give a4 below 3.1 Hz, d1 above 25 Hz.

The figures are those of the library brainfeatures (TNTLFreiburg), written anew from descriptions. On purpose otherwise:
there the entropy of the DWT takes power for its ratio, ratios of the CWT are over electrodes instead of scales, a band
without power gives NaN (here 0), and the peak is the number of a bin.
"""

from __future__ import annotations

import numpy as np

from eegzip.downstream.bands import BANDS, OVERLAPPING, RATE, band_name, entropy_terms, quotient
from eegzip.formats.extras import require

OF_WAVELETS = (
    "bounded_variation", "maximum", "mean", "minimum", "power", "power_ratio", "spectral_entropy", "variance",
)  # fmt: skip
OF_FOURIER = (
    "maximum", "mean", "minimum", "peak_frequency", "power", "power_ratio", "spectral_entropy", "value_range",
    "variance",
)  # fmt: skip
CWT_SCALES = tuple(f"{high:g}" for _, high in BANDS)
DWT_LEVELS = ("a4", "d4", "d3", "d2", "d1")
DFT_BANDS = tuple(band_name(band) for band in OVERLAPPING)


def weighted(windows: np.ndarray) -> np.ndarray:
    """Weight windows [..., samples] with a Blackman-Harris window, which keeps frequencies from leaking."""
    from scipy.signal.windows import blackmanharris

    return np.asarray(windows * blackmanharris(windows.shape[-1], sym=False))


def fourier_features(windows: np.ndarray) -> np.ndarray:
    """Return features [windows, 9, 15, channels] of weighted windows [windows, channels, samples]."""
    from scipy.fft import rfft

    size = windows.shape[-1]
    magnitudes = np.abs(rfft(windows, axis=-1)) / size
    frequencies = np.arange(magnitudes.shape[-1]) * RATE / size
    found = np.empty((len(OF_FOURIER), len(OVERLAPPING), *windows.shape[:-1]))
    for place, (low, high) in enumerate(OVERLAPPING):
        inside = (frequencies >= low) & (frequencies < high)
        part = magnitudes[..., inside]
        largest, least = part.max(axis=-1), part.min(axis=-1)
        found[:, place] = [
            largest,
            part.mean(axis=-1),
            least,
            frequencies[inside][part.argmax(axis=-1)],
            np.square(part).sum(axis=-1),
            np.zeros_like(largest),
            np.zeros_like(largest),
            largest - least,
            part.var(axis=-1),
        ]
    _fill_ratios(found, OF_FOURIER)
    return found.transpose(2, 0, 1, 3)


def cwt_features(windows: np.ndarray) -> np.ndarray:
    """Return features [windows, 8, 8 scales, channels] of weighted windows [windows, channels, samples]."""
    require("downstream", "pywt")
    import pywt

    scales = [pywt.central_frequency("morl") * RATE / high for _, high in BANDS]
    coefficients, _ = pywt.cwt(windows, scales, "morl", method="fft", axis=-1)
    return _of_wavelets(list(coefficients), windows.shape[-1])


def dwt_features(windows: np.ndarray) -> np.ndarray:
    """Return features [windows, 8, 5 levels, channels] of weighted windows [windows, channels, samples]."""
    require("downstream", "pywt")
    import pywt

    return _of_wavelets(pywt.wavedec(windows, "db4", level=4, axis=-1), windows.shape[-1])


def _of_wavelets(coefficients: list[np.ndarray], size: int) -> np.ndarray:
    found = np.empty((len(OF_WAVELETS), len(coefficients), *coefficients[0].shape[:-1]))
    for place, signed in enumerate(coefficients):
        part = np.abs(signed) / size
        largest, least = part.max(axis=-1), part.min(axis=-1)
        steps = np.abs(np.diff(part, axis=-1)).sum(axis=-1)
        found[:, place] = [
            quotient(steps, largest - least),
            largest,
            part.mean(axis=-1),
            least,
            np.square(part).sum(axis=-1),
            np.zeros_like(largest),
            np.zeros_like(largest),
            part.var(axis=-1),
        ]
    _fill_ratios(found, OF_WAVELETS)
    return found.transpose(2, 0, 1, 3)


def _fill_ratios(found: np.ndarray, names: tuple[str, ...]) -> None:
    """Fill in the two that need all bands: `found` is [features, bands, ...]."""
    power = found[names.index("power")]
    shares = quotient(power, power.sum(axis=0, keepdims=True))
    found[names.index("power_ratio")] = shares
    found[names.index("spectral_entropy")] = entropy_terms(shares)
