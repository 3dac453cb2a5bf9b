"""Components of a recording: a rotation of its channels that leaves little in common (Karhunen-Loeve).

Channels count relative to their own ordinary level, so the same error in a component is the same error in percent
everywhere. Of all components the error is to be equally loud (reverse water-filling): a loud one takes many tokens, one
that is not louder than the error takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

UNIT = 1024.0
"""A component of the ordinary level of one channel is so loud; scales are of such numbers, and not below a half."""

LOUDEST = 4.0
"""Times the ordinary energy: what is louder counts no more than that."""

_QUIETEST = 1.0
_TINY = 1e-12
# Tokens whose worth is that of the last one; how much less is asked of a component's, which takes fewer bits; and the
# least that is asked, of the energy of the error.
_LAST, _LESS, _LEAST_PRICE = 3, 0.75, 0.02
_FINENESS = 1.2
_FINEST = 2.0**-13


@dataclass(frozen=True)
class Loudness:
    """How loud the error of components is to be.

    Attributes
    ----------
    level : float
        About its RMS.
    price : float
        Squared error, in the latents times the scale, that a token must take away to be worth it.
    """

    level: float
    price: float


@dataclass(frozen=True)
class Components:
    """What is coded in place of channels.

    Attributes
    ----------
    matrix : ndarray of float64, shape (components, channels)
        Makes components of channels.
    loudness : Loudness
        Of their error.
    """

    matrix: np.ndarray
    loudness: Loudness


def loudness_alone(
    looks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    words: Callable[[int, np.ndarray], np.ndarray],
    gains: np.ndarray,
) -> Loudness:
    """Return how loud the error is where channels are coded alone, and what their last tokens take away.

    Parameters
    ----------
    looks : sequence of tuple
        Codes [C, K, F], latents [C, D, F] and scales [C, F] of some windows.
    words : callable
        ``words(level, codes)``: the codewords of a level, shape (..., D).
    gains : ndarray, shape (C,)
        Ordinary level of each channel, in the units of the scales.
    """
    last = max(looks[0][0].shape[1] - _LAST, 0)
    left = np.zeros(2)
    for codes, latents, scales in looks:
        worth = np.square(scales / gains[:, None])
        whole = worth * np.square(latents, dtype=np.float64).sum(axis=1)
        # An artefact's error is as loud as the artefact; ordinary frames should decide.
        worth = worth * np.minimum(1.0, LOUDEST * latents.shape[1] / np.maximum(whole, _TINY))
        rest = latents.transpose(0, 2, 1).astype(np.float64)
        for level in range(codes.shape[1]):
            if level == last:
                left[0] += (worth * np.square(rest).sum(axis=2)).sum()
            rest -= words(level, codes[:, level])
        left[1] += (worth * np.square(rest).sum(axis=2)).sum()
    # The latents of a frame have the energy of its samples: the linear path is orthonormal.
    width = looks[0][1].shape[1]
    before, after = UNIT**2 * left / sum(scales.size for _, _, scales in looks)
    rms = max(float(np.sqrt(after / width)), _QUIETEST)
    taken = (before - after) / (looks[0][0].shape[1] - last)
    return Loudness(rms, max(_LESS * float(taken), _LEAST_PRICE * width * rms**2))


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
        :func:`eegzip.formats.eegz.rotation.extend`.

    Returns
    -------
    columns : list of ndarray of int64
        Of C, C - 1, ... 1 entries.
    levels : ndarray, shape (C,)
        Standard deviation of each component.
    """
    # Here, as it needs numba, which takes a while to load.
    from eegzip.formats.fixed_order import eigenvectors, product

    complement = np.eye(len(covariance))
    columns: list[np.ndarray] = []
    levels = []
    quiet = False
    for size in range(len(covariance), 0, -1):
        rounded = np.zeros(size, np.int64)
        if not quiet:
            # What rounded columns left: each one takes the loudest direction of it.
            left = product(product(complement.T, covariance), complement)
            variances, vectors = eigenvectors(left)
            deviation = float(np.sqrt(max(variances[-1], 0.0)))
            step = max(noise / max(_FINENESS * deviation, 1e-12), _FINEST)
            rounded = np.rint(vectors[:, -1] / step).astype(np.int64)
            # No direction of what is left is louder than this one, so all columns to come are zeros.
            quiet = step > 2.0
        column, complement = extend(complement, rounded)
        columns.append(rounded)
        along = (covariance * column).sum(axis=1)
        levels.append(float(np.sqrt(max(float((along * column).sum()), 0.0))))
    return columns, np.array(levels)
