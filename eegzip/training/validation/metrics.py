"""Validation metrics: what was lost of each window, and how much of the codebooks is in use.

All of them are of waveforms as the network sees them: filtered, resampled, scaled. They compare checkpoints of one
preparation. What ``compress`` loses of a recording, in microvolts, is measured by ``eegzip.evaluation`` instead; it
differs where the adaptive scaling changes within a window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import signal

from eegzip.evaluation import metrics
from eegzip.evaluation.metrics import BANDS
from eegzip.evaluation.spectrogram import spectrogram_losses
from eegzip.formats.errors import UsageError

_ORDER = 4

Waves = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]


def prd(x: Waves, y: Waves) -> Values:
    """Return 100 * sqrt(sum (x - y)^2 / sum (x - mean x)^2) of each waveform [N, T], in percent.

    NaN where the original is flat.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    error = np.square(x - y).sum(axis=1)
    power = np.square(x - x.mean(axis=1, keepdims=True)).sum(axis=1)
    return metrics.prd(error, np.where(is_flat(x), np.nan, power))


def snr(x: Waves, y: Waves) -> Values:
    """Return 10 * log10(sum (x - mean x)^2 / sum (x - y)^2) of each waveform [N, T], in dB.

    Infinite without error, NaN where the original is flat.
    """
    return np.array([metrics.snr(value) for value in prd(x, y).tolist()])


def correlation(x: Waves, y: Waves) -> Values:
    """Return Pearson's r of each pair of waveforms [N, T]; NaN where either is flat."""
    flat = is_flat(x) | is_flat(y)
    # Each at a scale of its own, lest a network gone wild should overflow the squares.
    first, second = (_normalised(wave.astype(np.float64)) for wave in (x, y))
    xx, yy = np.square(first).sum(axis=1), np.square(second).sum(axis=1)
    return metrics.correlation((first * second).sum(axis=1), np.where(flat | (xx * yy == 0), np.nan, xx), yy)


def is_flat(x: Waves) -> npt.NDArray[np.bool_]:
    """Return which waveforms [N, T] never change."""
    return np.asarray(x.max(axis=1) == x.min(axis=1))


def _normalised(x: Values) -> Values:
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-300)


def fitting_bands(rate: float, length: int) -> dict[str, tuple[float, float]]:
    """Return the bands that lie below Nyquist and of whose lowest frequency two cycles fit into ``length`` samples."""
    return {name: (low, high) for name, (low, high) in BANDS.items() if high < rate / 2 and length * low >= 2 * rate}


def band_pass(x: Waves, band: tuple[float, float], rate: float) -> Values:
    """Return waveforms [N, T] with only a band (Hz) left: Butterworth of order 4, forwards and backwards."""
    sections = signal.butter(_ORDER, band, "bandpass", fs=rate, output="sos")
    # Turned over beyond the ends for a cycle of the lowest frequency: less makes slow bands start with a swing.
    beyond = min(x.shape[1] - 1, math.ceil(rate / band[0]))
    found: Values = signal.sosfiltfilt(sections, x.astype(np.float64), axis=1, padlen=beyond)
    return found


