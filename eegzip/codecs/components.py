"""Components of a recording: a rotation of its channels that leaves little in common (Karhunen-Loeve).

Channels count relative to their own ordinary level, so the same error in a component is the same error in percent
everywhere. Of all components the error is to be equally loud (reverse water-filling): a loud one takes many tokens, one
that is not louder than the error takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.codecs.config import ModelConfig

UNIT = 1024.0
"""A component of the ordinary level of one channel is so loud; scales are of such numbers, and not below a half."""

LOUDEST = 4.0
"""Times the ordinary energy: what is louder counts no more than that."""

# Of the energy of the error: what a token must take away. Lower ones take about a third of what is left each.
_PRICE = 0.2
_FINENESS = 1.2
_FINEST = 2.0**-13


@dataclass(frozen=True)
class Components:
    """What is coded in place of channels.

    Attributes
    ----------
    matrix : ndarray of float64, shape (components, channels)
        Makes components of channels.
    price : float
        Squared error, in the latents times the scale, that a token must take away to be worth it.
    level : float
        RMS of a waveform with such an error.
    """

    matrix: np.ndarray
    price: float
    level: float


def components_of(config: ModelConfig, matrix: np.ndarray, level: float) -> Components:
    """Return components whose error has the RMS `level`."""
    # The latents of a frame have the energy of its samples: the linear path is orthonormal.
    return Components(matrix, _PRICE * config.network.hop * level**2, level)


def error_level(
    looks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    latents_of: Callable[[np.ndarray], np.ndarray],
    gains: np.ndarray,
    hop: int,
) -> float:
    """Return the RMS of the error, in the units of components, that channels coded alone have.

    Parameters
    ----------
    looks : sequence of tuple
        Codes [C, K, F], latents [C, D, F] and scales [C, F] of some windows.
    latents_of : callable
        Gives the latents that codes stand for.
    gains : ndarray, shape (C,)
        Ordinary level of each channel, in the units of the scales.
    hop : int
        Samples of a frame.
    """
    errors = []
    for codes, latents, scales in looks:
        worth = np.square(scales / gains[:, None])
        whole = worth * np.square(latents, dtype=np.float64).sum(axis=1)
        left = worth * np.square(latents - latents_of(codes), dtype=np.float64).sum(axis=1)
        # An artefact's error is as loud as the artefact; ordinary frames should decide.
        errors.append(left * np.minimum(1.0, LOUDEST * hop / np.maximum(whole, 1e-12)))
    return UNIT * max(float(np.sqrt(np.mean(np.concatenate(errors, axis=1)) / hop)), 1 / UNIT)


def find_rotation(
    covariance: np.ndarray,
    noise: float,
    extend: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the integers of a rotation into components of falling variance.

    Parameters
    ----------
    covariance : ndarray, shape (C, C)
        Of channels relative to their levels.
    noise : float
        RMS of the error that is to come, likewise: each column is rounded as coarsely as what leaks from its component
        into others stays below. Columns of components below it become zeros.
    extend : callable
        :func:`eegzip.formats.eegz.basis.extend`.

    Returns
    -------
    columns : list of ndarray of int64
        Of C, C - 1, ... 1 entries.
    levels : ndarray, shape (C,)
        Standard deviation of each component.
    """
    complement = np.eye(len(covariance))
    columns: list[np.ndarray] = []
    levels = []
    for _ in range(len(covariance)):
        # What rounded columns left: each one takes the loudest direction of it.
        variances, vectors = np.linalg.eigh(complement.T @ covariance @ complement)
        deviation = float(np.sqrt(max(variances[-1], 0.0)))
        step = max(noise / max(_FINENESS * deviation, 1e-12), _FINEST)
        rounded = np.rint(vectors[:, -1] / step).astype(np.int64)
        column, complement = extend(complement, rounded)
        columns.append(rounded)
        levels.append(float(np.sqrt(max(column @ covariance @ column, 0.0))))
    return columns, np.array(levels)
