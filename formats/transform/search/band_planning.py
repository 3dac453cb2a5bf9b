"""Plan of bands and of how each turns its channels: what saves more bits than its angles take."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.fixed_order import binary_logarithm, eigenvectors, gram, log2, product
from eegzip.formats.transform.angles import WIDTH_BITS
from eegzip.formats.transform.bands import edges
from eegzip.formats.transform.spatial import MAX_WIDTH, Band, turn

_PATIENCE = 6
"""Columns in a row that may cost more than they save before the search for more ends."""


@jit
def _round_angles(vector: np.ndarray, width: int) -> np.ndarray:
    """Angles, in units of pi / 2**width, that turn `vector` (its first entry >= 0) into the first axis."""
    unit = np.pi / (1 << width)
    codes = np.zeros(len(vector) - 1, np.int64)
    first = vector[0]
    for place in range(len(codes)):
        codes[place] = int(np.rint(np.arctan2(vector[place + 1], first) / unit))
        first = np.cos(codes[place] * unit) * first + np.sin(codes[place] * unit) * vector[place + 1]
    return codes


@dataclass
class _Turned:
    """Bins turned by one matrix: about how many bits that costs, angles included."""

    bits: float
    matrix: np.ndarray
    onwards: bool
    widths: list[int] = field(default_factory=list)
    angles: list[np.ndarray] = field(default_factory=list)


def plan(coefficients: np.ndarray, noise: float) -> list[Band]:
    """Choose bands and rotations.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (signals, blocks, bins)
        Scaled so that the same error is wanted for every signal.
    noise : float
        Expected squared error of a coefficient that is not zeroed.

    Returns
    -------
    list of Band
        They cover all bins. Bands without columns leave the signals as they are.
    """
    signals, _, bins = coefficients.shape
    bands: list[Band] = []
    before: np.ndarray | None = None
    now = _Turned(0.0, np.eye(signals), onwards=False)
    energy, count = np.zeros((signals, signals)), 0
    for begin, end in pairwise(edges(bins)):
        part = coefficients[:, :, begin:end].reshape(signals, -1)
        more = gram(part)
        # The bins join the band so far, or begin one that may go on from its matrix.
        both = _turned(energy + more, count + part.shape[1], before, noise)
        if count:
            alone = _turned(more, part.shape[1], now.matrix, noise)
            if now.bits + alone.bits <= both.bits:
                bands.append(_band(begin, now))
                before = now.matrix
                energy, count, both = np.zeros_like(energy), 0, alone
        energy, count, now = energy + more, count + part.shape[1], both
    return [*bands, _band(bins, now)]


def _band(stop: int, turned: _Turned) -> Band:
    return Band(stop, tuple(turned.widths), tuple(turned.angles), turned.onwards)


def _turned(energy: np.ndarray, count: int, before: np.ndarray | None, noise: float) -> _Turned:
    """The better of turning the signals and, where there is a band before, its components."""
    found = _columns(energy, count, None, noise)
    if before is not None:
        onwards = _columns(energy, count, before, noise)
        if onwards.bits < found.bits:
            return onwards
    return found


def _columns(energy: np.ndarray, count: int, before: np.ndarray | None, noise: float) -> _Turned:
    signals = len(energy)
    onwards = before is not None
    begin = np.eye(signals) if before is None else before
    inside = product(product(begin, energy), begin.T) if onwards else energy
    best = _Turned(_bits(np.diag(inside), count, noise), begin, onwards)
    powers, vectors = eigenvectors(inside / count)
    powers, vectors = np.maximum(powers[::-1], 0.0), vectors[:, ::-1].T
    # What leaks into weak components costs most.
    level = 1 / (1 / (powers + noise)).mean()
    wanted = 0.5 * log2(np.maximum(0.82 * count * powers / level, 1.0))
    column_widths = np.clip(np.rint(wanted), 1, MAX_WIDTH).astype(int)
    turned, side = np.eye(signals), 0.0
    widths: list[int] = []
    angles: list[np.ndarray] = []
    for column in range(signals - 1):
        width = int(column_widths[column])
        vector = (turned[column:] * vectors[column]).sum(axis=1)
        codes = _round_angles(vector if vector[0] >= 0 else -vector, width)
        turn(turned, column, width, codes)
        widths.append(width)
        angles.append(codes)
        side += _column_bits(codes, width, onwards=onwards)
        bits = side + _bits((product(turned, inside) * turned).sum(axis=1), count, noise)
        if bits < best.bits:
            best = _Turned(bits, product(turned, begin), onwards, list(widths), list(angles))
        elif column - len(best.widths) >= _PATIENCE:
            break
    return best


def _bits(energy: np.ndarray, count: int, noise: float) -> float:
    """About what coefficients of these energies cost, in bits and in error that is worth as much."""
    return count * float(0.5 * log2(1 + np.maximum(energy, 0.0) / count / noise).sum())


def _column_bits(codes: np.ndarray, width: int, *, onwards: bool) -> float:
    """About how many bits a column takes, its width included."""
    if onwards:
        # A geometric distribution of the column's own mean.
        mean = float(np.abs(codes).mean()) + 0.05
        share = mean / (1 + mean)
        none, some = binary_logarithm(1 - share), binary_logarithm(share)
        bits = -len(codes) * none - np.abs(codes).sum() * some + (codes != 0).sum()
        return WIDTH_BITS + float(bits)
    variance = 4.0**width / (np.pi**2 * (np.arange(len(codes)) + 2)) + 1 / 12
    bits = 0.5 * log2(2 * np.pi * variance) + 0.72 * codes**2 / variance
    return WIDTH_BITS + float(np.maximum(bits, 0.1).sum())
