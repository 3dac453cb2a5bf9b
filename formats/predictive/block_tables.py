"""Shares of the symbols of a range coder, by the spread of errors and the fraction of a forecast (SPEC.md, 6.11)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

REACH = 60
"""Errors up to so many units have a symbol each."""
ESCAPE = 2 * REACH + 1
"""The symbol of all others."""
TOTAL_BITS = 15
TOTAL = 1 << TOTAL_BITS
FRACTIONS = 8
FIRST_OCTAVE, COARSE_OCTAVE = 10, 16
"""The narrowest spread has octave 10; from octave 16 on a unit is more than one step of the signal."""
COARSE_ROW = (COARSE_OCTAVE - FIRST_OCTAVE) * 4 * FRACTIONS
LOOKED_UP_BITS = 8

_ONE = 1 << 14
_WIDTH = 0.65
_HEAVY = 0.02


def spreads() -> list[tuple[float, float]]:
    """Of each row of the tables the spread of the logistic distribution, and the offset of its middle from 0."""
    found = []
    for octave in range(FIRST_OCTAVE, COARSE_OCTAVE + 1):
        for quarter in range(4):
            spread = _WIDTH * 2**octave * (1 + (quarter + 0.5) / 4) / _ONE
            fractions = range(FRACTIONS) if octave < COARSE_OCTAVE else [FRACTIONS // 2]
            found += [(spread, (fraction - FRACTIONS // 2) / FRACTIONS) for fraction in fractions]
    return found


def shares_below() -> np.ndarray:
    """What lies below each symbol, [rows, symbols], before it is rounded down."""
    spread, offset = np.array(spreads()).T[:, :, None]
    distance = (np.arange(-REACH, REACH + 2) - 0.5 - offset) / spread
    # exp of large numbers would overflow; by symmetry one side is enough.
    tail = (1 - _HEAVY) / (1 + np.exp(np.minimum(np.abs(distance), 700.0))) + _HEAVY * 0.5 / (1 + np.abs(distance))
    return (TOTAL - ESCAPE - 1) * np.where(distance < 0, tail, 1 - tail)


@lru_cache(maxsize=1)
def tables() -> tuple[np.ndarray, np.ndarray]:
    """Tables of the coder.

    Returns
    -------
    below : ndarray of int32, shape (rows, ESCAPE + 2)
        How many of 2**15 lie below each symbol.
    first : ndarray of uint8, shape (rows, 128)
        The symbol of 256 times the column: where a decoder begins to look.
    """
    rounded = np.floor(shares_below()).astype(np.int64)
    below = np.full((len(rounded), ESCAPE + 2), TOTAL, np.int64)
    below[:, :-1] = rounded - rounded[:, :1] + np.arange(ESCAPE + 1)
    looked_up = np.arange(TOTAL >> LOOKED_UP_BITS) << LOOKED_UP_BITS
    first = np.stack([np.searchsorted(row, looked_up, "right") - 1 for row in below])
    return below.astype(np.int32), first.astype(np.uint8)
