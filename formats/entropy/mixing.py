"""Adaptive probabilities of binary decisions, and their mixing (SPEC.md, section 13.2).

Each context has a probability that learns from the decisions it saw, fast at first and slower later. Several contexts'
opinions are brought together in the logistic domain, ``ln(p / (1 - p))``, with weights that learn online which of them
to trust (as in the PAQ family of compressors). Everything is integer: probabilities have 16 bits, the logistic domain
has steps of 1/256 and ends at +-2047, weights have 16 fractional bits.
"""

from __future__ import annotations

import math

import numpy as np

from eegzip.formats.entropy.jit import jit

LIMIT = 2047
"""Largest magnitude in the logistic domain: 8.0 natural units, a probability of 0.99966."""

STRETCH_BITS = 12

# 1 / (1 + exp(-x)) in 1/65536 for x from -2047/256 to 2047/256, and its inverse for the top 12 bits of a probability.
# No value lies near enough to a half for the last bit of exp or log to matter on any machine; a test holds that.
SQUASH = np.array([round(65536 / (1 + math.exp(-x / 256))) for x in range(-LIMIT, LIMIT + 1)], np.int32)
STRETCH = np.array(
    [max(-LIMIT, min(LIMIT, round(256 * math.log((p + 0.5) / (4096 - p - 0.5))))) for p in range(1 << STRETCH_BITS)],
    np.int32,
)

WEIGHT_ONE = 1 << 16
MAX_WEIGHT = 1 << 23

# How far a probability moves towards what it saw the n-th time: 65536 / (n + 1.5).
RATES = np.array([round(65536 / (n + 1.5)) for n in range(256)], np.int32)


def new_probabilities(contexts: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (1/2, in 1/65536; int32) and counts (0; uint8) of some contexts that have seen nothing."""
    return np.full(contexts, 32768, np.int32), np.zeros(contexts, np.uint8)


@jit
def learn(probabilities: np.ndarray, counts: np.ndarray, context: int, bit: int, slowest: int) -> None:
    """Move a context's probability towards what came.

    Parameters
    ----------
    probabilities, counts : ndarray
        From :func:`new_probabilities`.
    context, bit : int
    slowest : int
        Where its count ends, up to 255: the larger, the slower the probability moves in the long run.
    """
    count = counts[context]
    target = 65535 if bit else 0
    probabilities[context] += ((target - probabilities[context]) * RATES[count]) >> 16
    if count < slowest:
        counts[context] = count + 1


@jit
def stretch(probability: int) -> int:
    """The logistic domain's value of a probability in 1/65536."""
    return STRETCH[probability >> 4]


@jit
def squash(value: int) -> int:
    """The probability, in 1/65536, of a value of the logistic domain."""
    return SQUASH[min(max(value, -LIMIT), LIMIT) + LIMIT]


@jit
def mix(opinions: np.ndarray, weights: np.ndarray, row: int) -> int:
    """Weighted sum of opinions (int32, logistic domain), itself in the logistic domain; ``weights[row]`` are int32."""
    total = 0
    for place in range(len(opinions)):
        total += np.int64(opinions[place]) * weights[row, place]
    return min(max(total >> 16, -LIMIT), LIMIT)


@jit
def learn_weights(opinions: np.ndarray, weights: np.ndarray, row: int, bit: int, probability: int, rate: int) -> None:
    """Move weights towards the opinions that were right.

    Parameters
    ----------
    opinions, weights, row
        As for :func:`mix`.
    bit : int
        What came.
    probability : int
        What the mixture said, in 1/65536.
    rate : int
        Speed; 2 to 20 are sensible.
    """
    error = (65536 if bit else 0) - probability
    for place in range(len(opinions)):
        moved = weights[row, place] + ((np.int64(opinions[place]) * error * rate + (1 << 13)) >> 14)
        weights[row, place] = min(max(moved, -MAX_WEIGHT), MAX_WEIGHT)
