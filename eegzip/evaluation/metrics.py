"""Metrics of a restored signal against its original: the definition of each, and all of them of one channel.

==================  ====================================================================================================
PRD                 100 * sqrt(sum(e**2) / sum((x - mean(x))**2)), in percent: the original's mean is removed, the
                    error's is not
SNR                 -20 * log10(PRD / 100), in dB
r                   Pearson's correlation
EEG part            PRD of what lies above 0.5 Hz and beside the mains lines (:mod:`~eegzip.evaluation.eeg_part`):
                    the root of the squares of the error's EEG part over those of the original's
worst second        largest PRD of the EEG part of the whole seconds of the recording. Left out are flat seconds, in
                    which the original holds one value for half a second or more, as where recordings are padded or
                    an electrode is off, and the rest after the last whole second
band power          100 * (restored / original - 1), in percent, for each of :data:`BANDS`: negative where power was
                    lost. Welch's method: periodic Hann windows of 4 s (the whole where it is shorter), half
                    overlapping, each with its mean removed; bins from the band's lower edge,
                    included, to its upper, excluded
coherence           magnitude-squared coherence of the original and the restored signal, |Sxy|**2 / (Sxx * Syy), mean
                    over the bins of each band: 1 where one follows from the other by any filter, 0 where they have
                    nothing in common (Carter, Knapp and Nuttall, IEEE Trans. Audio Electroacoust. 21, 1973). Welch's
                    method as above with windows of 2 s; by chance alone it comes to about 1 over their number
peaks, spikes       change of amplitude and error of timing of the largest peaks and of sharp transients
                    (:mod:`~eegzip.evaluation.peaks`)
largest error       of any sample, in digital units
spectrogram loss    as defined in docs/training.md, of samples at the recording's own rate after subtracting
                    the original's mean and dividing by the original's standard deviation
==================  ====================================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from eegzip.evaluation.peaks import PeakErrors, largest_peaks, spikes
from eegzip.evaluation.spectrogram_loss import WINDOWS, spectrogram_difference

BANDS = {"delta": (0.5, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
"""Edges in Hz. Gamma ends below mains hum and below the low-pass filter of most clinical exports."""

WELCH_SECONDS = 4.0

COHERENCE_SECONDS = 2.0
MIN_COHERENCE_SECONDS = 5.0
"""With fewer than four windows coherence is near 1 whatever the signals."""

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
    eeg_prd : float or None
        Percent, of the EEG part; ``None`` where there is none or the rate is not known.
    worst_second_prd : float or None
        Percent; ``None`` where every second is flat.
    worst_second : int or None
        Where it begins, in seconds from the first sample.
    flat_seconds : int
        Seconds left out as flat.
    largest_error : int
        In digital units.
    band_power : dict of str to (float or None)
        Percent; ``None`` for a band that reaches beyond half the sample rate or holds no power or no bin.
    spectrogram_loss : float or None
        ``None`` where the original is constant or shorter than 17 samples, or where it was not asked for.
    coherence : dict of str to (float or None)
        0 to 1; ``None`` for a band that reaches beyond half the sample rate, where either signal holds nothing, and of
        less than 5 s.
    peaks, spikes : PeakErrors
    """

    prd: float | None
    snr: float | None
    r: float | None
    eeg_prd: float | None
    worst_second_prd: float | None
    worst_second: int | None
    flat_seconds: int
    largest_error: int
    band_power: dict[str, float | None]
    spectrogram_loss: float | None
    coherence: dict[str, float | None]
    peaks: PeakErrors
    spikes: PeakErrors


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
    eeg = _eeg_part(original, restored, rate)
    parts = (eeg.original, eeg.original - eeg.error, rate) if rate and eeg.original is not None else None
    return Measures(
        prd=percent,
        snr=snr(percent) if percent else None,
        r=_correlation(x, y),
        eeg_prd=eeg.prd,
        worst_second_prd=eeg.worst_second_prd,
        worst_second=eeg.worst_second,
        flat_seconds=eeg.flat_seconds,
        largest_error=round(float(np.abs(error).max(initial=0.0))),
        band_power=_band_power(x, y, rate),
        spectrogram_loss=_spectrogram_loss(x, y) if spectrogram else None,
        coherence=_coherence(x, y, rate),
        peaks=largest_peaks(*parts) if parts else PeakErrors(),
        spikes=spikes(*parts) if parts else PeakErrors(),
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


class _EegPart(NamedTuple):
    """Of what :class:`Measures` has of the EEG part; and the EEG parts of the original and of the error."""

    original: np.ndarray | None = None
    error: np.ndarray | None = None
    prd: float | None = None
    worst_second_prd: float | None = None
    worst_second: int | None = None
    flat_seconds: int = 0


def _eeg_part(original: np.ndarray, restored: np.ndarray, rate: float | None) -> _EegPart:
    if not rate or not len(original):
        return _EegPart()
    # Here, as it needs numba, which takes a while to load.
    from eegzip.evaluation.eeg_part import eeg_part

    error = np.subtract(original, restored, dtype=np.int64)
    parts = eeg_part(original[None], rate)[0], eeg_part(error[None], rate)[0]
    energy, lost = parts[0] ** 2, parts[1] ** 2
    whole = float(energy.sum())
    percent = float(prd(float(lost.sum()), whole)) if whole > 0 else None
    edges = np.round(np.arange(int(len(original) / rate) + 1) * rate).astype(np.int64)
    edges = np.unique(edges[edges <= len(original)])
    if len(edges) < 2:
        return _EegPart(*parts, percent)
    flat = _flat(original, edges, rate)
    lost, energy = (np.add.reduceat(values[: edges[-1]], edges[:-1]) for values in (lost, energy))
    # A second without an EEG part that isn't flat is one of a straight line.
    chosen = np.flatnonzero(~flat & (energy > 1e-6))
    if not len(chosen):
        return _EegPart(*parts, percent, flat_seconds=int(flat.sum()))
    errors = prd(lost[chosen], energy[chosen])
    worst = int(errors.argmax())
    return _EegPart(*parts, percent, float(errors[worst]), int(chosen[worst]), int(flat.sum()))


def _flat(values: np.ndarray, edges: np.ndarray, rate: float) -> np.ndarray:
    """Of stretches from edge to edge, a second each: which hold one value for half of it or more."""
    half = max(2, math.ceil(rate / 2))
    steady = np.concatenate([[0], np.cumsum(np.diff(values) == 0)])
    if len(steady) < half:
        return np.zeros(len(edges) - 1, bool)
    # Whether so many samples from each on are the same.
    held = np.concatenate([[0], np.cumsum(steady[half - 1 :] - steady[: len(steady) - half + 1] == half - 1)])
    last = np.clip(edges[1:] - half + 1, edges[:-1], len(held) - 1)
    return np.asarray(held[last] > held[np.minimum(edges[:-1], len(held) - 1)])


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


def _coherence(x: np.ndarray, y: np.ndarray, rate: float | None) -> dict[str, float | None]:
    result: dict[str, float | None] = dict.fromkeys(BANDS)
    if not rate or len(x) < MIN_COHERENCE_SECONDS * rate:
        return result
    from scipy.signal import csd, welch

    size = round(COHERENCE_SECONDS * rate)
    frequencies, powers = welch(np.stack([x, y]), rate, nperseg=size, detrend="constant")
    cross = np.abs(csd(x, y, rate, nperseg=size, detrend="constant")[1]) ** 2
    for name, (low, high) in BANDS.items():
        inside = (frequencies >= low) & (frequencies < high)
        product = powers[0][inside] * powers[1][inside]
        if high <= rate / 2 and len(product) and product.min() > 0:
            result[name] = float((cross[inside] / product).mean())
    return result


def _spectrogram_loss(x: np.ndarray, y: np.ndarray) -> float | None:
    deviation = float(x.std()) if len(x) else 0.0
    if deviation == 0 or len(x) <= min(WINDOWS) // 2:
        return None
    return spectrogram_difference(x / deviation, y / deviation)
