"""Demodulation: what lines are, and have in common, in compiled loops whose sums have one order."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.lines.oscillator import NO_SWITCH, cosine, sine

_ONE = 1.0 / (1 << 24)
_MASK = (1 << 32) - 1


@jit
def oscillate(
    phases: np.ndarray, frequencies: np.ndarray, switches: np.ndarray, spacing: int, start: int, basis: np.ndarray
) -> None:
    """Fill in what a line of amplitude 1 at one knot, and 0 at all others, is.

    Parameters
    ----------
    phases, frequencies, switches : ndarray of int64
        Of a line (:class:`~eegzip.formats.lines.oscillator.Line`).
    spacing, start : int
        The first sample, counted from the first knot.
    basis : ndarray of float64, shape (4, n)
        Cosine and negative sine where the knot is the one before a sample; the same where it is the one after.
    """
    knot, offset = start // spacing, start % spacing
    for n in range(basis.shape[1]):
        phase = (phases[knot] + frequencies[knot] * offset) & _MASK
        real, imaginary = cosine(phase) * _ONE, -sine(phase) * _ONE
        after = offset / spacing if switches[knot] == NO_SWITCH else 1.0 * int(offset >= switches[knot])
        basis[0, n], basis[1, n] = real * (1.0 - after), imaginary * (1.0 - after)
        basis[2, n], basis[3, n] = real * after, imaginary * after
        # Counted, which takes less than to divide for each sample.
        offset += 1
        if offset == spacing:
            knot, offset = knot + 1, 0


@jit
def gram(bases: np.ndarray, spacing: int, start: int, same: np.ndarray, following: np.ndarray) -> None:
    """Add up products of the bases of some lines.

    Parameters
    ----------
    bases : ndarray of float64, shape (lines, 4, n)
    spacing, start : int
    same : ndarray, shape (knots, 2 * lines, 2 * lines)
        Of what two lines are at one knot.
    following : ndarray, shape (knots, 2 * lines, 2 * lines)
        Of what the first is at a knot and the second at the next.
    """
    lines, count = bases.shape[0], bases.shape[2]
    n = 0
    while n < count:
        knot = (start + n) // spacing
        stop = min((knot + 1) * spacing - start, count)
        for one in range(2 * lines):
            before, after = bases[one // 2, one % 2], bases[one // 2, 2 + one % 2]
            for other in range(2 * lines):
                here, there = bases[other // 2, other % 2], bases[other // 2, 2 + other % 2]
                a, b, c = 0.0, 0.0, 0.0
                for m in range(n, stop):
                    a = a + before[m] * here[m]
                    b = b + after[m] * there[m]
                    c = c + before[m] * there[m]
                same[knot, one, other] += a
                same[knot + 1, one, other] += b
                following[knot, one, other] += c
        n = stop


@jit
def solve(same: np.ndarray, following: np.ndarray, right: np.ndarray) -> None:
    """Solve the symmetric, positive definite, block-tridiagonal system of `gram`.

    Parameters
    ----------
    same, following : ndarray, shape (knots, m, m)
        Blocks of the diagonal and those right of them; overwritten.
    right : ndarray, shape (knots, m, signals)
        Right sides, replaced by the solutions.
    """
    knots, m = same.shape[0], same.shape[1]
    size = knots * m
    # L' of the factorisation L L', row by row: upper[i, j] couples unknown i with i + j.
    upper = np.zeros((size, 2 * m))
    for knot in range(knots):
        for one in range(m):
            for other in range(one, m):
                upper[knot * m + one, other - one] = same[knot, one, other]
            if knot + 1 < knots:
                for other in range(m):
                    upper[knot * m + one, m + other - one] = following[knot, one, other]
    flat = right.reshape(size, right.shape[2])
    for i in range(size):
        pivot = np.sqrt(max(upper[i, 0], 1e-12))
        for j in range(2 * m):
            upper[i, j] = upper[i, j] / pivot
        for signal in range(flat.shape[1]):
            flat[i, signal] = flat[i, signal] / pivot
        for j in range(1, min(2 * m, size - i)):
            factor = upper[i, j]
            if factor == 0.0:
                continue
            for k in range(j, min(2 * m, size - i)):
                upper[i + j, k - j] = upper[i + j, k - j] - factor * upper[i, k]
            for signal in range(flat.shape[1]):
                flat[i + j, signal] = flat[i + j, signal] - factor * flat[i, signal]
    for i in range(size - 1, -1, -1):
        for j in range(1, min(2 * m, size - i)):
            factor = upper[i, j]
            if factor != 0.0:
                for signal in range(flat.shape[1]):
                    flat[i, signal] = flat[i, signal] - factor * flat[i + j, signal]
        for signal in range(flat.shape[1]):
            flat[i, signal] = flat[i, signal] / upper[i, 0]


@jit
def smooth(values: np.ndarray, breaks: np.ndarray, stiffness: float) -> None:
    """Replace values [knots, 2] by those that differ little from them and little from one to the next.

    Minimises the sum of squared changes of `values` plus `stiffness` times that of squared differences between
    neighbours; there is no bond over ``breaks[k]``, between knots k and k + 1.
    """
    count = len(values)
    diagonal = np.empty(count)
    for k in range(count):
        bonds = (1 if k and not breaks[k - 1] else 0) + (1 if k + 1 < count and not breaks[k] else 0)
        diagonal[k] = 1.0 + stiffness * bonds
    for k in range(1, count):
        if not breaks[k - 1]:
            factor = stiffness / diagonal[k - 1]
            diagonal[k] = diagonal[k] - factor * stiffness
            values[k, 0] = values[k, 0] + factor * values[k - 1, 0]
            values[k, 1] = values[k, 1] + factor * values[k - 1, 1]
    for k in range(count - 1, -1, -1):
        for part in range(2):
            if k + 1 < count and not breaks[k]:
                values[k, part] = values[k, part] + stiffness * values[k + 1, part]
            values[k, part] = values[k, part] / diagonal[k]


@jit
def agreement(pairs: np.ndarray, first: int, stop: int, lag: int) -> tuple[float, float]:
    """How steady a course [n, 2] of amplitudes is.

    Returns
    -------
    energy : float
        Mean square of those from `first` up to `stop` and of those `lag` later.
    steady : float
        What of it keeps its phase, or its drift of phase, over `lag`.
    """
    energy, real, imaginary, count = 0.0, 0.0, 0.0, 0
    for n in range(first, min(stop, len(pairs) - lag)):
        a, b, c, d = pairs[n, 0], pairs[n, 1], pairs[n + lag, 0], pairs[n + lag, 1]
        energy = energy + (a * a + b * b + c * c + d * d) * 0.5
        real = real + (a * c + b * d)
        imaginary = imaginary + (a * d - b * c)
        count += 1
    count = max(count, 1)
    return energy / count, np.sqrt(real * real + imaginary * imaginary) / count


@jit
def mean_change(values: np.ndarray, breaks: np.ndarray, lag: int) -> float:
    """Mean square of differences over `lag` of values [n, 2]; negative where there are none without a break."""
    total, count, free = 0.0, 0, 0
    for n in range(len(values)):
        free = free + 1 if n and not breaks[n - 1] else 0
        if free >= lag:
            a, b = values[n, 0] - values[n - lag, 0], values[n, 1] - values[n - lag, 1]
            total = total + (a * a + b * b)
            count += 1
    return total / count if count else -1.0


@jit
def settle(values: np.ndarray, room: float, result: np.ndarray) -> None:
    """Round values [n, 2] to integers that stay as they are while they are less than `room` off."""
    held = np.zeros(2, np.int64)
    for n in range(len(values)):
        for part in range(2):
            if n == 0 or abs(values[n, part] - held[part]) >= room:
                held[part] = np.int64(np.floor(values[n, part] + 0.5))
            result[n, part] = held[part]
