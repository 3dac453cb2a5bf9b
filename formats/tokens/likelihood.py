"""Likelihood of each token of a frame, in integers (SPEC.md, 6.2.3)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eegzip.formats.entropy.jit import inlined, jit
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.pair_sums import PAIR_ROOM, add_pairs
from eegzip.formats.tokens.tables import PAIR_COLUMNS, CodingTables

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


class Room(NamedTuple):
    """Working memory of :func:`likelihoods`, and what they are.

    Attributes
    ----------
    scores : ndarray of int32, shape (at least S,)
        Of each entry, in 1/256 of a natural unit.
    numbers : ndarray of int32, shape (2, D + ceil(H / 2))
        What the tables' pairs are multiplied with.
    repeated : ndarray of int16, shape (D + ceil(H / 2), PAIR_ROOM)
    tree : ndarray of uint32, shape (2 * leaves,)
        Leaf i, at ``leaves + i``, is the weight of entry i (0 from S on); node n is the sum of nodes 2n and 2n + 1.
    """

    scores: np.ndarray
    numbers: np.ndarray
    repeated: np.ndarray
    tree: np.ndarray


@jit
def new_room(tables: CodingTables) -> Room:
    """Return room for the likelihoods of some tables."""
    leaves = 2
    while leaves < tables.bias.shape[2]:
        leaves *= 2
    _, tiles, rows, _ = tables.pairs.shape
    return Room(
        np.zeros(tiles * PAIR_COLUMNS, np.int32),
        np.zeros((2, rows), np.int32),
        np.zeros((rows, PAIR_ROOM), np.int16),
        np.zeros(2 * leaves, np.uint32),
    )


@inlined
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


@inlined
def _sum_pairs(nodes: np.ndarray, above: np.ndarray) -> None:
    for n in range(len(above)):
        above[n] = np.uint32(nodes[2 * n] + nodes[2 * n + 1])


@inlined
def hidden_of_frame(
    tables: CodingTables, before: np.ndarray, beside: np.ndarray, together: int, energy: int, hidden: np.ndarray
) -> None:
    """Fill `hidden` (int32, shape (H,)) with what is known before a frame's first token.

    Parameters
    ----------
    tables : CodingTables
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
            row = tables.before[level, before[level]]
            for h in range(units):
                hidden[h] += row[h]
    for level in range(len(beside)):
        if beside[level] != ABSENT:
            row = tables.beside[level, beside[level]]
            for h in range(units):
                hidden[h] += row[h]


@inlined
def likelihoods(
    tables: CodingTables,
    level: int,
    together: int,
    missing: np.ndarray,
    variance: np.ndarray,
    hidden: np.ndarray,
    room: Room,
) -> None:
    """Fill the tree of a room with how likely each entry of a level is.

    Parameters
    ----------
    tables : CodingTables
    level, together : int
    missing : ndarray of int64, shape (D,)
        The prediction minus the words of the frame's lower levels.
    variance : ndarray of int64, shape (D,)
        Of what the prediction misses.
    hidden : ndarray of int32, shape (H,)
    room : Room
    """
    width, entries = len(missing), tables.bias.shape[2]
    scores, first, second, tree = room.scores, room.numbers[0], room.numbers[1], room.tree
    factors(
        missing, variance, tables.rest[level], tables.gain[level, together], tables.norm_gain[level, together],
        first[:width], second[:width],
    )  # fmt: skip
    # How loudly the hidden units speak.
    half = len(first) - width
    for h in range(half):
        first[width + h] = min(max(2 * (hidden[h] + tables.level[level, h]), 0), LIMIT)
    for h in range(half, len(hidden)):
        second[width + h - half] = min(max(2 * (hidden[h] + tables.level[level, h]), 0), LIMIT)
    add_pairs(scores, first, second, room.repeated, tables.pairs[level])
    bias = tables.bias[level, together]
    best = np.int32(-(1 << 31))
    for t in range(entries):
        scores[t] = np.int32((scores[t] >> _SCORE_BITS) + bias[t])
        best = max(best, scores[t])
    leaves = len(tree) >> 1
    # Unsigned, an index is never counted from the end.
    last = np.uint32(_EXP_ENTRIES - 1)
    for t in range(entries):
        tree[leaves + t] = EXP[min(np.uint32(best - scores[t]), last)]
    tree[leaves + entries :] = 0
    while leaves > 1:
        _sum_pairs(tree[leaves : 2 * leaves], tree[leaves >> 1 : leaves])
        leaves >>= 1
