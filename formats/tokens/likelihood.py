"""Likelihood of each token of a frame, in integers (SPEC.md, 6.2.3)."""

from __future__ import annotations

import math

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tables import PriorTables

LIMIT = 4095
"""Largest magnitude of what is multiplied with the tables."""

_LIMIT = float(LIMIT)
_SCORE_BITS = 5
_EXP_ENTRIES = 3072

# exp(-n / 256) in 1/65536, at least 1. No value lies near enough to a half for the last bit of exp to matter on any
# machine; a test holds that.
EXP = np.array([max(1, round(65536 * math.exp(-n / 256))) for n in range(_EXP_ENTRIES)], np.uint32)

_MISSING_BITS, _SPREAD_BITS = 21, 31
"""What is missing and variances have no more binary digits nearly always; if they have, division takes longer."""


@jit
def factors(
    missing: np.ndarray,
    variance: np.ndarray,
    rest: np.ndarray,
    gain: np.ndarray,
    norm_gain: np.ndarray,
    along: np.ndarray,
    against: np.ndarray,
) -> None:
    """Fill `along` and `against` (int32, shape (D,)) with what ``match`` and ``norm`` are multiplied with.

    They are quotients of integers, rounded down. Doubles divide ten times as fast and round down to the same: the
    numerators are exact in them, and a quotient below 4096 of a divisor below 2**31 is either an integer or further
    than 2**-31 from one.
    """
    digits, spreads = np.int64(0), np.int64(0)
    for d in range(len(missing)):
        digits |= missing[d] ^ (missing[d] >> 63)
        spreads |= variance[d] + rest[d]
    if digits >> _MISSING_BITS == 0 and spreads >> _SPREAD_BITS == 0:
        for d in range(len(missing)):
            spread = np.float64(np.int32(variance[d] + rest[d]))
            quotient = np.floor(np.float64(np.int32(missing[d])) * np.float64(gain[d]) / spread)
            along[d] = np.int32(min(max(quotient, -_LIMIT), _LIMIT))
            against[d] = np.int32(min(np.floor(np.float64(norm_gain[d]) / spread), _LIMIT))
    else:
        for d in range(len(missing)):
            whole = variance[d] + rest[d]
            along[d] = min(max(missing[d] * gain[d] // whole, -LIMIT), LIMIT)
            against[d] = min(norm_gain[d] // whole, LIMIT)


@jit
def _add_four(
    scores: np.ndarray,
    a: np.int32, b: np.int32, c: np.int32, d: np.int32,
    u: np.ndarray, v: np.ndarray, w: np.ndarray, x: np.ndarray,
) -> None:  # fmt: skip
    """Add four rows of tables, times a number each, to scores; in 32 bits, which is twice as fast as numba's 64."""
    for t in range(len(scores)):
        scores[t] = np.int32(
            scores[t] + np.int32(a * u[t]) + np.int32(b * v[t]) + np.int32(c * w[t]) + np.int32(d * x[t])
        )


@jit
def _sum_pairs(nodes: np.ndarray, above: np.ndarray) -> None:
    for n in range(len(above)):
        above[n] = np.uint32(nodes[2 * n] + nodes[2 * n + 1])


@jit
def hidden_of_frame(
    tables: PriorTables, before: np.ndarray, beside: np.ndarray, together: int, energy: int, hidden: np.ndarray
) -> None:
    """Fill `hidden` (int32, shape (H,)) with what is known before a frame's first token.

    Parameters
    ----------
    tables : PriorTables
    before, beside : ndarray of uint16, shape (at most K,)
        Tokens of the previous frame and of the first reference's same frame; :data:`ABSENT` where there is none.
    together : int
        1 for streams with references.
    energy : int
        Class.
    hidden : ndarray
    """
    units = len(hidden)
    for h in range(units):
        hidden[h] = tables.energy[together, energy, h]
    for level in range(len(before)):
        if before[level] != ABSENT:
            for h in range(units):
                hidden[h] += tables.before[level, before[level], h]
    for level in range(len(beside)):
        if beside[level] != ABSENT:
            for h in range(units):
                hidden[h] += tables.beside[level, beside[level], h]


@jit
def likelihoods(
    tables: PriorTables,
    level: int,
    together: int,
    missing: np.ndarray,
    variance: np.ndarray,
    hidden: np.ndarray,
    scores: np.ndarray,
    room: np.ndarray,
    tree: np.ndarray,
) -> None:
    """Fill `tree` with how likely each entry of a level is.

    Parameters
    ----------
    tables : PriorTables
    level, together : int
    missing : ndarray of int64, shape (D,)
        The prediction minus the words of the frame's lower levels.
    variance : ndarray of int64, shape (D,)
        Of what the prediction misses.
    hidden : ndarray of int32, shape (H,)
    scores : ndarray of int32, shape (S,)
    room : ndarray of int32, shape (2, at least D and H)
        Working memory, as `scores`.
    tree : ndarray of uint32, shape (2 * leaves,)
        Leaf i, at ``leaves + i``, is the weight of entry i (0 from S on); node n is the sum of nodes 2n and 2n + 1.
    """
    width, entries = len(missing), len(scores)
    along, against = room[0], room[1]
    match, norm, out = tables.match[level], tables.norm[level], tables.out[level]
    factors(
        missing, variance, tables.rest[level], tables.gain[level, together], tables.norm_gain[level, together],
        along, against,
    )  # fmt: skip
    zero = np.int32(0)
    scores[:] = 0
    for d in range(0, width, 2):
        # Of an odd number the last stands beside itself, times 0.
        other = min(d + 1, width - 1)
        both = other > d
        _add_four(
            scores,
            along[d], np.int32(-against[d]),
            along[other] if both else zero, np.int32(-against[other]) if both else zero,
            match[d], norm[d], match[other], norm[other],
        )  # fmt: skip
    # The hidden units that speak at all, and how loudly.
    active, speaking, loud = 0, room[0], room[1]
    for h in range(len(hidden)):
        value = min(2 * (hidden[h] + tables.level[level, h]), LIMIT)
        if value > 0:
            speaking[active], loud[active] = h, value
            active += 1
    for h in range(0, active, 4):
        i, j, k = min(h + 1, active - 1), min(h + 2, active - 1), min(h + 3, active - 1)
        _add_four(
            scores,
            loud[h], loud[i] if i > h else zero, loud[j] if j > i else zero, loud[k] if k > j else zero,
            out[speaking[h]], out[speaking[i]], out[speaking[j]], out[speaking[k]],
        )  # fmt: skip
    bias = tables.bias[level, together]
    best = np.int32(-(1 << 31))
    for t in range(entries):
        scores[t] = np.int32((scores[t] >> _SCORE_BITS) + bias[t])
        best = max(best, scores[t])
    leaves = len(tree) >> 1
    for t in range(entries):
        tree[leaves + t] = EXP[min(best - scores[t], _EXP_ENTRIES - 1)]
    tree[leaves + entries :] = 0
    while leaves > 1:
        _sum_pairs(tree[leaves : 2 * leaves], tree[leaves >> 1 : leaves])
        leaves >>= 1
