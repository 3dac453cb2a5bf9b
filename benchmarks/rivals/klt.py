"""A Karhunen-Loeve basis over channels in few bytes.

The columns are coded one after another, each only within what is orthogonal to the ones before, so C channels and M
columns take C + (C - 1) + ... numbers and the result is orthonormal however coarsely they are rounded. The encoder
looks for each column's direction of largest variance in what the rounded ones left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eegzip.formats.eegz.rotation import extend
from rivals.fields import Reader, Writer
from rivals.integers import decode_integers, encode_integers

_FINEST = 16
_CONTEXTS = 32


def _step(exponent: int) -> float:
    return float(2.0 ** (-exponent / 2))


@dataclass(frozen=True)
class Basis:
    """Orthonormal columns and the integers that say them.

    Attributes
    ----------
    columns : ndarray, shape (C, M)
    rounded : list of int64 arrays, of C, C - 1, ... entries
        Coordinates of each column in what the earlier ones left, in its steps.
    exponents : list of int
        Steps of column m are ``2 ** (-exponents[m] / 2)``.
    """

    columns: np.ndarray
    rounded: list[np.ndarray]
    exponents: list[int]

    def cost(self) -> np.ndarray:
        """About how many bits each column takes."""
        return np.array(
            [
                len(r) * max(2.05 + np.log2(len(r) ** -0.5 / _step(e)), 0.7)
                for r, e in zip(self.rounded, self.exponents, strict=True)
            ]
        )

    def first(self, count: int) -> Basis:
        """The first `count` columns."""
        return Basis(self.columns[:, :count], self.rounded[:count], self.exponents[:count])

    def write(self, fields: Writer) -> None:
        """Write the integers."""
        fields.unsigned(len(self.exponents))
        steps = np.diff(self.exponents, prepend=_FINEST // 2).astype(np.int64)
        fields.block(encode_integers(steps, np.zeros(len(steps), np.int64)))
        values = np.concatenate([*self.rounded, np.zeros(0, np.int64)])
        fields.block(encode_integers(values, _contexts(self.exponents, self.columns.shape[0])))


def read_basis(fields: Reader, channels: int) -> Basis:
    """Read what :meth:`Basis.write` wrote."""
    count = fields.unsigned()
    steps = decode_integers(fields.block(), np.zeros(count, np.int64))
    exponents = [int(e) for e in _FINEST // 2 + np.cumsum(steps)]
    values = decode_integers(fields.block(), _contexts(exponents, channels))
    complement = np.eye(channels)
    columns, rounded, place = [np.zeros((channels, 0))], [], 0
    for m in range(count):
        rounded.append(values[place : place + channels - m])
        place += channels - m
        column, complement = extend(complement, rounded[-1])
        columns.append(column[:, None])
    return Basis(np.concatenate(columns, axis=1), rounded, exponents)


def find_basis(covariance: np.ndarray, step: float, fineness: float) -> Basis:
    """Find a full basis, rounded as coarsely as a quantiser's step allows.

    Parameters
    ----------
    covariance : ndarray, shape (C, C)
    step : float
        Of the quantiser that will code what the basis makes: leakage far below it does no harm.
    fineness : float
        A column is rounded to steps of ``step / (fineness * its standard deviation)``.
    """
    complement = np.eye(len(covariance))
    columns, rounded, exponents = [], [], []
    for _ in range(len(covariance)):
        variances, vectors = np.linalg.eigh(complement.T @ covariance @ complement)
        deviation = float(np.sqrt(max(variances[-1], 1e-12)))
        exponents.append(int(np.clip(round(2 * np.log2(fineness * deviation / step)), 1, _FINEST)))
        rounded.append(np.rint(vectors[:, -1] / _step(exponents[-1])).astype(np.int64))
        column, complement = extend(complement, rounded[-1])
        columns.append(column)
    return Basis(np.stack(columns, axis=1), rounded, exponents)


def _contexts(exponents: list[int], channels: int) -> np.ndarray:
    """Of each coordinate: how large a unit vector's are to be expected, in steps."""
    expected = [round(2 * np.log2((channels - m) ** -0.5 / _step(e))) + 8 for m, e in enumerate(exponents)]
    contexts = [np.full(channels - m, min(max(size, 0), _CONTEXTS - 1)) for m, size in enumerate(expected)]
    return np.concatenate([*contexts, np.zeros(0)]).astype(np.int64)
