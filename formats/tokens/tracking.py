"""Tracking of a prediction's misses so far: the variance that the next frame is expected to have (SPEC.md, 6.2.3)."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import inlined, jit
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tables import CLASSES

_RATE_BITS = 3
WEIGHT_BITS = 5
STARTS = 64
"""Start classes of a stream, half an octave each."""


@jit
def start_variance(start: np.ndarray, start_class: int, variance: np.ndarray) -> None:
    """Fill `variance` (int64, shape (D,)) with the start's, half an octave more a class."""
    factor = 181 if start_class & 1 else 128
    for d in range(len(variance)):
        variance[d] = max(((np.int64(start[d]) * factor) << (start_class >> 1)) >> 16, 1)


@inlined
def follow(variance: np.ndarray, vector: np.ndarray, prediction: np.ndarray) -> None:
    """Move `variance` towards the square of what the prediction (int64, shape (D,)) missed of the vector."""
    for d in range(len(variance)):
        missed = vector[d] - prediction[d]
        variance[d] += (missed * missed - variance[d]) >> _RATE_BITS


@inlined
def energy_class(variance: np.ndarray, lowest: int) -> int:
    """Half-octave of the summed variance, counted from `lowest`, from 0 to CLASSES - 1."""
    total = np.int64(0)
    for d in range(len(variance)):
        total += variance[d]
    octave = 0
    while total >> (octave + 1):
        octave += 1
    half = 1 if octave and total >= (np.int64(3) << (octave - 1)) else 0
    return min(max(2 * octave + half - lowest, 0), CLASSES - 1)


@jit
def by_coordinate(weights: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Weights [references, BANDS] as each coordinate has them, int32 of shape (references, D); `bands` are its."""
    result = np.empty((len(weights), len(bands)), np.int32)
    for place in range(len(weights)):
        for d in range(len(bands)):
            result[place, d] = weights[place, bands[d]]
    return result


@inlined
def predict(words: np.ndarray, others: np.ndarray, weights: np.ndarray, frame: int, prediction: np.ndarray) -> None:
    """Fill `prediction` (int64, shape (D,)) with what the references say of a frame.

    Parameters
    ----------
    words : ndarray of int16, shape (K, S, D)
    others : ndarray of uint16, shape (references, K, frames)
        Their tokens.
    weights : ndarray of int32, shape (references, D)
        In 1/32, from :func:`by_coordinate`.
    frame : int
    prediction : ndarray
    """
    width = len(prediction)
    vector = np.empty(width, np.int32)
    prediction[:] = 0
    for place in range(len(others)):
        # A reference's words are added up before they are weighed: one product in place of one a level.
        vector[:] = 0
        for level in range(others.shape[1]):
            code = others[place, level, frame]
            if code != ABSENT:
                word = words[level, code]
                for d in range(width):
                    vector[d] = np.int32(vector[d] + word[d])
        for d in range(width):
            prediction[d] += np.int64(weights[place, d]) * vector[d]
    for d in range(width):
        prediction[d] >>= WEIGHT_BITS
