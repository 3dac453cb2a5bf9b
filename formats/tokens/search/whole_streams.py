"""Vectors, predictions and variances of all frames of a stream at once."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tracking import by_coordinate, follow, predict, start_variance


@jit
def vectors(words: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sum of the words of each frame's tokens.

    Parameters
    ----------
    words : ndarray of int16, shape (K, S, D)
    codes : ndarray of uint16, shape (at most K, frames)
        Below S, or :data:`ABSENT`, which adds nothing.

    Returns
    -------
    ndarray of int64, shape (frames, D)
    """
    levels, frames = codes.shape
    result = np.zeros((frames, words.shape[2]), np.int64)
    for f in range(frames):
        for level in range(levels):
            code = codes[level, f]
            if code != ABSENT:
                for d in range(words.shape[2]):
                    result[f, d] += words[level, code, d]
    return result


@jit
def predictions(words: np.ndarray, bands: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Predictions of all frames, int64, shape (frames, D); see :func:`~eegzip.formats.tokens.tracking.predict`."""
    result = np.zeros((others.shape[2], words.shape[2]), np.int64)
    spread = by_coordinate(weights, bands)
    for f in range(len(result)):
        predict(words, others, spread, f, result[f])
    return result


@jit
def variances(own: np.ndarray, prediction: np.ndarray, start: np.ndarray, start_class: int) -> np.ndarray:
    """Variance that each frame is expected to have; int64, shape (frames, D), as of vectors and predictions."""
    frames, width = own.shape
    result = np.zeros((frames, width), np.int64)
    variance = np.zeros(width, np.int64)
    start_variance(start, start_class, variance)
    for f in range(frames):
        result[f] = variance
        follow(variance, own[f], prediction[f])
    return result
