"""A recording seen from some frequencies: amplitudes second by second, and whether they are a line's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from eegzip.codecs.signal.analysis import SampleReader
from eegzip.encoding.lines.correlation import by_signal, correlate, side_by_side
from eegzip.encoding.lines.demodulation import agreement, oscillate
from eegzip.formats.lines.oscillator import NO_SWITCH
from eegzip.formats.parallel import cores
from eegzip.formats.vectors import LANES

_STRETCH_SAMPLES = 1 << 22
_STRETCH_KNOTS = (32, 512)
_BLOCK_SAMPLES = 1 << 18
"""Of all signals: as vectors they stay in the nearest caches while all frequencies use them."""

_MASK = (1 << 32) - 1

_SIDES_HZ = (-3.0, -2.0, 2.0, 3.0)
_STEADY_KNOTS, _LAG = 16, 4
_AROUND_KNOTS = 32
"""Before and after what is surely a line it is looked for, too."""

_MIN_STEADY = 0.75
_MIN_OVER_SIDES = 6.0
MIN_LEVEL = 0.08
"""Of the EEG's level. A quieter line neither disturbs a network nor is it worth its bits."""


@dataclass(frozen=True)
class Signals:
    """Signals of one sample rate.

    Parameters
    ----------
    read : callable
        Gives their digital values [signals, n].
    n_samples : int
    centres : ndarray, shape (signals,)
        About which they vary.
    levels : ndarray, shape (signals,)
        Of the EEG in them.
    rate : float
        Samples a second.
    spacing : int
        Samples between knots.
    """

    read: SampleReader
    n_samples: int
    centres: np.ndarray
    levels: np.ndarray
    rate: float
    spacing: int

    @property
    def count(self) -> int:
        """Number of signals."""
        return len(self.centres)

    @property
    def n_knots(self) -> int:
        """Knots that the samples lie between."""
        return (self.n_samples - 1) // self.spacing + 2

    def values(self, start: int, stop: int) -> np.ndarray:
        """Samples about their centres, float64 of shape (signals, stop - start)."""
        # In one order always: compiled code of another order would be another's.
        return np.ascontiguousarray(self.read(start, stop) - self.centres[:, None])

    def side_by_side(self, start: int, stop: int) -> np.ndarray:
        """Samples about their centres, as vectors of :mod:`~eegzip.encoding.lines.correlation`."""
        return side_by_side(self.read(start, stop), self.centres)

    def stretches(self, lines: int = 1) -> Iterator[tuple[int, int]]:
        """Stretches of knots whose samples, and those of some lines, fit into the memory; all but the last knot."""
        knots = _STRETCH_SAMPLES // ((self.count + 4 * lines) * self.spacing)
        knots = min(max(knots, _STRETCH_KNOTS[0]), _STRETCH_KNOTS[1])
        for first in range(0, self.n_knots - 1, knots):
            yield first, min(first + knots, self.n_knots - 1)


def steady_phases(word: int, spacing: int, knots: int) -> np.ndarray:
    """Phases at knots of a frequency in 2**-32 turns a sample."""
    return np.arange(knots, dtype=np.int64) * ((word * spacing) & _MASK) & _MASK


