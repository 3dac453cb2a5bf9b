"""Running measurement of what was lost, stretch by stretch, without keeping the samples."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from eegzip.evaluation.metrics import correlation, prd, snr
from eegzip.formats.parallel import cores


@dataclass(frozen=True)
class Fidelity:
    """How far one restored signal is from its original.

    Parameters
    ----------
    prd : float or None
        Percent, means removed; ``None`` where the original is constant.
    snr : float or None
        dB; ``None`` without error or without signal.
    r : float or None
        Pearson correlation; ``None`` where either is constant.
    largest_error : int
        In digital units.
    """

    prd: float | None
    snr: float | None
    r: float | None
    largest_error: int


class FidelityMeter:
    """Accumulates original and restored samples of several signals.

    Parameters
    ----------
    centres : ndarray of float, shape (signals,)
        Any value near each signal's mean: it is subtracted before squares are summed, so that a large offset
        costs no precision.
    """

    def __init__(self, centres: np.ndarray) -> None:
        self._centres = np.asarray(centres, np.float64)[:, None]
        n = len(self._centres)
        self._count = 0
        self._sum_x, self._sum_y = np.zeros(n), np.zeros(n)
        self._sum_xx, self._sum_yy, self._sum_xy, self._sum_ee = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
        self._largest = np.zeros(n, np.int64)

    def update(self, original: np.ndarray, restored: np.ndarray) -> None:
        """Take note of more samples.

        Parameters
        ----------
        original, restored : ndarray of int32, shape (signals, samples)
            Digital values of the same stretch.
        """
        x, y = original - self._centres, restored - self._centres
        error = x - y
        self._count += x.shape[1]
        self._sum_x += x.sum(axis=1)
        self._sum_y += y.sum(axis=1)
        self._sum_xx += np.einsum("ij,ij->i", x, x)
        self._sum_yy += np.einsum("ij,ij->i", y, y)
        self._sum_xy += np.einsum("ij,ij->i", x, y)
        self._sum_ee += np.einsum("ij,ij->i", error, error)
        if x.shape[1]:
            self._largest = np.maximum(self._largest, np.abs(error).max(axis=1).astype(np.int64))

    def results(self) -> list[Fidelity]:
        """Fidelity of each signal over everything seen so far."""
        return [self._result(index) for index in range(len(self._largest))]

    def _result(self, i: int) -> Fidelity:
        n = max(self._count, 1)
        power_x = max(self._sum_xx[i] - self._sum_x[i] ** 2 / n, 0.0)
        power_y = max(self._sum_yy[i] - self._sum_y[i] ** 2 / n, 0.0)
        cross = self._sum_xy[i] - self._sum_x[i] * self._sum_y[i] / n
        error = self._sum_ee[i]
        percent = float(prd(error, power_x)) if power_x > 0 else None
        return Fidelity(
            prd=percent,
            snr=snr(percent) if percent else None,
            r=float(correlation(cross, power_x, power_y)) if power_x > 0 and power_y > 0 else None,
            largest_error=int(self._largest[i]),
        )


class EegPartMeter:
    """Accumulates errors of the EEG parts of several signals, each stretch (a chunk) by itself.

    Parameters
    ----------
    signals : int
    rate : float
        Samples a second.
    """

    def __init__(self, signals: int, rate: float) -> None:
        self._rate = rate
        self._lost, self._energy, self._worst = np.zeros(signals), np.zeros(signals), np.zeros(signals)

    def update(self, original: np.ndarray, restored: np.ndarray) -> None:
        """Take note of a stretch: digital values [signals, samples]."""
        # Only now, as it needs numba, which takes a while to load.
        from eegzip.evaluation.eeg_part import eeg_energy

        with ThreadPoolExecutor(cores()) as pool:
            rows = (np.subtract(original, restored, dtype=np.int64), original)
            lost, energy = pool.map(eeg_energy, rows, (self._rate, self._rate))
        self._lost += lost
        self._energy += energy
        there = energy > 0
        self._worst[there] = np.maximum(self._worst[there], prd(lost[there], energy[there]))

    def results(self) -> list[tuple[float | None, float | None]]:
        """PRD of each signal's EEG part over all stretches, and of the worst; ``None`` where there is no such part."""
        return [
            (float(prd(lost, energy)), float(worst)) if energy > 0 else (None, None)
            for lost, energy, worst in zip(self._lost, self._energy, self._worst, strict=True)
        ]
