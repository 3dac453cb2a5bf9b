"""SPEC.md 13.2: tables that no machine rounds otherwise, probabilities that learn, mixtures that beat their parts."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import (
    LIMIT,
    RATES,
    SQUASH,
    STRETCH,
    WEIGHT_ONE,
    learn,
    learn_weights,
    mix,
    new_probabilities,
    squash,
    stretch,
)


def test_tables_are_the_formulas_rounded_and_no_value_is_near_a_half():
    getcontext().prec = 40
    for x in range(-LIMIT, LIMIT + 1):
        exact = Decimal(65536) / (1 + (-Decimal(x) / 256).exp())
        assert abs(exact - int(SQUASH[x + LIMIT])) < Decimal("0.5") - Decimal("1e-6")
    for p in range(4096):
        exact = 256 * ((Decimal(2 * p + 1)) / Decimal(8191 - 2 * p)).ln()
        exact = max(Decimal(-LIMIT), min(Decimal(LIMIT), exact))
        assert abs(exact - int(STRETCH[p])) < Decimal("0.5") - Decimal("1e-6")
    assert all(abs(65536 / (n + 1.5) - int(RATES[n])) <= 0.5 for n in range(256))


def test_stretch_and_squash_undo_each_other():
    for value in range(-1500, 1501, 7):
        # The table of stretch has 4096 steps: the further out, the coarser.
        p = squash(value)
        assert abs(stretch(p) - value) <= 1 + 256 * 16 / min(p, 65536 - p) * 1.1


def test_a_probability_nears_the_share_of_ones():
    probabilities, counts = new_probabilities(1)
    bits = np.random.default_rng(1).random(4000) < 0.2
    for bit in bits:
        learn(probabilities, counts, 0, int(bit), 250)
    assert abs(probabilities[0] / 65536 - 0.2) < 0.05
    assert counts[0] == 250


@jit
def _cost(bits, contexts, use):  # type: ignore[no-untyped-def]
    """Bits that decisions take with either context alone (use 0, 1) or a mixture of both (2)."""
    probabilities = np.full((2, 16), 32768, np.int32)
    counts = np.zeros((2, 16), np.uint8)
    opinions = np.zeros(2, np.int32)
    weights = np.full((1, 2), 20000, np.int32)
    total = 0.0
    for n in range(len(bits)):
        for k in range(2):
            opinions[k] = stretch(probabilities[k, contexts[k, n]])
        p = squash(mix(opinions, weights, 0)) if use == 2 else squash(opinions[use])
        total -= math.log2((p if bits[n] else 65536 - p) / 65536)
        learn_weights(opinions, weights, 0, bits[n], p, 6)
        for k in range(2):
            learn(probabilities[k], counts[k], contexts[k, n], bits[n], 200)
    return total


def test_a_mixture_is_better_than_each_of_its_contexts():
    rng = np.random.default_rng(2)
    contexts = rng.integers(0, 16, (2, 20000))
    logit = 0.25 * (contexts[0] - 7.5) + 0.25 * (contexts[1] - 7.5)
    bits = (rng.random(20000) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    alone = min(_cost(bits, contexts, 0), _cost(bits, contexts, 1))
    assert _cost(bits, contexts, 2) < 0.95 * alone


def test_weights_stay_within_their_bounds():
    opinions, weights = np.array([LIMIT], np.int32), np.array([[WEIGHT_ONE]], np.int32)
    for _ in range(100):
        learn_weights(opinions, weights, 0, 1, 0, 1000)
    assert weights[0, 0] == 1 << 23