def _products(signals: Signals, words: Sequence[int], first: int, stop: int) -> np.ndarray:
    """What samples between two knots and some frequencies have in common: [frequencies, signals, knots, 2]."""
    spacing = signals.spacing
    rows = signals.read(first * spacing, min(stop * spacing, signals.n_samples))
    result = np.zeros((len(words), signals.count, stop - first + 1, 2))
    size = max(_BLOCK_SAMPLES // (signals.count * spacing), 1)

    def look(knot: int) -> np.ndarray:
        begin, count = (knot - first) * spacing, min(size, stop - knot)
        block = side_by_side(rows[:, begin : begin + count * spacing], signals.centres)
        basis, none = np.empty((4, block.shape[1])), np.full(count, NO_SWITCH, np.int64)
        sums = np.zeros((len(words), len(block), count + 1, 2, LANES))
        for word, into in zip(words, sums, strict=True):
            phases = steady_phases(word, spacing, knot + count + 1)[knot:]
            oscillate(phases, np.full(count, word, np.int64), none, spacing, 0, basis)
            correlate(block, basis, spacing, 0, into)
        return by_signal(sums, signals.count)

    knots = range(first, stop, size)
    with ThreadPoolExecutor(cores()) as pool:
        for knot, found in zip(knots, pool.map(look, knots), strict=True):
            result[:, :, knot - first : knot - first + found.shape[2]] += found
    return result


def seen_from(signals: Signals, words: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Look at signals from some frequencies, all in one pass.

    Parameters
    ----------
    signals : Signals
    words : sequence of int
        Frequencies in 2**-32 turns a sample.

    Returns
    -------
    amplitudes : ndarray of float32, shape (frequencies, signals, knots, 2)
        About each knot, of cosine and negative sine.
    noise : ndarray of float64, shape (frequencies, signals)
        Mean square of amplitudes a few Hz beside each: the middle one of those.
    """
    knots, spacing = signals.n_knots, signals.spacing
    weights = np.full(knots, float(spacing))
    weights[0] = spacing / 2
    rest = (signals.n_samples - 1) % spacing + 1
    weights[-1] = max(rest * rest / (2 * spacing), 0.05 * spacing)
    if knots > 2:
        weights[-2] = spacing / 2 + rest - rest * rest / (2 * spacing)
    beside = [[word + round(hz / signals.rate * (1 << 32)) for hz in _SIDES_HZ] for word in words]
    beside = [[side for side in sides if 0 < side < 1 << 31] for sides in beside]
    flat = [side for sides in beside for side in sides]
    amplitudes = np.zeros((len(words), signals.count, knots, 2), np.float32)
    energy, count = np.zeros((len(flat), signals.count)), 0
    for first, stop in signals.stretches(len(words) + len(flat)):
        found = _products(signals, [*words, *flat], first, stop)
        part = found[: len(words)] * (2 / weights[first : stop + 1])[:, None]
        amplitudes[:, :, first : stop + 1] += part.astype(np.float32)
        pairs = np.square(found[len(words) :, :, 1:-1])
        # Accumulated, which has one order where a sum has none.
        for row in (pairs[..., 0] + pairs[..., 1]).transpose(2, 0, 1):
            energy += row
        count += max(stop - first - 1, 0)
    energy *= (2 / spacing) ** 2 / max(count, 1)
    noise = np.zeros((len(words), signals.count))
    at = 0
    for row, sides in zip(noise, beside, strict=True):
        means = np.sort(energy[at : at + len(sides)], axis=0)
        row[:] = (means[(len(sides) - 1) // 2] + means[len(sides) // 2]) / 2
        at += len(sides)
    return amplitudes, noise


@dataclass(frozen=True)
class Presence:
    """Where a line is.

    Parameters
    ----------
    signals : ndarray of bool, shape (signals,)
        Which signals have it at all.
    knots : ndarray of bool, shape (knots,)
        When any of them has it, or is about to.
    noise : ndarray of float, shape (signals,)
        Mean square of amplitudes beside it, where there is no line.
    """

    signals: np.ndarray
    knots: np.ndarray
    noise: np.ndarray


def loudness(signals: Signals, amplitudes: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """When amplitudes [signals, knots, 2] are far above those beside, and large enough to matter.

    Returns
    -------
    ndarray of bool, shape (signals, knots)
    """
    least = np.maximum(2 * np.square(MIN_LEVEL * signals.levels), _MIN_OVER_SIDES * noise)
    result = np.zeros(amplitudes.shape[:2], bool)
    for signal, first, stop in _spans(amplitudes):
        result[signal, first:stop] = agreement(amplitudes[signal], first, stop, 1)[0] >= least[signal]
    return result


def presence(turned: np.ndarray, loud: np.ndarray, noise: np.ndarray) -> Presence:
    """Whether amplitudes that were brought into a line's track are a line's: loud ones that stay as they are.

    Parameters
    ----------
    turned : ndarray, shape (signals, knots, 2)
    loud : ndarray of bool, shape (signals, knots)
    noise : ndarray, shape (signals,)
    """
    knots = turned.shape[1]
    lag = min(_LAG, max(knots // 3, 1))
    there, when = np.zeros(len(turned), bool), np.zeros(knots, bool)
    for signal, first, stop in _spans(turned):
        if loud[signal, first]:
            energy, steady = agreement(turned[signal], first, stop, lag)
            if steady >= _MIN_STEADY * energy:
                there[signal] = True
                when[max(first - _AROUND_KNOTS, 0) : stop + _AROUND_KNOTS] = True
    return Presence(there, when, noise)


def _spans(amplitudes: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Signals and stretches of knots to be judged by themselves; the last stretch is a long one."""
    knots = amplitudes.shape[1]
    starts = range(0, max(knots - _STEADY_KNOTS // 2, 1), _STEADY_KNOTS)
    for signal in range(len(amplitudes)):
        for first in starts:
            yield signal, first, knots if first == starts[-1] else first + _STEADY_KNOTS
