"""Finds the lines of a recording: which there are, and what is written of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.codecs.signal.analysis import SampleReader
from eegzip.encoding.lines.baseband import Presence, Signals, loudness, presence, seen_from
from eegzip.encoding.lines.fitting import Track, fit, quantise
from eegzip.encoding.lines.spectra import propose
from eegzip.encoding.lines.tracking import advance, audible, course, into_track, switches, track
from eegzip.encoding.statistics import SignalStatistics
from eegzip.formats.eegz.lines import LineSet
from eegzip.formats.limits import MAX_LINE_SPACING, MAX_LINE_STEP, MIN_LINE_SPACING
from eegzip.formats.lines.oscillator import AMPLITUDE_BITS, MAX_AMPLITUDE, Line

_STEP_LEVEL = 0.02
"""Steps of amplitudes over the EEG's level: what rounding leaves of a line is a hundredth of the EEG."""

_GRAIN_HZ = 0.0002
_TOGETHER = 4
"""Frequencies that are looked from at a time; each takes memory that grows with the recording."""

_MIN_RATE, _MAX_RATE = 32.0, 65536.0


def find_lines(
    read: SampleReader, n_samples: int, rate: float, indices: Sequence[int], statistics: Sequence[SignalStatistics]
) -> tuple[LineSet, list[Line]] | None:
    """Find the lines of signals of one sample rate.

    Parameters
    ----------
    read : callable
        Gives their digital values [signals, n].
    n_samples : int
    rate : float
        Hz.
    indices : sequence of int
        Of the signals, in the recording.
    statistics : sequence of SignalStatistics
        Of each of them.

    Returns
    -------
    tuple of LineSet and list of Line, or None
        Of those signals that have any, over all knots, amplitudes in steps; ``None`` where none is worth it.
    """
    if not _MIN_RATE <= rate <= _MAX_RATE:
        return None
    spacing = min(max(round(rate), MIN_LINE_SPACING), MAX_LINE_SPACING)
    proposed = propose(read, n_samples, len(indices), rate, spacing)
    if not len(proposed.frequencies):
        return None
    centres = np.array([found.centre for found in statistics], np.float64)
    signals = Signals(read, n_samples, centres, np.maximum(proposed.levels, 1.0), rate, spacing)
    grain = max(int(_GRAIN_HZ / rate * (1 << 32)).bit_length() - 1, 0)
    words = [round(float(frequency) * (1 << 32)) for frequency in proposed.frequencies]
    candidates: list[_Candidate | None] = []
    for first in range(0, len(words), _TOGETHER):
        some = words[first : first + _TOGETHER]
        for word, amplitudes, noise in zip(some, *seen_from(signals, some), strict=True):
            candidates.append(_candidate(signals, grain, word, amplitudes, noise))
    found = [candidate for candidate in candidates if candidate is not None]
    if not found:
        return None
    # What is fitted knows better than what was seen from a steady frequency, at the ends above all.
    fitted = _fitted(signals, found)
    for candidate, amplitudes in zip(found, fitted, strict=True):
        candidate.follow(signals, grain, amplitudes)
    fitted = _fitted(signals, found)
    steps = np.clip(np.rint(_STEP_LEVEL * signals.levels * (1 << AMPLITUDE_BITS)), 1, MAX_LINE_STEP).astype(np.int64)
    having = np.any([candidate.found.signals for candidate in found], axis=0)
    chosen = [int(signal) for signal in np.flatnonzero(having)]
    lines = []
    for candidate, amplitudes in zip(found, fitted, strict=True):
        phases, frequencies, switched = candidate.track
        who, when = candidate.found.signals, candidate.found.knots
        values = np.zeros((len(chosen), signals.n_knots, 2), np.int64)
        for place, signal in enumerate(chosen):
            if who[signal]:
                step = float(steps[signal]) / (1 << AMPLITUDE_BITS)
                values[place] = quantise(amplitudes[signal], switched, when, step, float(candidate.found.noise[signal]))
                np.clip(values[place], -(MAX_AMPLITUDE // steps[signal]), MAX_AMPLITUDE // steps[signal], values[place])
        lines.append(Line(phases, frequencies, switched, values.astype(np.int32)))
    entry = LineSet(
        signals=tuple(indices[signal] for signal in chosen),
        lowest=tuple(statistics[signal].lowest for signal in chosen),
        highest=tuple(statistics[signal].highest for signal in chosen),
        steps=tuple(int(steps[signal]) for signal in chosen),
        count=len(lines),
        spacing=spacing,
        grain=grain,
    )
    return entry, lines


@dataclass
class _Candidate:
    """A line that was found.

    Attributes
    ----------
    word : int
        The frequency that it was looked for at.
    found : Presence
    track : Track
    """

    word: int
    found: Presence
    track: Track

    def follow(self, signals: Signals, grain: int, amplitudes: np.ndarray) -> None:
        """Correct the track by amplitudes [signals, knots, 2] that were fitted along it."""
        weights = self.found.signals / np.square(signals.levels)
        _, frequencies, switched = self.track
        when = self.found.knots & audible(amplitudes, weights, self.found.noise)
        ahead = advance(self.word, signals.spacing, frequencies) + course(amplitudes, weights, when)
        moved = track(self.word, grain, signals.spacing, ahead, amplitudes, weights, self.found.noise, when)
        self.track = (*moved, switched)


def _candidate(signals: Signals, grain: int, word: int, amplitudes: np.ndarray, noise: np.ndarray) -> _Candidate | None:
    """The line about a frequency; ``None`` where what is there is none."""
    loud = loudness(signals, amplitudes, noise)
    if not loud.any():
        return None
    weights = loud.any(axis=1) / np.square(signals.levels)
    # At the ends there is only half of what a knot stands for.
    when = np.asarray(loud.any(axis=0)) & audible(amplitudes, weights, noise)
    when[[0, -2, -1]] = False
    ahead = course(amplitudes, weights, when)
    rough, _ = track(word, grain, signals.spacing, ahead, amplitudes, weights, noise, when, rough=True)
    found = presence(into_track(word, signals.spacing, amplitudes, rough), loud, noise)
    if not found.signals.any():
        return None
    phases, frequencies = track(word, grain, signals.spacing, ahead, amplitudes, weights, noise, when)
    turned = into_track(word, signals.spacing, amplitudes, phases)
    weights = found.signals / np.square(signals.levels)
    switched = switches(signals, found, turned, weights, phases, frequencies)
    return _Candidate(word, found, (phases, frequencies, switched))


def _fitted(signals: Signals, found: list[_Candidate]) -> np.ndarray:
    return fit(signals, [line.track for line in found], [line.found.knots for line in found])
