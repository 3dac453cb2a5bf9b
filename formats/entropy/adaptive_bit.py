"""Decisions with a probability of their own, which adapts (SPEC.md, section 13.2): coded, then learned from."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.binary_coder import MIN_PROBABILITY, decode_bit, encode_bit
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import learn


@jit
def put_adaptive_bit(
    state: np.ndarray,
    out: np.ndarray,
    probabilities: np.ndarray,
    counts: np.ndarray,
    context: int,
    bit: int,
    slowest: int,
) -> None:
    """Write a decision.

    Parameters
    ----------
    state, out : ndarray
        Of the binary coder.
    probabilities, counts : ndarray
        From :func:`eegzip.formats.entropy.mixing.new_probabilities`.
    context, bit : int
    slowest : int
        As for :func:`eegzip.formats.entropy.mixing.learn`.
    """
    encode_bit(state, out, bit, min(max(probabilities[context], MIN_PROBABILITY), 65536 - MIN_PROBABILITY))
    learn(probabilities, counts, context, bit, slowest)


@jit
def take_adaptive_bit(
    state: np.ndarray, data: np.ndarray, probabilities: np.ndarray, counts: np.ndarray, context: int, slowest: int
) -> int:
    """Read what :func:`put_adaptive_bit` wrote."""
    bit = decode_bit(state, data, min(max(probabilities[context], MIN_PROBABILITY), 65536 - MIN_PROBABILITY))
    learn(probabilities, counts, context, bit, slowest)
    return bit
