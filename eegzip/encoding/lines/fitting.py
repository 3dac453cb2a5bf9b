"""Amplitudes of lines by least squares: all lines together, each signal by itself, a stretch of knots at a time."""

from __future__ import annotations

import itertools

import numpy as np

from eegzip.encoding.lines.baseband import Signals
from eegzip.encoding.lines.correlation import by_signal, correlate
from eegzip.encoding.lines.demodulation import gram, mean_change, oscillate, settle, smooth, solve
from eegzip.formats.lines.oscillator import NO_SWITCH
from eegzip.formats.vectors import LANES

_MARGIN_KNOTS = 8
_BOND = 0.05
"""What holds neighbouring amplitudes together, where there is little else to know them by."""

_LAGS = (4, 12)
_USUAL_STIFFNESS, _MAX_STIFFNESS = 16.0, 400.0
_NOISY_CHANGE, _NOISY_FIT = 20.0, 8.0
"""By what fitted amplitudes change from knot to knot for noise alone, and how large they are, thrice to be sure."""

_ROOM = 0.8
"""Steps."""

Track = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Phases, frequencies and switches of a line."""


def fit(signals: Signals, tracks: list[Track], present: list[np.ndarray]) -> np.ndarray:
    """Fit amplitudes at knots.

    Parameters
    ----------
    signals : Signals
    tracks : list of Track
    present : list of ndarray of bool, each of shape (knots,)
        When each line is there.

    Returns
    -------
    ndarray of float32, shape (lines, signals, knots, 2)
        In digital units; 0 where a line is not there.
    """
    result = np.zeros((len(tracks), signals.count, signals.n_knots, 2), np.float32)
    for first, stop in signals.stretches(len(tracks)):
        low, high = max(first - _MARGIN_KNOTS, 0), min(stop + _MARGIN_KNOTS, signals.n_knots - 1)
        chosen = [place for place, when in enumerate(present) if when[low : high + 1].any()]
        if not chosen:
            continue
        found = _fit_stretch(signals, [tracks[place] for place in chosen], low, high)
        end = stop + 1 if stop == signals.n_knots - 1 else stop
        for row, place in enumerate(chosen):
            result[place, :, first:end] = found[row, :, first - low : end - low]
    for place, when in enumerate(present):
        result[place, :, ~when] = 0
    return result


def _fit_stretch(signals: Signals, tracks: list[Track], low: int, high: int) -> np.ndarray:
    """Amplitudes [lines, signals, knots, 2] at the knots from `low` to `high`, both included."""
    spacing, lines, knots = signals.spacing, len(tracks), high - low + 1
    beside = signals.side_by_side(low * spacing, min(high * spacing, signals.n_samples))
    bases = np.empty((lines, 4, beside.shape[1]))
    sums = np.zeros((lines, len(beside), knots, 2, LANES))
    same, following = np.zeros((knots, 2 * lines, 2 * lines)), np.zeros((knots, 2 * lines, 2 * lines))
    bond = _BOND * spacing / 2
    for line, (phases, frequencies, switched) in enumerate(tracks):
        jumps = switched[low:high]
        oscillate(phases[low : high + 1], frequencies[low:high], jumps, spacing, 0, bases[line])
        correlate(beside, bases[line], spacing, 0, sums[line])
        held = np.where(jumps == NO_SWITCH, bond, 0.0)
        for part in (2 * line, 2 * line + 1):
            same[:-1, part, part] += held
            same[1:, part, part] += held
            same[:, part, part] += 1e-3 * bond
            following[:-1, part, part] -= held
    gram(bases, spacing, 0, same, following)
    # From [lines, signals, knots, 2] to [knots, 2 * lines, signals] and back.
    right = by_signal(sums, signals.count).transpose(2, 0, 3, 1)
    sides = np.ascontiguousarray(right).reshape(knots, 2 * lines, signals.count)
    solve(same, following, sides)
    return sides.reshape(knots, lines, 2, signals.count).transpose(1, 3, 0, 2)


def quantise(
    amplitudes: np.ndarray, switched: np.ndarray, present: np.ndarray, step: float, noise: float
) -> np.ndarray:
    """Round a line's amplitudes in one signal, as steadily as they are.

    Parameters
    ----------
    amplitudes : ndarray, shape (knots, 2)
    switched : ndarray of int64, shape (knots - 1,)
    present : ndarray of bool, shape (knots,)
    step : float
        In the units of the amplitudes.
    noise : float
        Mean square of amplitudes beside the line.

    Returns
    -------
    ndarray of int64, shape (knots, 2)
        In steps.
    """
    values = amplitudes.astype(np.float64) / step
    breaks = (switched != NO_SWITCH) | (present[:-1] != present[1:])
    smooth(values, breaks, _stiffness(values[present], breaks[present[:-1]], noise / step**2))
    result = np.zeros(values.shape, np.int64)
    edges = [0, *(np.flatnonzero(breaks) + 1), len(values)]
    for first, stop in itertools.pairwise(edges):
        if present[first]:
            settle(values[first:stop], _ROOM, result[first:stop])
    return result


def _stiffness(values: np.ndarray, breaks: np.ndarray, noise: float) -> float:
    """How steady amplitudes are: the variance of what is not theirs, over that of their own step to the next knot.

    Seen as steps at random that are seen through noise, they change by twice the noise, and a step for every knot. How
    large the noise is, changes over some seconds say; but what is far above the noise beside a line is the line's.
    """
    fast = mean_change(values, breaks, 1) - _NOISY_CHANGE * noise
    most = _MAX_STIFFNESS if fast <= 0 else min(_NOISY_FIT * noise / fast, _MAX_STIFFNESS)
    short, long = (mean_change(values, breaks, lag) for lag in _LAGS)
    if long < 0:
        return min(_USUAL_STIFFNESS, most)
    steps = (long - short) / (_LAGS[1] - _LAGS[0])
    quiet = max((short - _LAGS[0] * max(steps, 0.0)) / 2, 0.0)
    return min(quiet / max(steps, 1e-9), most)
