"""Tracking of a line: the frequency that it follows, and where it is switched."""

from __future__ import annotations

import numpy as np

from eegzip.encoding.lines.baseband import Presence, Signals, steady_phases
from eegzip.encoding.lines.demodulation import oscillate
from eegzip.encoding.lines.phase import angle, lock, rotate, straighten
from eegzip.formats.lines.oscillator import NO_SWITCH

_MASK = (1 << 32) - 1

_STRAIGHT, _MAX_STRAIGHT = 100.0, 100.0
"""How stiff a track is where the noise is as large as the line: mains drift by a hundredth of a Hz in a second."""

_ROUGH = 40.0
_AUDIBLE = 4.0
_PHASE_ROOM, _MAX_ROOM = 0.005, 0.02
"""Turns by which a line of the EEG's size may leave its track before its frequency is changed: amplitudes follow."""

_NOISE_ROOM = 0.04
"""Turns, times noise over amplitude, in which no track can be told from another."""

_LONGEST = 256
"""Knots that have one frequency."""


_SIDE_KNOTS = 3
_MIN_JUMP, _OVER_NOISE, _OVER_CHANGE = 0.1, 20.0, 6.0
_APART = 4
"""Knots between two switches of a line, at least."""


def weighted(parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over the first axis in one order."""
    total = np.zeros(parts.shape[1:])
    for part, weight in zip(parts, weights, strict=True):
        total += part * weight
    return total


def course(amplitudes: np.ndarray, weights: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Phase that signals have in common, as it is measured.

    Parameters
    ----------
    amplitudes : ndarray, shape (signals, knots, 2)
        Seen from a frequency.
    weights : ndarray, shape (signals,)
    present : ndarray of bool, shape (knots,)
        When there is a line to follow.

    Returns
    -------
    ndarray of float64, shape (knots,)
        Turns by which the line is ahead of the frequency.
    """
    pairs = amplitudes.astype(np.float64)
    steps = _common(pairs[:, 1:], pairs[:, :-1], weights)
    steps[~(present[:-1] & present[1:])] = 0
    whole = _total(steps)
    result = np.zeros(len(present))
    lock(pairs, weights, present, angle(float(whole[0]), float(whole[1])), result)
    return result


def track(
    word: int,
    grain: int,
    spacing: int,
    ahead: np.ndarray,
    amplitudes: np.ndarray,
    weights: np.ndarray,
    noise: np.ndarray,
    present: np.ndarray,
    *,
    rough: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Phases and frequencies that a measured course of phases is followed by.

    Parameters
    ----------
    word, grain, spacing : int
        Frequencies change by multiples of ``2**grain``.
    ahead : ndarray, shape (knots,)
        From :func:`course`.
    amplitudes, weights, present
        As there.
    noise : ndarray, shape (signals,)
        Mean square of what in the amplitudes is not the line's.
    rough : bool
        Follow no faster than mains drift.

    Returns
    -------
    phases : ndarray of int64, shape (knots,)
    frequencies : ndarray of int64, shape (knots - 1,)
    """
    size = float(_total(_sizes(amplitudes[:, present].astype(np.float64), weights)[:, None])[0])
    size = max(size / max(int(present.sum()), 1), 1e-12)
    unsure = float(weighted(noise[:, None], weights)[0]) / size
    straight = ahead.copy()
    straighten(straight, present, max(_ROUGH if rough else 0.0, min(_STRAIGHT * unsure, _MAX_STRAIGHT)))
    count = max(int(np.count_nonzero(weights)), 1)
    room = max(_PHASE_ROOM / (size / count) ** 0.5, _NOISE_ROOM * unsure**0.5)
    return _written(word, 1 << grain, spacing, straight, min(room, _MAX_ROOM))


def _written(word: int, unit: int, spacing: int, ahead: np.ndarray, room: float) -> tuple[np.ndarray, np.ndarray]:
    """Phases and frequencies that stay within `room` of a course of phases, changing as seldom as that allows."""
    knots = len(ahead)
    phases, frequencies = np.zeros(knots, np.int64), np.zeros(max(knots - 1, 0), np.int64)
    offset, worth = (word % unit) * spacing / (1 << 32), unit * spacing / (1 << 32)
    # Turns since the first knot beyond those of the nearest whole number of units.
    wanted = ahead + offset * np.arange(knots)
    nominal, at, k = word // unit, 0.0, 0
    while k < knots - 1:
        length = min(_LONGEST, knots - 1 - k)
        while True:
            chosen = round(float(wanted[k + length] - at) / (length * worth))
            left = np.abs(at + chosen * worth * np.arange(1, length + 1) - wanted[k + 1 : k + 1 + length])
            if length == 1 or float(left.max()) <= room:
                break
            length = max(length * 3 // 4, 1)
        frequency = min(max(nominal + chosen, 0), _MASK // unit) * unit
        for _ in range(length):
            frequencies[k] = frequency
            phases[k + 1] = (int(phases[k]) + frequency * spacing) & _MASK
            k += 1
        at += length * chosen * worth
    return phases, frequencies


def _common(pairs: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over signals of complex numbers [signals, n, 2] times the conjugates of others: [n, 2]."""
    real = pairs[..., 0] * others[..., 0] + pairs[..., 1] * others[..., 1]
    imaginary = pairs[..., 1] * others[..., 0] - pairs[..., 0] * others[..., 1]
    return np.stack([weighted(real, weights), weighted(imaginary, weights)], axis=1)


def _total(values: np.ndarray) -> np.ndarray:
    """Sum over the first axis in one order."""
    return weighted(values, np.ones(len(values)))


def _sizes(pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over signals of squares of complex numbers [signals, n, 2]."""
    return weighted(np.square(pairs[..., 0]) + np.square(pairs[..., 1]), weights)


def audible(amplitudes: np.ndarray, weights: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """At which knots amplitudes [signals, knots, 2], all taken together, are well above the noise."""
    quiet = float(weighted(noise[:, None], weights)[0])
    return np.asarray(_sizes(amplitudes.astype(np.float64), weights) >= _AUDIBLE * quiet)


def advance(word: int, spacing: int, frequencies: np.ndarray) -> np.ndarray:
    """Turns [knots] by which a track is ahead of a frequency."""
    steps = (frequencies - word) * spacing / (1 << 32)
    return np.concatenate([np.zeros(1), np.cumsum(steps)])


def into_track(word: int, spacing: int, amplitudes: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Amplitudes [signals, knots, 2] that were seen from a steady frequency, seen from a track."""
    turned = amplitudes.astype(np.float64)
    rotate(turned, (phases - steady_phases(word, spacing, len(phases))) & _MASK)
    return turned


def switches(
    signals: Signals,
    found: Presence,
    turned: np.ndarray,
    weights: np.ndarray,
    phases: np.ndarray,
    frequencies: np.ndarray,
) -> np.ndarray:
    """Find where a line is switched on or off, or jumps.

    Parameters
    ----------
    signals : Signals
    found : Presence
    turned : ndarray, shape (signals, knots, 2)
        Amplitudes in the line's track.
    weights : ndarray, shape (signals,)
        0 for signals without the line.
    phases, frequencies : ndarray
        The track.

    Returns
    -------
    ndarray of int64, shape (knots - 1,)
        Samples after each knot; NO_SWITCH where there is none.
    """
    result = np.full(len(frequencies), NO_SWITCH, np.int64)
    knots = turned.shape[1]
    jumps = np.zeros(len(frequencies))
    noise = float(weighted(found.noise[:, None], weights)[0])
    for k in range(1, knots - 2):
        if not found.knots[k]:
            continue
        left = turned[:, max(k - _SIDE_KNOTS, 0) : k]
        right = turned[:, k + 2 : k + 2 + _SIDE_KNOTS]
        low, high = left.mean(axis=1), right.mean(axis=1)
        jump = _size(high - low, weights)
        change = max(_size(part[:, -1] - part[:, 0], weights) for part in (left, right))
        loud = max(_size(low, weights), _size(high, weights))
        if jump >= _MIN_JUMP * loud and jump >= _OVER_NOISE * noise and jump >= _OVER_CHANGE * change:
            jumps[k] = jump
    while jumps.any():
        k = int(jumps.argmax())
        jumps[max(k - _APART, 0) : k + _APART + 1] = 0
        left = turned[:, max(k - _SIDE_KNOTS, 0) : k].mean(axis=1)
        right = turned[:, k + 2 : k + 2 + _SIDE_KNOTS].mean(axis=1)
        sample = _place(signals, k, left, right, weights, phases, frequencies)
        if 0 < sample < signals.n_samples:
            result[sample // signals.spacing] = sample % signals.spacing
    return result


def _size(pairs: np.ndarray, weights: np.ndarray) -> float:
    return float(_sizes(pairs[:, None], weights)[0])


def _place(
    signals: Signals,
    k: int,
    left: np.ndarray,
    right: np.ndarray,
    weights: np.ndarray,
    phases: np.ndarray,
    frequencies: np.ndarray,
) -> int:
    """The sample about knot k from which on signals are nearer to what follows than to what went before."""
    spacing = signals.spacing
    first, stop = max(k - 1, 0), min(k + 2, len(frequencies))
    start = first * spacing
    values = signals.values(start, min(stop * spacing, signals.n_samples))
    basis = np.empty((4, values.shape[1]))
    none = np.full(stop - first, NO_SWITCH, np.int64)
    oscillate(phases[first : stop + 1], frequencies[first:stop], none, spacing, 0, basis)
    carrier = basis[:2] + basis[2:]
    lead = np.zeros(values.shape[1])
    for row, a, b, weight in zip(values, left, right, weights, strict=True):
        before = a[0] * carrier[0] + a[1] * carrier[1]
        after = b[0] * carrier[0] + b[1] * carrier[1]
        # Square of the error of `before` less that of `after`.
        lead += weight * (after - before) * (2 * (row - row.mean()) - before - after)
    total = np.concatenate([np.zeros(1), np.cumsum(lead)])
    return start + int(total.argmin())
