"""The EEG part of a signal: what lies above 0.5 Hz and beside the mains lines (SPEC.md, section 7.1).

What is taken away, one after the other, from a stretch of samples by itself:

* **Offset and drift.** At each sample the value there of the straight line that is nearest to the samples within
  1.15 s, in the sense of least squares, weighted by a triangle. Inside the stretch that is two moving averages in a
  row, so half the power is left at 0.5 Hz, 4 % of the amplitude at 0.1 Hz and nothing of a straight line; at the ends
  only the samples that there are take part, so a drift is gone there too and nothing is made up beyond them.
* **The lines** of :data:`LINES` below half the sample rate: at each sample the wave of that frequency which fits best
  within 0.4 s, weighted by a triangle. Half the power is left 1.4 Hz beside a line.

Sums over digital samples inside a stretch are of integers. All else is IEEE 754's operations in one order, without a
library function whose last bits differ, so the result is the same on every processor.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from eegzip.formats.entropy.jit import jit

DRIFT_SECONDS = 1.15
LINE_SECONDS = 0.4
LINES = (50.0, 60.0, 100.0, 120.0, 150.0, 180.0)
"""Hz. Mains of either kind and the harmonics in which there may be power worth a bound."""

NORM = 1.05
"""Above what the EEG part of an error can be over the error, each as the root of its sum of squares."""

_PHASES = 65536
_SCALE = 1 << 20


def eeg_part(samples: np.ndarray, rate: float) -> np.ndarray:
    """Return the EEG part of signals.

    Parameters
    ----------
    samples : ndarray of int, shape (signals, n)
        Digital values of up to 24 bits, or differences of such; one stretch of each signal.
    rate : float
        Samples a second.

    Returns
    -------
    ndarray of float64, shape (signals, n)
        In digital units.
    """
    values = np.ascontiguousarray(samples, np.int64)
    result = np.empty(values.shape)
    lines = np.array([line for line in LINES if line < rate / 2]) / rate
    _parts(values, _samples(DRIFT_SECONDS, rate), lines, _samples(LINE_SECONDS, rate), _wave(), result)
    return result


def eeg_energy(samples: np.ndarray, rate: float) -> np.ndarray:
    """Return the sum of squares of the EEG part of each signal, shape (signals,); see :func:`eeg_part`."""
    return _energies(eeg_part(samples, rate))


def _samples(seconds: float, rate: float) -> int:
    return max(1, int(seconds * rate + 0.5))


@lru_cache(1)
def _wave() -> np.ndarray:
    """A period of a cosine, rounded to where no library's last bit counts."""
    return np.rint(_SCALE * np.cos(2 * np.pi / _PHASES * np.arange(_PHASES))) / _SCALE


@jit
def _energies(rows: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(rows))
    for row in range(len(rows)):
        total = 0.0
        for value in rows[row]:
            total += value * value
        sums[row] = total
    return sums


