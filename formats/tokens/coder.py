"""Tokens to bits and back: each token is a few binary decisions, the prior's opinion mixed with what came so far.

(SPEC.md, 6.2.4.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eegzip.formats.entropy.adaptive_bit import put_adaptive_bit, take_adaptive_bit
from eegzip.formats.entropy.binary_coder import (
    MIN_PROBABILITY,
    decode_bit,
    encode_bit,
    finish,
    is_over,
    new_decoder,
    new_encoder,
)
from eegzip.formats.entropy.jit import inlined, jit
from eegzip.formats.entropy.mixing import (
    WEIGHT_ONE,
    learn,
    learn_weights,
    mix,
    squash,
    stretch,
)
from eegzip.formats.tokens.likelihood import hidden_of_frame, likelihoods, new_room
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tables import CodingTables
from eegzip.formats.tokens.tracking import by_coordinate, energy_class, follow, predict, start_variance

_SLOWEST = 250
_TOKEN_RATE, _DEPTH_RATE = 3, 12
_DEPTH_SLOWEST = 60
_DEPTH_CONTEXTS = 131
_WEIGHT_SLOWEST = 30
LARGEST_WEIGHT = 63


@jit
def _halves(contexts: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a half, and counts of 0."""
    return np.full(contexts, 32768, np.int32), np.zeros(contexts, np.uint8)


@inlined
def _decide(
    state: np.ndarray, data: np.ndarray, bit: int, opinions: np.ndarray, weights: np.ndarray, row: int, rate: int
) -> int:
    """Code one decision by the mixture of opinions, which learns from it; `bit` is -1 to decode it."""
    probability = min(max(squash(mix(opinions, weights, row)), MIN_PROBABILITY), 65536 - MIN_PROBABILITY)
    if bit < 0:
        bit = decode_bit(state, data, probability)
    else:
        encode_bit(state, data, bit, probability)
    learn_weights(opinions, weights, row, bit, probability, rate)
    return bit


@jit
def _code_depth(
    state: np.ndarray,
    data: np.ndarray,
    depth: int,
    levels: int,
    last: int,
    mean: int,
    other: int,
    probabilities: np.ndarray,
    counts: np.ndarray,
    weights: np.ndarray,
    opinions: np.ndarray,
) -> int:
    """Code how many tokens a frame has, level by level: is there one more? `depth` is -1 to decode it.

    `last` is the previous frame's depth, `mean` sixteen times a running mean, `other` the first reference's depth
    or -1.
    """
    contexts = np.zeros(3, np.int64)
    at = 0
    while at < levels:
        contexts[0] = min(max(at - last, -4), 4) + 4
        contexts[1] = 9 + min(max(4 * at - (mean >> 2), -16), 15) + 16
        contexts[2] = 41 + (81 if other < 0 else 9 * (min(max(at - other, -4), 4) + 4)) + contexts[0]
        for place in range(3):
            opinions[place] = stretch(probabilities[contexts[place]])
        more = _decide(state, data, -1 if depth < 0 else int(at < depth), opinions, weights, 0, _DEPTH_RATE)
        for place in range(3):
            learn(probabilities, counts, contexts[place], more, _DEPTH_SLOWEST)
        if not more:
            break
        at += 1
    return at


@jit
def _simple(
    state: np.ndarray, data: np.ndarray, bit: int, probabilities: np.ndarray, counts: np.ndarray, context: int
) -> int:
    """Code one decision by its own context's probability; `bit` is -1 to decode it."""
    if bit < 0:
        return take_adaptive_bit(state, data, probabilities, counts, context, _WEIGHT_SLOWEST)
    put_adaptive_bit(state, data, probabilities, counts, context, bit, _WEIGHT_SLOWEST)
    return bit


@jit
def _code_weights(state: np.ndarray, data: np.ndarray, weights: np.ndarray, decoding: int) -> None:
    """Code the references' weights, band by band, each as its difference from the band before.

    A difference is a magnitude in unary and a sign, each decision with a probability of its own that adapts.
    """
    probabilities, counts = _halves(3 * 17)
    for place in range(len(weights)):
        last = 0
        for band in range(weights.shape[1]):
            start = 17 * min(band, 2)
            value = 0 if decoding else weights[place, band] - last
            size = 0
            while size < 2 * LARGEST_WEIGHT:
                more = -1 if decoding else int(size < abs(value))
                if not _simple(state, data, more, probabilities, counts, start + 1 + min(size, 15)):
                    break
                size += 1
            negative = 0
            if size:
                negative = _simple(state, data, -1 if decoding else int(value < 0), probabilities, counts, start)
            last = min(max(last - size if negative else last + size, -LARGEST_WEIGHT), LARGEST_WEIGHT)
            weights[place, band] = last


