"""The EEG part of a chunk, written from SPEC.md, section 7.1, and nothing else."""

from __future__ import annotations

import numpy as np


def triangle(half: int) -> np.ndarray:
    return half - np.abs(np.arange(1 - half, half)).astype(float)


def eeg_part(x: np.ndarray, rate: float) -> np.ndarray:
    """The EEG part of the samples of a chunk, sample by sample."""
    half, result = max(1, int(1.15 * rate + 0.5)), np.empty(len(x))
    weights = triangle(half)
    for n in range(len(x)):
        begin, end = max(0, n - half + 1), min(len(x), n + half)
        away = np.arange(begin, end) - n
        degree = 1 if len(away) > 1 else 0
        # polyfit wants roots of weights.
        line = np.polyfit(away, x[begin:end] - x[n], degree, w=np.sqrt(weights[away + half - 1]))
        result[n] = -line[-1]
    half = max(1, int(0.4 * rate + 0.5))
    for hertz in (50.0, 60.0, 100.0, 120.0, 150.0, 180.0):
        if hertz < rate / 2:
            phases = np.floor(65536 * (np.arange(len(x)) * (hertz / rate) % 1.0)) / 65536
            wave = np.exp(2j * np.pi * phases)
            sums = np.convolve(result * wave.conj(), triangle(half))[half - 1 : half - 1 + len(x)]
            counts = np.convolve(np.ones(len(x)), triangle(half))[half - 1 : half - 1 + len(x)]
            result = result - 2 * (sums / counts * wave).real
    return result