@jit
def _parts(
    samples: np.ndarray, half: int, lines: np.ndarray, line_half: int, wave: np.ndarray, result: np.ndarray
) -> None:
    _take_drift(samples, half, result)
    cosines, sines = np.empty(samples.shape[1]), np.empty(samples.shape[1])
    for line in lines:
        for place in range(len(cosines)):
            turns = place * line
            phase = int((turns - np.floor(turns)) * _PHASES)
            cosines[place] = wave[phase]
            sines[place] = wave[(phase + 3 * _PHASES // 4) % _PHASES]
        for row in range(len(result)):
            _take_line(result[row], cosines, sines, line_half)


@jit
def _take_drift_of_end(samples: np.ndarray, half: int, result: np.ndarray, whole: bool) -> None:
    """Do so where samples are missing: where these [signals, n] begin and, if they are the `whole`, where they end.

    Sums over a window follow from sums of values, of values times places and of values times squared places.
    """
    rows, count = samples.shape
    sums = np.zeros((rows, 3, count + 1))
    for row in range(rows):
        for place in range(count):
            value = float(samples[row, place] - samples[row, 0])
            sums[row, 0, place + 1] = sums[row, 0, place] + value
            sums[row, 1, place + 1] = sums[row, 1, place] + value * place
            sums[row, 2, place + 1] = sums[row, 2, place] + value * place * place
    for place in range(count if whole else half - 1):
        if half - 1 <= place <= count - half:
            continue
        begin, end = max(0, place - half + 1), min(count, place + half)
        weights, firsts, seconds = 0.0, 0.0, 0.0
        for other in range(begin, end):
            away = other - place
            weight = float(half - abs(away))
            weights += weight
            firsts += weight * away
            seconds += weight * away * away
        spread = weights * seconds - firsts * firsts
        near, far = float(half - place), float(half + place)
        for row in range(rows):
            before = sums[row, :, place] - sums[row, :, begin]
            after = sums[row, :, end] - sums[row, :, place]
            level = near * before[0] + before[1] + far * after[0] - after[1]
            slope = before[2] + (near - place) * before[1] - place * near * before[0]
            slope += (far + place) * after[1] - after[2] - place * far * after[0]
            value = float(samples[row, place] - samples[row, 0])
            # One sample alone is its own line.
            drift = (seconds * level - firsts * slope) / spread if spread > 0 else value
            result[row, place] = value - drift


@jit
def _take_drift(samples: np.ndarray, half: int, result: np.ndarray) -> None:
    """Samples [signals, n] without the line through those less than `half` away, weighted by `half` less how far."""
    rows, count = samples.shape
    size = min(count, 2 * half)
    _take_drift_of_end(samples[:, :size], half, result[:, :size], size == count)
    if size < count:
        # Mirrored, the end is a beginning.
        _take_drift_of_end(samples[:, count - size :][:, ::-1], half, result[:, count - size :][:, ::-1], False)
    if count < 2 * half - 1:
        return
    square = float(half) * float(half)
    for row in range(rows):
        values = samples[row]
        sums = 0
        for other in range(2 * half - 1):
            sums += (half - abs(other - half + 1)) * values[other]
        before, after = 0, 0
        for other in range(half):
            before += values[other]
        for other in range(half, min(2 * half, count)):
            after += values[other]
        for place in range(half - 1, count - half + 1):
            result[row, place] = (half * half * values[place] - sums) / square
            if place == count - half:
                break
            sums += after - before
            before += values[place + 1] - values[place - half + 1]
            after -= values[place + 1]
            if place + half + 1 < count:
                after += values[place + half + 1]


@jit
def _take_line(values: np.ndarray, cosines: np.ndarray, sines: np.ndarray, half: int) -> None:
    """Take a wave of one frequency out of a signal [n]: around each sample, the one within less than `half` of it."""
    count = len(values)
    # With zeros on both sides; a triangle's sum changes by what it nears less what it leaves.
    even, odd = np.zeros(count + 2 * half), np.zeros(count + 2 * half)
    for place in range(count):
        even[half + place] = values[place] * cosines[place]
        odd[half + place] = values[place] * sines[place]
    even_sum, even_ahead, even_behind = 0.0, 0.0, 0.0
    odd_sum, odd_ahead, odd_behind = 0.0, 0.0, 0.0
    for place in range(half):
        even_ahead += even[half + place]
        odd_ahead += odd[half + place]
        even_sum += (half - 1 - place) * even[half + place]
        odd_sum += (half - 1 - place) * odd[half + place]
    whole = 2.0 / (float(half) * float(half))
    for place in range(count):
        at = half + place
        even_sum += even_ahead - even_behind
        odd_sum += odd_ahead - odd_behind
        even_ahead += even[at + half] - even[at]
        odd_ahead += odd[at + half] - odd[at]
        even_behind += even[at] - even[at - half]
        odd_behind += odd[at] - odd[at - half]
        share = whole
        if place < half - 1 or place > count - half:
            before, after = max(0, half - 1 - place), max(0, half - count + place)
            share = 2.0 / float(half * half - (before * (before + 1) + after * (after + 1)) // 2)
        values[place] -= share * (even_sum * cosines[place] + odd_sum * sines[place])
