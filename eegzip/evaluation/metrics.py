"""How far a restored signal is from its original: what each metric is, and all of them of one channel.

==================  ====================================================================================================
PRD                 100 * sqrt(sum(e**2) / sum((x - mean(x))**2)), in percent: the original's mean is removed, the
                    error's is not
SNR                 -20 * log10(PRD / 100), in dB
r                   Pearson's correlation
worst second        largest PRD of the whole seconds of the recording, each with its own mean removed; seconds in
                    which the original is constant don't count, and the rest after the last whole second doesn't
band power          100 * (restored / original - 1), in percent, for each of :data:`BANDS`: negative where power was
                    lost. Welch's method: periodic Hann windows of 4 s (the whole where it is shorter), half
                    overlapping, each with its mean removed; bins from the band's lower edge,
                    included, to its upper, excluded
largest error       of any sample, in digital units
spectrogram loss    as defined in docs/training.md, of samples at the recording's own rate after subtracting
                    the original's mean and dividing by the original's standard deviation
==================  ====================================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

BANDS = {"delta": (0.5, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
"""Edges in Hz. Gamma ends below mains hum and below the low-pass filter of most clinical exports."""

WELCH_SECONDS = 4.0

Number = TypeVar("Number", float, npt.NDArray[np.float64])


def prd(lost: Number, energy: Number) -> Number:
    """Return the percent root-mean-square difference of energies (or powers), numbers or arrays.

    Parameters
    ----------
    lost
        Sum (or mean) of the squared error.
    energy
        The same of the original, its mean removed. Where it is NaN the result is.
    """
    found: Number = 100.0 * np.sqrt(lost / energy)
    return found


def snr(prd: float) -> float:
    """Return the signal-to-noise ratio in dB that a PRD in percent is; infinite without error."""
    # Not numpy's logarithm, whose last bits differ between processors.
    return -20.0 * math.log10(prd / 100.0) if prd else math.inf


def correlation(xy: Number, xx: Number, yy: Number) -> Number:
    """Return Pearson's r, from the sums of products of two signals without their means.

    Rounding is kept from leading beyond -1 and 1. Where a sum is NaN the result is.
    """
    found: Number = np.clip(xy / np.sqrt(xx * yy), -1.0, 1.0)
    return found


@dataclass(frozen=True)
class Measures:
    """Metrics of one channel; see the module for their definitions.

    Parameters
    ----------
    prd : float or None
        Percent; ``None`` where the original is constant and the restored signal differs from it, 0 where both are the
        same.
    snr : float or None
        dB; ``None`` without error or without signal.
    r : float or None
        ``None`` where either is constant.
    worst_second_prd : float or None
        Percent; ``None`` where no second of the original varies.
    largest_error : int
        In digital units.
    band_power : dict of str to (float or None)
        Percent; ``None`` for a band that reaches beyond half the sample rate or holds no power or no bin.
    spectrogram_loss : float or None
        ``None`` where the original is constant or shorter than 17 samples, or where it was not asked for.
    """

    prd: float | None
    snr: float | None
    r: float | None
    worst_second_prd: float | None
    largest_error: int
    band_power: dict[str, float | None]
    spectrogram_loss: float | None


def measure(original: np.ndarray, restored: np.ndarray, rate: float | None, *, spectrogram: bool = True) -> Measures:
    """Compare a restored signal with its original.

    Parameters
    ----------
    original, restored : ndarray of int, shape (samples,)
        Digital values.
    rate : float or None
        Samples a second; without it nothing is said about seconds and bands.
    spectrogram : bool
        Whether to compute the spectrogram loss, which needs torch and most of the time.
    """
    x, y = original.astype(np.float64), restored.astype(np.float64)
    x -= x.mean() if len(x) else 0.0
    y -= original.astype(np.float64).mean() if len(x) else 0.0
    error = x - y
    percent = _percent(error, x)
    return Measures(
        prd=percent,
        snr=snr(percent) if percent else None,
        r=_correlation(x, y),
        worst_second_prd=_worst_second(x, error, rate),
        largest_error=round(float(np.abs(error).max(initial=0.0))),
        band_power=_band_power(x, y, rate),
        spectrogram_loss=_spectrogram_loss(x, y) if spectrogram else None,
    )


def _percent(error: np.ndarray, centred: np.ndarray) -> float | None:
    energy, lost = float(centred @ centred), float(error @ error)
    if energy > 0:
        return float(prd(lost, energy))
    return None if lost else 0.0


def _correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    centred = y - y.mean() if len(y) else y
    xx, yy = float(x @ x), float(centred @ centred)
    return float(correlation(float(x @ centred), xx, yy)) if xx * yy > 0 else None


def _worst_second(x: np.ndarray, error: np.ndarray, rate: float | None) -> float | None:
    if not rate or len(x) < round(rate):
        return None
    seconds = int(len(x) / rate)
    edges = np.round(np.arange(seconds + 1) * rate).astype(np.int64)
    edges = edges[edges <= len(x)]
    counts = np.diff(edges)

    def sums(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(values[: edges[-1]], edges[:-1]))

    # Centred within each second, so that no difference of large sums is taken.
    within = x[: edges[-1]] - np.repeat(sums(x) / counts, counts)
    energy, lost = sums(within**2), sums(error**2)
    # A constant second leaves rounding only.
    varies = energy > 1e-6
    return float(prd(lost[varies], energy[varies]).max()) if varies.any() else None


def _band_power(x: np.ndarray, y: np.ndarray, rate: float | None) -> dict[str, float | None]:
    if not rate or len(x) < 2:
        return dict.fromkeys(BANDS)
    from scipy.signal import welch

    size = min(len(x), round(WELCH_SECONDS * rate))
    frequencies, spectra = welch(np.stack([x, y]), rate, nperseg=size, detrend="constant")
    result: dict[str, float | None] = {}
    for name, (low, high) in BANDS.items():
        inside = (frequencies >= low) & (frequencies < high)
        before, after = (float(spectrum[inside].sum()) for spectrum in spectra)
        result[name] = 100 * (after / before - 1) if before > 0 and high <= rate / 2 else None
    return result


def _spectrogram_loss(x: np.ndarray, y: np.ndarray) -> float | None:
    from eegzip.evaluation.spectrogram import WINDOWS

    deviation = float(x.std()) if len(x) else 0.0
    if deviation == 0 or len(x) <= min(WINDOWS) // 2:
        return None
    import torch

    from eegzip.evaluation.spectrogram import spectrogram_losses

    pair = torch.from_numpy(np.stack([x, y]) / deviation).float()
    with torch.no_grad():
        return float(spectrogram_losses(pair[:1], pair[1:])[0])
