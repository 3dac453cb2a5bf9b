"""Phases that signals have in common, in compiled loops of plain operations."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.lines.oscillator import cosine, sine

_ONE = 1.0 / (1 << 24)
_MASK = (1 << 32) - 1


@jit
def angle(real: float, imaginary: float) -> float:
    """Angle of a complex number in turns, from -1/2 to 1/2, to about 1e-9; by plain operations."""
    large, small = max(abs(real), abs(imaginary)), min(abs(real), abs(imaginary))
    if large == 0.0:
        return 0.0
    ratio = small / large
    # Halved by atan(t) = 2 atan(t / (1 + sqrt(1 + t t))), after which the series is short.
    half = ratio / (1.0 + np.sqrt(1.0 + ratio * ratio))
    square = half * half
    series = 0.0
    for power in range(23, 0, -2):
        sign = 1.0 if power % 4 == 1 else -1.0
        series = series * square + sign / power
    turn = 2.0 * half * series / 6.283185307179586
    if abs(imaginary) > abs(real):
        turn = 0.25 - turn
    if real < 0.0:
        turn = 0.5 - turn
    return -turn if imaginary < 0.0 else turn


@jit
def lock(pairs: np.ndarray, weights: np.ndarray, present: np.ndarray, pace: float, result: np.ndarray) -> None:
    """Follow the phase that signals' amplitudes turn by, all together.

    Each knot's amplitudes are held against a running mean of those before, turned along.

    Parameters
    ----------
    pairs : ndarray of float64, shape (signals, knots, 2)
    weights : ndarray, shape (signals,)
    present : ndarray of bool, shape (knots,)
        Where there is something to follow; elsewhere the phase goes on as it went.
    pace : float
        Turns a knot, to begin with.
    result : ndarray of float64, shape (knots,)
        Turns.
    """
    mean = np.zeros((len(pairs), 2))
    turned = np.zeros((len(pairs), 2))
    phase, size = -pace, 0.0
    for k in range(len(result)):
        phase = phase + pace
        if present[k]:
            word = int((phase - np.floor(phase)) * 4294967296.0) & _MASK
            for again in range(2):
                real, imaginary, energy = 0.0, 0.0, 0.0
                cos, sin = cosine(word) * _ONE, sine(word) * _ONE
                for signal in range(len(pairs)):
                    a, b = pairs[signal, k, 0], pairs[signal, k, 1]
                    c, d = a * cos + b * sin, b * cos - a * sin
                    turned[signal, 0], turned[signal, 1] = c, d
                    real = real + weights[signal] * (c * mean[signal, 0] + d * mean[signal, 1])
                    imaginary = imaginary + weights[signal] * (d * mean[signal, 0] - c * mean[signal, 1])
                    energy = energy + weights[signal] * (c * c + d * d)
                if again or size < 0.1 * energy:
                    break
                off = angle(real, imaginary)
                phase = phase + off
                pace = pace + 0.25 * off
                word = int((phase - np.floor(phase)) * 4294967296.0) & _MASK
            share = 1.0 if size < 0.1 * energy else 0.125
            size = 0.0
            for signal in range(len(pairs)):
                for part in range(2):
                    mean[signal, part] = mean[signal, part] + share * (turned[signal, part] - mean[signal, part])
                    size = size + weights[signal] * mean[signal, part] * mean[signal, part]
        result[k] = phase


@jit
def straighten(values: np.ndarray, known: np.ndarray, stiffness: float) -> None:
    """Replace values by a smooth course that differs little from them where they are known.

    Minimises the sum of squared changes plus `stiffness` times that of squared second differences.
    """
    count = len(values)
    if count < 3:
        return
    upper = np.zeros((count, 3))
    for k in range(count):
        upper[k, 0] = 1.0 if known[k] else 1e-9
        values[k] = values[k] * upper[k, 0]
    for k in range(count - 2):
        upper[k, 0] = upper[k, 0] + stiffness
        upper[k, 1] = upper[k, 1] - 2.0 * stiffness
        upper[k, 2] = upper[k, 2] + stiffness
        upper[k + 1, 0] = upper[k + 1, 0] + 4.0 * stiffness
        upper[k + 1, 1] = upper[k + 1, 1] - 2.0 * stiffness
        upper[k + 2, 0] = upper[k + 2, 0] + stiffness
    for k in range(count):
        for j in range(1, min(3, count - k)):
            factor = upper[k, j] / upper[k, 0]
            for i in range(j, min(3, count - k)):
                upper[k + j, i - j] = upper[k + j, i - j] - factor * upper[k, i]
            values[k + j] = values[k + j] - factor * values[k]
    for k in range(count - 1, -1, -1):
        for j in range(1, min(3, count - k)):
            values[k] = values[k] - upper[k, j] * values[k + j]
        values[k] = values[k] / upper[k, 0]


@jit
def rotate(pairs: np.ndarray, phases: np.ndarray) -> None:
    """Turn complex numbers [signals, n, 2] back by phases [n] in 2**-32 turns."""
    for n in range(len(phases)):
        real, imaginary = cosine(phases[n]) * _ONE, sine(phases[n]) * _ONE
        for signal in range(len(pairs)):
            a, b = pairs[signal, n, 0], pairs[signal, n, 1]
            pairs[signal, n, 0] = a * real + b * imaginary
            pairs[signal, n, 1] = b * real - a * imaginary
