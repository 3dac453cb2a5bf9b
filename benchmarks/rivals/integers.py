"""Integers around zero in few bits: adaptive, in contexts that the caller knows."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.binary_coder import decode_bit, encode_bit, finish, new_decoder, new_encoder
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import learn

_UNARY = 40


@jit
def _decide(coder, data, encoding, bit, probability):
    p = min(max(probability, 64), 65536 - 64)
    if encoding:
        encode_bit(coder, data, bit, p)
        return bit
    return decode_bit(coder, data, p)


@jit
def _code(encoding, data, values, contexts):
    coder = new_encoder() if encoding else new_decoder(data)
    size = (contexts.max() + 1) * _UNARY if len(contexts) else 1
    probabilities = np.full(size, 32768, np.int32)
    counts = np.zeros(size, np.uint8)
    for n in range(len(values)):
        magnitude = 0
        while magnitude < (1 << 16):
            place = contexts[n] * _UNARY + min(magnitude, _UNARY - 1)
            more = 1 if abs(values[n]) > magnitude else 0
            more = _decide(coder, data, encoding, more, probabilities[place])
            learn(probabilities, counts, place, more, 60)
            if not more:
                break
            magnitude += 1
        if magnitude and _decide(coder, data, encoding, 1 if values[n] < 0 else 0, 32768):
            magnitude = -magnitude
        if not encoding:
            values[n] = magnitude
    return finish(coder, data) if encoding else 0


def encode_integers(values: np.ndarray, contexts: np.ndarray) -> bytes:
    """Code small integers, each in its context (both int64 [n])."""
    data = np.zeros(int(np.abs(values).sum() + 2 * len(values)) * 2 + 16, np.uint8)
    return data[: _code(True, data, values, contexts)].tobytes()


def decode_integers(data: bytes, contexts: np.ndarray) -> np.ndarray:
    """Integers that :func:`encode_integers` wrote."""
    values = np.zeros(len(contexts), np.int64)
    _code(False, np.frombuffer(data, np.uint8).copy(), values, contexts)
    return values
