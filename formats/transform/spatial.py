"""Rotations of channels in bands of bins, which put what channels have in common into few components.

In each band of bins the signals are turned by an orthonormal matrix that begins with the strongest principal
components. It is a product of plane rotations: column i turns component i against each later one, and needs C - 1 - i
angles. After as many columns as pay for themselves the rest is left as it is. Each column's angles have a width of
their own: the stronger a component is, the less of it may leak. A band may go on from the matrix of the band before
(1.3): neighbouring bands have much the same components, so what remains to be turned is little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.fixed_order import product

MAX_WIDTH = 15


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
        For each column i its C - 1 - i angles, in units of pi / 2**width, -2**(width - 1) up to 2**(width - 1).
    onwards : bool
        Whether the components of the band before are turned, or the signals.
    """

    stop: int
    widths: tuple[int, ...]
    angles: tuple[np.ndarray, ...]
    onwards: bool = False


@jit
def _turn(matrix: np.ndarray, column: int, cosines: np.ndarray, sines: np.ndarray) -> None:
    for place in range(len(cosines)):
        for entry in range(matrix.shape[1]):
            first, second = matrix[column, entry], matrix[column + 1 + place, entry]
            matrix[column, entry] = cosines[place] * first + sines[place] * second
            matrix[column + 1 + place, entry] = cosines[place] * second - sines[place] * first


def turn(matrix: np.ndarray, column: int, width: int, codes: np.ndarray) -> None:
    """Turn row `column` of a matrix against each later one, nearest first, by angles in units of pi / 2**width."""
    turns = codes * (np.pi / (1 << width))
    _turn(matrix, column, np.cos(turns), np.sin(turns))


def matrices(signals: int, bands: Sequence[Band]) -> list[np.ndarray]:
    """The orthonormal matrix [components, signals] of each band."""
    results: list[np.ndarray] = []
    for band in bands:
        result = results[-1].copy() if band.onwards else np.eye(signals)
        for column, (width, codes) in enumerate(zip(band.widths, band.angles, strict=True)):
            turn(result, column, width, codes)
        results.append(result)
    return results


def apply(coefficients: np.ndarray, bands: Sequence[Band], *, back: bool = False) -> np.ndarray:
    """Turn signals [signals, blocks, bins] into components, or back."""
    return turned(coefficients, bands, matrices(len(coefficients), bands), back=back)


def turned(
    coefficients: np.ndarray, bands: Sequence[Band], by: Sequence[np.ndarray], *, back: bool = False
) -> np.ndarray:
    """As :func:`apply`, with the matrices of the bands, which are the same for all blocks."""
    result = np.empty_like(coefficients)
    begin = 0
    for band, matrix in zip(bands, by, strict=True):
        part = coefficients[:, :, begin : band.stop]
        mixed = product(matrix.T if back else matrix, part.reshape(len(part), -1))
        result[:, :, begin : band.stop] = mixed.reshape(part.shape)
        begin = band.stop
    return result
