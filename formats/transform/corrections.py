"""Corrections of single samples: a whole number of steps each, nearly all of them 0 (SPEC.md, section 6.6)."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.adaptive_bit import put_adaptive_bit, take_adaptive_bit
from eegzip.formats.entropy.binary_coder import (
    HALF,
    PLACE,
    decode_bit,
    encode_bit,
    finish,
    is_over,
    new_decoder,
    new_encoder,
)
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import new_probabilities
from eegzip.formats.errors import ContainerError

MAX_STEPS = 63
"""Steps that a correction can have at most."""

_NEAR_CLASSES = 3
_CONTEXTS = 9
_SLOWEST = 255


@jit
def _context(values: np.ndarray, time: int, decision: int) -> int:
    """By how many of the two samples before were corrected, and by the number of steps known so far."""
    near = 0
    for back in range(1, _NEAR_CLASSES):
        if time >= back and values[time - back] != 0:
            near += 1
    return near if decision == 0 else 3 + min(decision - 1, _CONTEXTS - 4)


@jit
def _encode(values: np.ndarray, probabilities: np.ndarray, counts: np.ndarray, out: np.ndarray) -> int:
    state = new_encoder()
    for time in range(len(values)):
        size = abs(values[time])
        for decision in range(MAX_STEPS):
            bit = int(size > decision)
            put_adaptive_bit(state, out, probabilities, counts, _context(values, time, decision), bit, _SLOWEST)
            if not bit:
                break
        if size:
            encode_bit(state, out, int(values[time] < 0), HALF)
    return finish(state, out)


@jit
def _decode(data: np.ndarray, probabilities: np.ndarray, counts: np.ndarray, values: np.ndarray) -> int:
    state = new_decoder(data)
    for time in range(len(values)):
        if is_over(state, data):
            values[time:] = -MAX_STEPS
            break
        size = 0
        while size < MAX_STEPS and take_adaptive_bit(
            state, data, probabilities, counts, _context(values, time, size), _SLOWEST
        ):
            size += 1
        if size:
            values[time] = -size if decode_bit(state, data, HALF) else size
    return int(state[PLACE])


def encode_corrections(values: np.ndarray) -> bytes:
    """Code numbers of steps, int64 of shape (n,), each from -63 to 63."""
    out = np.zeros(16 + 2 * int(2 * len(values) + np.abs(values).sum()), np.uint8)
    used = _encode(np.ascontiguousarray(values, np.int64), *new_probabilities(_CONTEXTS), out)
    return out[:used].tobytes()


def decode_corrections(data: bytes, count: int) -> np.ndarray:
    """Inverse of :func:`encode_corrections`.

    Raises
    ------
    ContainerError
        The stream goes on after the last correction.
    """
    values = np.zeros(count, np.int64)
    stream = np.frombuffer(data, np.uint8)
    if _decode(stream, *new_probabilities(_CONTEXTS), values) < len(stream):
        raise ContainerError("corrections are followed by bytes that belong to nothing.")
    return values