class WindowMetrics:
    """Collects what was lost of windows, and sums it up by medians.

    Parameters
    ----------
    rate
        Sampling rate in Hz.

    Attributes
    ----------
    windows : int
        Waveforms seen (windows times channels).
    flat : int
        Those of them whose original never changes: they have no PRD, SNR or r, and are left out of these.
    broken : int
        Those whose restored waveform is not finite: infinitely bad, without r.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.windows, self.flat, self.broken = 0, 0, 0
        self._values: dict[str, list[float]] = {}
        self._r: dict[str, list[float]] = {"all": []}
        self._subjects: dict[str, list[float]] = {}

    def update(self, x: Waves, y: Waves, subjects: Sequence[str] | None = None) -> None:
        """Take note of windows.

        Parameters
        ----------
        x, y
            Original and restored waveforms [N, T].
        subjects
            Whose each is, N names.

        Raises
        ------
        UsageError
            The shapes differ.
        """
        if x.ndim != 2 or x.shape != y.shape or (subjects is not None and len(subjects) != len(x)):
            raise UsageError(f"waveforms of shapes {list(x.shape)} and {list(y.shape)} can't be compared.")
        if not x.size:
            return
        broken = ~np.asarray(np.isfinite(y).all(axis=1))
        y = np.where(broken[:, None], 0, y)
        self.windows += len(x)
        self.flat += int(is_flat(x).sum())
        self.broken += int(broken.sum())
        lost = np.where(broken & ~is_flat(x), np.inf, prd(x, y))
        self._note("prd", lost)
        self._note("snr", np.where(broken & ~is_flat(x), -np.inf, snr(x, y)))
        with torch.no_grad():
            loss = spectrogram_losses(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y))
        self._note("spectrogram", np.where(broken, np.inf, loss.numpy()))
        self._note_r("all", correlation(x, y))
        # A flat wave's filtered rounding errors are not flat.
        moving = ~(is_flat(x) | is_flat(y))
        for name, band in fitting_bands(self.rate, x.shape[1]).items():
            if moving.any():
                first, second = (band_pass(wave[moving], band, self.rate) for wave in (x, y))
                self._note_r(name, correlation(first, second))
        for subject, value in zip(subjects or (), lost, strict=subjects is not None):
            if not math.isnan(value):
                self._subjects.setdefault(subject, []).append(float(value))

    def _note(self, name: str, values: Values) -> None:
        self._values.setdefault(name, []).extend(values[~np.isnan(values)].tolist())

    def _note_r(self, name: str, values: Values) -> None:
        self._r.setdefault(name, []).extend(values[~np.isnan(values)].tolist())

    def result(self) -> dict[str, Any]:
        """Return the metrics as plain numbers; NaN where nothing could be measured.

        Returns
        -------
        dict
            ``prd`` (percent), ``snr`` (dB) and ``spectrogram``: medians over windows and channels; ``prd_p90``: the
            PRD that a tenth of them exceeds; ``r``: medians of Pearson's r, of the whole signal (``all``) and of each
            band; ``people``: each subject's median PRD; ``windows``, ``flat``, ``broken``: see the class.
        """
        return {
            "prd": _median(self._values.get("prd", [])),
            "prd_p90": _exceeded_by_a_tenth(self._values.get("prd", [])),
            "snr": _median(self._values.get("snr", [])),
            "spectrogram": _median(self._values.get("spectrogram", [])),
            "r": {name: _median(values) for name, values in self._r.items()},
            "people": {subject: _median(values) for subject, values in sorted(self._subjects.items())},
            "windows": self.windows,
            "flat": self.flat,
            "broken": self.broken,
        }


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else math.nan


def _exceeded_by_a_tenth(values: list[float]) -> float:
    # A value that occurs: an average of a finite and an infinite one would be NaN.
    return float(np.percentile(values, 90, method="higher")) if values else math.nan


class CodebookUse:
    """Counts how often each codebook entry is chosen.

    Parameters
    ----------
    levels
        Codebooks.
    size
        Entries of each.
    """

    def __init__(self, levels: int, size: int) -> None:
        self.counts = np.zeros((levels, size), np.int64)

    def update(self, codes: npt.NDArray[np.integer]) -> None:
        """Take note of codes [B, levels, F].

        Raises
        ------
        UsageError
            They are of another number of levels, or beyond the codebooks.
        """
        levels, size = self.counts.shape
        if codes.ndim != 3 or codes.shape[1] != levels:
            raise UsageError(f"codes of shape {list(codes.shape)} are not of {levels} levels.")
        if codes.size and not 0 <= codes.min() <= codes.max() < size:
            raise UsageError(f"codes {codes.min()} to {codes.max()} are not of codebooks of {size} entries.")
        for level in range(levels):
            self.counts[level] += np.bincount(codes[:, level].ravel().astype(np.int64), minlength=size)

    def result(self) -> dict[str, list[float]]:
        """Return, for each level, what is used of it.

        Returns
        -------
        dict
            ``usage``: share of the entries that were chosen at all, 0 to 1; ``entropy`` of the choice in bits, at most
            log2(size); ``perplexity``: 2 to that power, the number of equally frequent entries that would have it.
        """
        share = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(share > 0, -share * np.log2(share), 0.0)
        entropy = terms.sum(axis=1)
        return {
            "usage": (self.counts > 0).mean(axis=1).tolist(),
            "entropy": entropy.tolist(),
            "perplexity": np.exp2(entropy).tolist(),
        }
