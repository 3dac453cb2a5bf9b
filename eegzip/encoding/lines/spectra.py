"""Candidates for lines, from spectra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eegzip.codecs.signal.analysis import SampleReader

WINDOW_KNOTS = 4
"""Seconds, about, of a window; so bins are a quarter of a Hz, about."""

EPOCH_WINDOWS = 8
_READ_SAMPLES = 1 << 22
_LOWEST_HZ = 8.0
"""Below it, what is narrow is the brain's or a breath's."""

_LEVEL_HZ = (1.0, 40.0)
_HALF_WIDTH = 1
"""Bins on each side that a steady line takes in."""

_NEAR, _FAR = 4, 12
"""Bins: how far from a line its surroundings are looked at."""

_MAX_RATIO = 30.0
_APART = 8
"""Bins between two lines that are proposed, at least."""

_MIN_RATIO = 2.5
"""Of a line to its surroundings, in the mean over channels; a generous one, as what is proposed is looked at again."""

_MIN_ALONE = 5.0
"""Likewise, of a single channel."""

MAX_PROPOSED = 16


@dataclass(frozen=True)
class Proposals:
    """What spectra say.

    Parameters
    ----------
    frequencies : ndarray of float, shape (lines,)
        Of lines that may be there, in cycles a sample; the strongest first.
    levels : ndarray of float, shape (signals,)
        Root-mean-square of the EEG, from 1 to 40 Hz without lines, in digital units, to three binary digits.
    """

    frequencies: np.ndarray
    levels: np.ndarray


def propose(read: SampleReader, n_samples: int, signals: int, rate: float, spacing: int) -> Proposals:
    """Look at the spectra of a recording's signals, half a minute at a time.

    Parameters
    ----------
    read : callable
        Gives digital values [signals, n].
    n_samples, signals : int
    rate : float
        Samples a second.
    spacing : int
        Samples between knots, about a second.
    """
    length = WINDOW_KNOTS * spacing
    if n_samples < length:
        return Proposals(np.zeros(0), np.zeros(signals))
    starts = list(range(0, n_samples - length + 1, length))
    if n_samples - starts[-1] - length >= length // 2:
        starts.append(n_samples - length)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    hz = np.arange(length // 2 + 1) * rate / length
    score = np.zeros(len(hz))
    levels = []
    for epoch, values in _epochs(read, starts, length, signals):
        power = np.zeros((signals, len(hz)))
        for start in epoch:
            part = values[:, start - epoch[0] : start - epoch[0] + length].astype(np.float64)
            part -= part.mean(axis=1, keepdims=True)
            power += np.square(np.abs(np.fft.rfft(part * taper, axis=1)))
        power *= 2 / (length * np.square(taper).sum() * len(epoch))
        ratio = _ratios(power)
        whole = np.where(ratio > _MIN_ALONE, 0.0, power)[:, (hz >= _LEVEL_HZ[0]) & (hz <= _LEVEL_HZ[1])].sum(axis=1)
        levels.append(np.sqrt(whole))
        ratio[:, (hz < _LOWEST_HZ) | (hz > rate / 2 - 1)] = 0
        pooled = ratio.mean(axis=0)
        pooled = np.where((pooled >= _MIN_RATIO) | (ratio.max(axis=0, initial=0) >= _MIN_ALONE), pooled, 0.0)
        score += _peaks(pooled, (power / np.maximum(whole, 1.0)[:, None]).mean(axis=0))
    chosen: list[int] = []
    rounded = _coarse(score)
    while len(chosen) < MAX_PROPOSED and rounded.any():
        best = int(rounded.argmax())
        chosen.append(best)
        rounded[max(best - _APART, 0) : best + _APART + 1] = 0
    return Proposals(np.array(chosen) / length, _coarse(np.median(levels, axis=0)))


def _epochs(read: SampleReader, starts: list[int], length: int, signals: int) -> Iterator[tuple[list[int], np.ndarray]]:
    """First samples of the windows of each epoch, and the samples from the epoch's first on.

    Several epochs are read at a time, as data records may be long.
    """
    epochs = [starts[first : first + EPOCH_WINDOWS] for first in range(0, len(starts), EPOCH_WINDOWS)]
    together = max(_READ_SAMPLES // (signals * length * EPOCH_WINDOWS), 1)
    for first in range(0, len(epochs), together):
        part = epochs[first : first + together]
        begin = part[0][0]
        values = read(begin, part[-1][-1] + length)
        for epoch in part:
            yield epoch, values[:, epoch[0] - begin : epoch[-1] + length - begin]


def _ratios(power: np.ndarray) -> np.ndarray:
    """What stands within a bin of each, over the quieter of its two sides, at most 30."""
    bins = power.shape[1]
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    places = np.arange(bins)

    def mean(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        low, high = np.clip(low, 0, bins), np.clip(high, 0, bins)
        count = high - low
        return np.where(count > 0, (sums[:, high] - sums[:, low]) / np.maximum(count, 1), np.inf)

    here = mean(places - _HALF_WIDTH, places + _HALF_WIDTH + 1)
    beside = np.minimum(mean(places - _FAR, places - _NEAR + 1), mean(places + _NEAR, places + _FAR + 1))
    result: np.ndarray = np.minimum(here / np.maximum(beside, 1e-12), _MAX_RATIO)
    return result


def _peaks(scores: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Scores of bins that no bin nearby exceeds in power; times their power, as the strongest are to come first."""
    padded = np.pad(power, _APART)
    largest = np.lib.stride_tricks.sliding_window_view(padded, 2 * _APART + 1).max(axis=1)
    return np.where((power >= largest) & (scores > 0), power, 0.0)


def _coarse(values: np.ndarray) -> np.ndarray:
    """To three binary digits, so that the last bits of a Fourier transform don't show."""
    fraction, exponent = np.frexp(values)
    return np.ldexp(np.rint(fraction * 8), exponent - 3)
