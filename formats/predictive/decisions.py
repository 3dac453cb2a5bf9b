"""From an expected value and its uncertainty to the probability of binary decisions (SPEC.md, section 6.8).

An integer k is coded by asking where it lies: left or right of the expected value, how many times farther from it than
usual, and where in that range. For each question some experts state the probability that follows from their own
expected value and spread; a mixture, with weights that learn for each kind of question, decides.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eegzip.formats.entropy.binary_coder import decode_bit, encode_bit
from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import LIMIT, RATES, SQUASH, STRETCH

# The logistic distribution's tail 1 / (1 + exp(z)) for z from 0 to 24 in steps of 1/64, in units of 2**-32.
_STEPS = 64
_END = 24
TAIL = np.array([round(2**32 / (1 + math.exp(i / _STEPS))) for i in range(_END * _STEPS + 1)]) / 2**32
HEAVY = 0.02
"""Share of a heavy tail, 0.5 / (1 + z), that keeps surprises affordable."""

SPREAD_RATES = np.array([0.35, 0.1, 0.03, 0.006])
EXPERTS = len(SPREAD_RATES)
_OPINIONS = EXPERTS + 2
_SPREAD_SCALE = 0.6
_MIN_SPREAD = 0.03
_FIRST_SPREAD = 8.0
_UNIT_RATE = 0.03
_SPEED = 3e-10
_SLOWEST = 120
_BIAS = 128.0

# Kinds of questions: side, 2 x 8 ranges, 2 x 8 x 3 halvings of a range; times 4 classes of the unit's size.
_RANGES = 8
_HALVINGS = 3
_KINDS = (1 + 2 * _RANGES + 2 * _RANGES * _HALVINGS) * 4
_FRACTIONS = 9

_TINY = 1e-10


class Model(NamedTuple):
    """What the entropy coder has learnt; all arrays, changed in place."""

    mixture: np.ndarray
    spreads: np.ndarray
    unit: np.ndarray
    probabilities: np.ndarray
    counts: np.ndarray
    opinions: np.ndarray
    tails: np.ndarray


def new_model() -> Model:
    """State that has seen nothing."""
    mixture = np.zeros((_KINDS, _OPINIONS))
    mixture[:, :EXPERTS] = 1.0 / EXPERTS
    return Model(
        mixture,
        np.full(EXPERTS, _FIRST_SPREAD),
        np.full(1, _FIRST_SPREAD),
        np.full(_KINDS * _FRACTIONS, 32768, np.int32),
        np.zeros(_KINDS * _FRACTIONS, np.uint8),
        np.full(_OPINIONS, _BIAS),
        np.zeros((3, EXPERTS)),
    )


@jit
def _half_tail(distance: float) -> float:
    place = distance * _STEPS
    logistic = 0.0
    if place < _END * _STEPS:
        below = int(place)
        logistic = TAIL[below] + (TAIL[below + 1] - TAIL[below]) * (place - below)
    return (1.0 - HEAVY) * logistic + HEAVY * 0.5 / (1.0 + distance)


@jit
def _decide(
    model: Model, state: np.ndarray, data: np.ndarray, bit: int, kind: int, fraction: int, encoding: bool
) -> int:
    """Code one decision; ``model.tails`` are P(k >= threshold), P(k >= a), P(k >= b) for k in a..b-1, by expert."""
    tails, opinions, row = model.tails, model.opinions, model.mixture[kind]
    for expert in range(EXPERTS):
        share = (tails[0, expert] - tails[2, expert] + _TINY) / (tails[1, expert] - tails[2, expert] + 2 * _TINY)
        opinions[expert] = STRETCH[min(max(int(share * 4096.0), 0), 4095)]
    context = kind * _FRACTIONS + fraction
    opinions[EXPERTS] = STRETCH[model.probabilities[context] >> 4]
    total = 0.0
    for place in range(_OPINIONS):
        total += opinions[place] * row[place]
    total = min(max(total, -float(LIMIT)), float(LIMIT))
    probability = min(max(SQUASH[math.floor(total + 0.5) + LIMIT], 32), 65504)
    if encoding:
        encode_bit(state, data, bit, probability)
    else:
        bit = decode_bit(state, data, probability)
    step = ((65536 if bit else 0) - probability) * _SPEED
    for place in range(_OPINIONS):
        row[place] += step * opinions[place]
    count = model.counts[context]
    seen = 65535 if bit else 0
    model.probabilities[context] += ((seen - model.probabilities[context]) * RATES[count]) >> 16
    if count < _SLOWEST:
        model.counts[context] = count + 1
    return bit


@jit
def code_integer(
    model: Model,
    state: np.ndarray,
    data: np.ndarray,
    value: int,
    expected: np.ndarray,
    lowest: int,
    highest: int,
    encoding: bool,
) -> int:
    """Code an integer.

    Parameters
    ----------
    model : Model
    state, data : ndarray
        Of the binary coder.
    value : int
        The integer, in lowest..highest; of no meaning when decoding.
    expected : ndarray of float64, shape (EXPERTS,)
        What each expert expects; the first is within half a unit of 0, or at the range's end nearest to 0.
    lowest, highest : int
        lowest <= 0 <= highest.
    encoding : bool

    Returns
    -------
    int
        The integer, in lowest..highest.
    """
    tails = model.tails
    unit, size = 1, 0
    while unit < model.unit[0]:
        unit *= 2
        size += 1
    first, after = lowest, highest + 1
    for expert in range(EXPERTS):
        tails[1, expert] = 1.0
        tails[2, expert] = 0.0
    fraction = min(max(int((expected[0] + 0.5) * 8.0), 0), 7) if size < 3 else 8
    size = min(size, 3)
    side, reach, depth, question = 0, 0, 0, 0
    while after - first > 1:
        if question == 0:
            threshold, kind = 0, 0
            if first >= 0:
                side, question = 1, 1
                continue
        elif question == 1:
            threshold = unit << reach if side else -(unit << reach)
            kind = 1 + side * _RANGES + min(reach, _RANGES - 1)
            if threshold <= first or threshold >= after:
                question = 2
                continue
        else:
            threshold = first + ((after - first) >> 1)
            if depth >= _HALVINGS:
                if encoding:
                    bit = 1 if value >= threshold else 0
                    encode_bit(state, data, bit, 32768)
                else:
                    bit = decode_bit(state, data, 32768)
                if bit:
                    first = threshold
                else:
                    after = threshold
                continue
            kind = 1 + 2 * _RANGES + (side * _RANGES + min(reach, _RANGES - 1)) * _HALVINGS + depth
        for expert in range(EXPERTS):
            distance = (threshold - 0.5 - expected[expert]) / (model.spreads[expert] * _SPREAD_SCALE + _MIN_SPREAD)
            tails[0, expert] = _half_tail(distance) if distance >= 0.0 else 1.0 - _half_tail(-distance)
        bit = _decide(model, state, data, 1 if value >= threshold else 0, kind * 4 + size, fraction, encoding)
        if bit:
            first = threshold
        else:
            after = threshold
        for expert in range(EXPERTS):
            tails[1 if bit else 2, expert] = tails[0, expert]
        if question == 0:
            side, question = bit, 1
        elif question == 2:
            depth += 1
        elif bit == side:
            reach += 1
        else:
            question = 2
    return first


@jit
def observe(model: Model, value: int, expected: np.ndarray, seen: int) -> None:
    """Learn how far off the experts were, after `seen` integers before this one."""
    for expert in range(EXPERTS):
        rate = max(SPREAD_RATES[expert], 1.0 / (seen + 1.5))
        model.spreads[expert] += (abs(value - expected[expert]) - model.spreads[expert]) * rate
    rate = max(_UNIT_RATE, 1.0 / (seen + 1.5))
    model.unit[0] += (abs(value - expected[0]) - model.unit[0]) * rate
