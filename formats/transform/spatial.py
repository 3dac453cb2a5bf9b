"""Signals of a chunk turned into components that know nothing of one another, by rotations with few bits.

For a band of bins the coefficients of C signals are multiplied by an orthonormal matrix that begins with the strongest
principal components. It is a product of plane rotations: column i turns component i against each later one, and needs
C - 1 - i angles. After as many columns as pay for themselves the rest is left as it is. Each column's angles have a
width of their own: the stronger a component is, the less of it may leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eegzip.formats.entropy.compiling import compiled

WIDTH_BITS = 4
MAX_WIDTH = 15
_RATIO = 1.5
"""How the widths of the bands grow that a plan begins with."""
_LEAST_BINS = 2


@dataclass(frozen=True)
class Band:
    """Bins that share one rotation.

    Parameters
    ----------
    stop : int
        One past the band's last bin; it begins where the one before ends.
    widths : tuple of int
        Bits of each column's angles, 1 to 15.
    angles : tuple of ndarray of int64
        For each column i its C - 1 - i angles, in units of pi / 2**width, -2**(width - 1) up to 2**(width - 1) - 1.
    """

    stop: int
    widths: tuple[int, ...]
    angles: tuple[np.ndarray, ...]


@compiled
def _turn(matrix: np.ndarray, column: int, cosines: np.ndarray, sines: np.ndarray) -> None:
    """Turn row `column` against each later one, nearest first."""
    for place in range(len(cosines)):
        for entry in range(matrix.shape[1]):
            first, second = matrix[column, entry], matrix[column + 1 + place, entry]
            matrix[column, entry] = cosines[place] * first + sines[place] * second
            matrix[column + 1 + place, entry] = cosines[place] * second - sines[place] * first


@compiled
def _round_angles(vector: np.ndarray, width: int) -> np.ndarray:
    """Angles, in units of pi / 2**width, that turn `vector` (its first entry >= 0) into the first axis."""
    unit = np.pi / (1 << width)
    half = 1 << (width - 1)
    codes = np.zeros(len(vector) - 1, np.int64)
    first = vector[0]
    for place in range(len(codes)):
        other = vector[place + 1]
        code = int(np.rint(np.arctan2(other, first) / unit))
        codes[place] = min(max(code, -half), half - 1)
        first = np.cos(codes[place] * unit) * first + np.sin(codes[place] * unit) * other
    return codes


def matrix(signals: int, band: Band) -> np.ndarray:
    """The orthonormal matrix [components, signals] of a band."""
    result = np.eye(signals)
    for column, (width, codes) in enumerate(zip(band.widths, band.angles, strict=True)):
        turns = codes * (np.pi / (1 << width))
        _turn(result, column, np.cos(turns), np.sin(turns))
    return result


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
    edges = _first_edges(bins)
    parts = []
    for begin, end in pairwise(edges):
        part = coefficients[:, :, begin:end].reshape(signals, -1)
        parts.append(_Part(end, part.shape[1], part @ part.T, noise))
    # Neighbouring bands become one wherever that saves more angles than it costs coefficients.
    while len(parts) > 1:
        unions = [first.joined(second, noise) for first, second in pairwise(parts)]
        savings = [
            first.cost + second.cost - union.cost
            for (first, second), union in zip(pairwise(parts), unions, strict=True)
        ]
        best = int(np.argmax(savings))
        if savings[best] < 0:
            break
        parts[best : best + 2] = [unions[best]]
    return [part.band() for part in parts]


def _first_edges(bins: int) -> list[int]:
    edges = [0, min(_LEAST_BINS, bins)]
    while edges[-1] < bins:
        following = max(edges[-1] + _LEAST_BINS, round(edges[-1] * _RATIO))
        edges.append(min(following, bins) if bins - following >= _LEAST_BINS else bins)
    return edges


class _Part:
    """A band in the making: its energy, and what it costs at best."""

    def __init__(self, stop: int, count: int, energy: np.ndarray, noise: float) -> None:
        self.stop, self.count, self.energy = stop, count, energy
        powers, vectors = np.linalg.eigh(energy / count)
        self._powers = np.maximum(powers[::-1], 0.0)
        self._vectors = vectors[:, ::-1].T
        signals = len(powers)
        own = 0.5 * np.log2(1 + self._powers / noise)
        # After some columns the rest is a mixture of what is left.
        left = self._powers[::-1].cumsum()[::-1] / np.arange(signals, 0, -1)
        mixed = 0.5 * np.arange(signals, 0, -1) * np.log2(1 + left / noise)
        level = np.maximum(self._powers, noise).mean()
        wanted = 0.5 * np.log2(np.maximum(0.82 * count * self._powers / level, 1.0))
        self._widths = np.clip(np.rint(wanted), 1, MAX_WIDTH).astype(int)
        side = np.cumsum(WIDTH_BITS + self._widths[:-1] * np.arange(signals - 1, 0, -1))
        costs = count * (np.cumsum(own[:-1]) + mixed[1:]) + side
        alone = count * float(0.5 * np.log2(1 + np.diag(energy) / count / noise).sum())
        self._columns = int(np.argmin(costs)) + 1 if signals > 1 and costs.min() < alone else 0
        self.cost = float(costs[self._columns - 1]) if self._columns else alone

    def joined(self, other: _Part, noise: float) -> _Part:
        return _Part(other.stop, self.count + other.count, self.energy + other.energy, noise)

    def band(self) -> Band:
        signals = len(self._powers)
        turned = np.eye(signals)
        widths, angles = [], []
        for column in range(self._columns):
            vector = (turned @ self._vectors[column])[column:]
            codes = _round_angles(vector if vector[0] >= 0 else -vector, int(self._widths[column]))
            turns = codes * (np.pi / (1 << int(self._widths[column])))
            _turn(turned, column, np.cos(turns), np.sin(turns))
            widths.append(int(self._widths[column]))
            angles.append(codes)
        return Band(self.stop, tuple(widths), tuple(angles))


def apply(coefficients: np.ndarray, bands: list[Band], *, back: bool = False) -> np.ndarray:
    """Turn signals [signals, blocks, bins] into components, or back."""
    result = np.empty_like(coefficients)
    begin = 0
    for band in bands:
        turned = matrix(len(coefficients), band)
        part = coefficients[:, :, begin : band.stop]
        result[:, :, begin : band.stop] = np.tensordot(turned.T if back else turned, part, 1) if band.widths else part
        begin = band.stop
    return result
