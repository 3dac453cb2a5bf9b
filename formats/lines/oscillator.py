"""Samples of lines from their knots, in integers (SPEC.md, section 6.10)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eegzip.formats.entropy.jit import jit

TURN_BITS = 32
"""Phases are in 2**-32 turns."""

AMPLITUDE_BITS = 8
"""Amplitudes are in 2**-8 digital units."""

MAX_AMPLITUDE = 1 << 32
"""In those units; of each component, so that sums over all lines fit into 64 bits."""

_SINE_BITS = 24
_TABLE_BITS = 12
_BETWEEN_BITS = 12

# No value lies near enough to a half for the last bit of sin to matter on any machine; a test holds that.
SINES = np.array(
    [round((1 << _SINE_BITS) * math.sin(2 * math.pi * i / (1 << _TABLE_BITS))) for i in range((1 << _TABLE_BITS) + 1)],
    np.int64,
)

NO_SWITCH = -1
"""In place of a sample: amplitudes go in a straight line from one knot to the next."""


@dataclass
class Line:
    """One line of some signals between the first and the last of some knots.

    Parameters
    ----------
    phases : ndarray of int64, shape (knots,)
        At each knot, in 2**-32 turns.
    frequencies : ndarray of int64, shape (knots - 1,)
        From each knot to the next, in 2**-32 turns a sample.
    switches : ndarray of int64, shape (knots - 1,)
        Samples after a knot at which amplitudes jump to those of the next; :data:`NO_SWITCH` where they go in a
        straight line.
    amplitudes : ndarray of int64, shape (signals, knots, 2)
        Of cosine and negative sine, in 2**-8 digital units.
    """

    phases: np.ndarray
    frequencies: np.ndarray
    switches: np.ndarray
    amplitudes: np.ndarray


@jit
def sine(phase: int) -> int:
    """Sine of a phase in 2**-32 turns (0 to 2**32 - 1), times 2**24."""
    place = phase >> (TURN_BITS - _TABLE_BITS)
    between = (phase >> (TURN_BITS - _TABLE_BITS - _BETWEEN_BITS)) & ((1 << _BETWEEN_BITS) - 1)
    low = SINES[place]
    return low + (((SINES[place + 1] - low) * between) >> _BETWEEN_BITS)


@jit
def cosine(phase: int) -> int:
    """Cosine likewise."""
    return sine((phase + (1 << (TURN_BITS - 2))) & ((1 << TURN_BITS) - 1))


@jit
def _add(
    phases: np.ndarray,
    frequencies: np.ndarray,
    switches: np.ndarray,
    amplitudes: np.ndarray,
    spacing: int,
    start: int,
    total: np.ndarray,
) -> None:
    mask = (1 << TURN_BITS) - 1
    count = total.shape[1]
    cosines, sines = np.empty(count, np.int64), np.empty(count, np.int64)
    for n in range(count):
        knot, offset = (start + n) // spacing, (start + n) % spacing
        phase = (phases[knot] + frequencies[knot] * offset) & mask
        cosines[n], sines[n] = cosine(phase), sine(phase)
    for signal in range(total.shape[0]):
        rows = amplitudes[signal]
        for n in range(count):
            knot, offset = (start + n) // spacing, (start + n) % spacing
            if switches[knot] == NO_SWITCH:
                real = (rows[knot, 0] * (spacing - offset) + rows[knot + 1, 0] * offset) // spacing
                imaginary = (rows[knot, 1] * (spacing - offset) + rows[knot + 1, 1] * offset) // spacing
            else:
                there = knot + 1 if offset >= switches[knot] else knot
                real, imaginary = rows[there, 0], rows[there, 1]
            total[signal, n] += real * cosines[n] - imaginary * sines[n]


def synthesise(lines: list[Line], signals: int, spacing: int, start: int, stop: int) -> np.ndarray:
    """Sum of some lines.

    Parameters
    ----------
    lines : list of Line
        All with the same knots.
    signals : int
        Number of signals.
    spacing : int
        Samples between knots.
    start, stop : int
        Which samples, counted from the first knot; the last must lie before the last knot.

    Returns
    -------
    ndarray of int64, shape (signals, stop - start)
        In digital units.
    """
    total = np.full((signals, stop - start), 1 << (AMPLITUDE_BITS + _SINE_BITS - 1), np.int64)
    for line in lines:
        _add(line.phases, line.frequencies, line.switches, line.amplitudes, spacing, start, total)
    total >>= AMPLITUDE_BITS + _SINE_BITS
    return total