@inlined
def _code_token(
    state: np.ndarray,
    data: np.ndarray,
    token: int,
    level: int,
    tree: np.ndarray,
    probabilities: np.ndarray,
    counts: np.ndarray,
    weights: np.ndarray,
    opinions: np.ndarray,
) -> int:
    """Code a token from the top of the tree down to its leaf; `token` is -1 to decode it."""
    leaves = len(tree) >> 1
    depth = 0
    while (1 << (depth + 1)) <= leaves:
        depth += 1
    node = 1
    for step in range(depth):
        total: Any = np.int64(tree[node])
        right: Any = (np.int64(tree[2 * node + 1]) << 16) // total if total else 32768
        context = level * leaves + node
        opinions[0] = stretch(min(max(right, 1), 65535))
        opinions[1] = stretch(probabilities[context])
        bit = -1 if token < 0 else (token >> (depth - 1 - step)) & 1
        bit = _decide(state, data, bit, opinions, weights, level * depth + step, _TOKEN_RATE)
        learn(probabilities, counts, context, bit, _SLOWEST)
        node = 2 * node + bit
    return node - leaves


@jit
def code_tokens(
    tables: CodingTables,
    codes: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    start_class: int,
    varying: int,
    data: np.ndarray,
    decoding: int,
) -> int:
    """Encode or decode the tokens of a stream.

    Parameters
    ----------
    tables : CodingTables
    codes : ndarray of uint16, shape (K, frames)
        The tokens, :data:`ABSENT` above a frame's depth; filled in when decoding.
    others : ndarray of uint16, shape (references, any number up to that of the prior, frames)
        Tokens of the references, :data:`ABSENT` where they have none.
    weights : ndarray of int32, shape (references, BANDS)
        In 1/32, from -63 to 63; filled in when decoding.
    start_class : int
    varying : int
        1 where each frame has a depth of its own.
    data : ndarray of uint8
        The stream to decode, or room for it.
    decoding : int
        1 to decode.

    Returns
    -------
    int
        Length of the stream when encoding. When decoding 0, or -1 where a token is none of the entries.
    """
    levels, frames = codes.shape
    entries = tables.words.shape[1]
    width = tables.words.shape[2]
    leaves = 2
    depth_bits = 1
    while leaves < entries:
        leaves *= 2
        depth_bits += 1
    state = new_decoder(data) if decoding else new_encoder()
    probabilities, counts = _halves(levels * leaves)
    trust = np.zeros((levels * depth_bits, 2), np.int32)
    trust[:, 0] = WEIGHT_ONE
    opinions = np.zeros(2, np.int32)
    depth_probabilities, depth_counts = _halves(_DEPTH_CONTEXTS)
    depth_trust = np.full((1, 3), WEIGHT_ONE // 3, np.int32)
    depth_opinions = np.zeros(3, np.int32)
    room = new_room(tables)
    hidden = np.zeros(tables.level.shape[1], np.int32)
    missing = np.zeros(width, np.int64)
    vector = np.zeros(width, np.int64)
    variance = np.zeros(width, np.int64)
    prediction = np.zeros(width, np.int64)
    before = np.full(levels, ABSENT, np.uint16)
    beside = np.full(others.shape[1], ABSENT, np.uint16)
    together = 1 if len(others) else 0
    _code_weights(state, data, weights, decoding)
    spread = by_coordinate(weights, tables.bands)
    start_variance(tables.start[together], start_class, variance)
    last, mean = levels, 16 * levels
    for f in range(frames):
        if decoding and is_over(state, data):
            codes[:, f:] = leaves - 1
            return -1 if leaves > entries else 0
        predict(tables.words, others, spread, f, prediction)
        if together:
            beside[:] = others[0, :, f]
        hidden_of_frame(tables, before, beside, together, energy_class(variance, tables.lowest_class[0]), hidden)
        depth = levels
        if varying:
            other = -1
            if together:
                other = 0
                while other < len(beside) and beside[other] != ABSENT:
                    other += 1
            if not decoding:
                depth = 0
                while depth < levels and codes[depth, f] != ABSENT:
                    depth += 1
            depth = _code_depth(
                state, data, -1 if decoding else depth, levels, last, mean, other,
                depth_probabilities, depth_counts, depth_trust, depth_opinions,
            )  # fmt: skip
            mean += depth - (mean >> 4)
            last = depth
        for d in range(width):
            vector[d] = 0
            missing[d] = prediction[d]
        for level in range(depth):
            likelihoods(tables, level, together, missing, variance, hidden, room)
            token = -1 if decoding else int(codes[level, f])
            token = _code_token(state, data, token, level, room.tree, probabilities, counts, trust, opinions)
            if token >= entries:
                return -1
            if decoding:
                codes[level, f] = token
            for d in range(width):
                vector[d] += tables.words[level, token, d]
                missing[d] -= tables.words[level, token, d]
            for h in range(len(hidden)):
                hidden[h] += tables.own[level, token, h]
            before[level] = token
        for level in range(depth, levels):
            before[level] = ABSENT
            if decoding:
                codes[level, f] = ABSENT
        follow(variance, vector, prediction)
    return 0 if decoding else finish(state, data)
