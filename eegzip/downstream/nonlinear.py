"""Features that look at every beginning of a window, or at every pair of its samples: compiled."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit

DIMENSIONS, DELAY = 4, 4
"""Of the delay embedding of Lyapunov's exponents."""

APART = (DIMENSIONS - 1) * DELAY + 1
"""Samples in time between neighbours at least: what lies nearer shares samples with them."""

AHEAD = 20
"""Samples over which neighbours are followed: 0.2 s."""


@jit
def hurst_exponents(signals: np.ndarray) -> np.ndarray:
    """Return Hurst's exponent of signals [signals, samples], from the rescaled range of every beginning."""
    found = np.zeros(len(signals))
    size = signals.shape[1]
    cumulated = np.empty(size)
    for row in range(len(signals)):
        x = signals[row]
        total, squares = 0.0, 0.0
        offset = x[0]  # near the mean: squares keep their digits
        n = sx = sy = sxx = sxy = 0.0
        for last in range(size):
            value = x[last] - offset
            total += value
            squares += value * value
            cumulated[last] = total
            count = last + 1
            mean = total / count
            variance = squares / count - mean * mean
            if count < 2 or variance <= 1e-12 * squares:
                continue
            low = high = 0.0
            for t in range(count):
                deviation = cumulated[t] - (t + 1) * mean
                low = min(low, deviation)
                high = max(high, deviation)
            if high > low:
                a, b = np.log(count), np.log((high - low) / np.sqrt(variance))
                n += 1
                sx += a
                sy += b
                sxx += a * a
                sxy += a * b
        spread = n * sxx - sx * sx
        if spread > 0:
            found[row] = (n * sxy - sx * sy) / spread
    return found


@jit
def lyapunov_exponents(signals: np.ndarray, rate: float = 100.0) -> np.ndarray:
    """Return the largest Lyapunov exponent in 1/s of signals [signals, samples]."""
    found = np.zeros(len(signals))
    # Those whose neighbours can be followed to the end.
    points = signals.shape[1] - (DIMENSIONS - 1) * DELAY - AHEAD
    if points <= APART:
        return found
    distances = np.empty(points)
    for row in range(len(signals)):
        x = signals[row]
        sums, counts = np.zeros(AHEAD + 1), np.zeros(AHEAD + 1)
        for i in range(points):
            # All distances first: this loop the processor does several at a time.
            for j in range(points):
                distances[j] = _distance(x, i, j)
            best, where = np.inf, -1
            for j in range(points):
                if 0 < distances[j] < best and abs(i - j) >= APART:
                    best, where = distances[j], j
            if where < 0:
                continue
            for ahead in range(AHEAD + 1):
                distance = _distance(x, i + ahead, where + ahead)
                if distance > 0:
                    sums[ahead] += 0.5 * np.log(distance)
                    counts[ahead] += 1
        if counts.min() == 0:
            continue
        slope = spread = 0.0
        for ahead in range(AHEAD + 1):
            slope += (ahead - AHEAD / 2) * sums[ahead] / counts[ahead]
            spread += (ahead - AHEAD / 2) ** 2
        found[row] = slope / spread * rate
    return found


@jit
def _distance(x: np.ndarray, i: int, j: int) -> float:
    total = 0.0
    for k in range(DIMENSIONS):
        step = x[i + k * DELAY] - x[j + k * DELAY]
        total += step * step
    return total
