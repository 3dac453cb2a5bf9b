"""A carry-less binary arithmetic coder (SPEC.md, section 13.1).

The coder narrows an interval [low, high] of 32-bit integers, one binary decision at a time, and puts out the bytes that
both ends share. All state is integer, so no machine can decode differently.

An encoder or decoder is an array of int64, so that compiled functions can pass it on:

==========  ===================================================
``LOW``     lower end of the interval
``HIGH``    upper end of the interval, included
``PLACE``   bytes written or read so far
``VALUE``   decoder: the 32 bits of the stream that lie in view
==========  ===================================================
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit

LOW, HIGH, PLACE, VALUE = 0, 1, 2, 3
PROBABILITY_BITS = 16
MIN_PROBABILITY = 32
"""Of 65536; no decision is ever held for more certain."""
MAX_DECISIONS_A_BYTE = 12_000
"""Of decisions that are held for no more certain than 65504 of 65536, each takes 0.0007 bits at the least."""
HALF = 1 << (PROBABILITY_BITS - 1)
"""Probability of a decision without a model."""

_TOP = 0xFF000000
_MASK = 0xFFFFFFFF


@jit
def new_encoder() -> np.ndarray:
    """State of an encoder that has written nothing."""
    state = np.zeros(4, np.int64)
    state[HIGH] = _MASK
    return state


@jit
def new_decoder(data: np.ndarray) -> np.ndarray:
    """State of a decoder at the beginning of `data` (uint8); bytes beyond the end count as 0."""
    state = np.zeros(4, np.int64)
    state[HIGH] = _MASK
    for place in range(4):
        state[VALUE] = (state[VALUE] << 8) | (data[place] if place < len(data) else 0)
    state[PLACE] = 4
    return state


@jit
def _middle(state: np.ndarray, probability: int) -> int:
    span = state[HIGH] - state[LOW]
    return state[LOW] + (span >> 16) * probability + (((span & 0xFFFF) * probability) >> 16)


@jit
def encode_bit(state: np.ndarray, out: np.ndarray, bit: int, probability: int) -> None:
    """Encode one decision.

    Parameters
    ----------
    state : ndarray of int64
        From :func:`new_encoder`.
    out : ndarray of uint8
        Where bytes go. Those for which it has no room are counted, not written.
    bit : {0, 1}
    probability : int
        That the bit is 1, in 1/65536, from 1 to 65535.
    """
    middle = _middle(state, probability)
    if bit:
        state[HIGH] = middle
    else:
        state[LOW] = middle + 1
    while (state[LOW] ^ state[HIGH]) & _TOP == 0:
        if state[PLACE] < len(out):
            out[state[PLACE]] = state[HIGH] >> 24
        state[PLACE] += 1
        state[LOW] = (state[LOW] << 8) & _MASK
        state[HIGH] = ((state[HIGH] << 8) & _MASK) | 255


@jit
def finish(state: np.ndarray, out: np.ndarray) -> int:
    """Write the fewest bytes that name a point of the interval; return the length of the stream.

    A decoder takes bytes beyond the end for 0, so zero bytes at the end are left out. A length beyond that of `out`
    says that there was no room: the stream is not complete.
    """
    # With one more byte the point (LOW rounded up to it) is inside for some number of bytes from 0 to 4.
    for count in range(5):
        unit = 1 << (32 - 8 * count)
        point = (state[LOW] + unit - 1) // unit * unit
        if point <= state[HIGH]:
            for place in range(count):
                if state[PLACE] < len(out):
                    out[state[PLACE]] = (point >> (24 - 8 * place)) & 255
                state[PLACE] += 1
            break
    while 0 < state[PLACE] <= len(out) and out[state[PLACE] - 1] == 0:
        state[PLACE] -= 1
    return state[PLACE]


@jit
def next_bit(state: np.ndarray, probability: int) -> int:
    """What :func:`decode_bit` will return, without going on."""
    return int(state[VALUE] <= _middle(state, probability))


@jit
def decode_bit(state: np.ndarray, data: np.ndarray, probability: int) -> int:
    """Decode one decision; `probability` must be the one it was encoded with."""
    middle = _middle(state, probability)
    bit = 0
    if state[VALUE] <= middle:
        bit = 1
        state[HIGH] = middle
    else:
        state[LOW] = middle + 1
    while (state[LOW] ^ state[HIGH]) & _TOP == 0:
        state[LOW] = (state[LOW] << 8) & _MASK
        state[HIGH] = ((state[HIGH] << 8) & _MASK) | 255
        following = data[state[PLACE]] if state[PLACE] < len(data) else 0
        state[VALUE] = ((state[VALUE] << 8) & _MASK) | following
        state[PLACE] += 1
    return bit


@jit
def is_over(state: np.ndarray, data: np.ndarray) -> bool:
    """Whether a decoder has nothing but zeros in view: then every decision to come is 1, whatever its probability.

    The value in view is 0, and the lower end, which is not above it, likewise and for ever. A few bytes may claim
    millions of decisions; who knows how they all go need not make them.
    """
    return state[PLACE] >= len(data) + 4


@jit
def put_bits(state: np.ndarray, out: np.ndarray, value: int, count: int) -> None:
    """Write an unsigned integer of `count` bits, high bit first, without a model."""
    for place in range(count - 1, -1, -1):
        encode_bit(state, out, (value >> place) & 1, HALF)


@jit
def take_bits(state: np.ndarray, data: np.ndarray, count: int) -> int:
    """Read an unsigned integer of `count` bits."""
    value = 0
    for _ in range(count):
        value = 2 * value + decode_bit(state, data, HALF)
    return value
