"""How likely each token of a frame is, in integers (SPEC.md, 6.2.3)."""

from __future__ import annotations

import math

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tables import PriorTables

LIMIT = 4095
"""Largest magnitude of what is multiplied with the tables."""

_SCORE_BITS = 5
_EXP_ENTRIES = 3072

# exp(-n / 256) in 1/65536, at least 1. No value lies near enough to a half for the last bit of exp to matter on any
# machine; a test holds that.
EXP = np.array([max(1, round(65536 * math.exp(-n / 256))) for n in range(_EXP_ENTRIES)], np.int64)


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
        Working memory.
    tree : ndarray of int64, shape (2 * leaves,)
        Leaf i, at ``leaves + i``, is the weight of entry i (0 from S on); node n is the sum of nodes 2n and 2n + 1.
    """
    entries = len(scores)
    for t in range(entries):
        scores[t] = 0
    for d in range(len(missing)):
        spread = variance[d] + tables.rest[level, d]
        x = np.int32(min(max(missing[d] * tables.gain[level, together, d] // spread, -LIMIT), LIMIT))
        y = np.int32(min(tables.norm_gain[level, together, d] // spread, LIMIT))
        for t in range(entries):
            scores[t] = np.int32(scores[t] + x * tables.match[level, d, t] - y * tables.norm[level, d, t])
    for h in range(len(hidden)):
        active = np.int32(min(2 * (hidden[h] + tables.level[level, h]), LIMIT))
        if active > 0:
            for t in range(entries):
                scores[t] = np.int32(scores[t] + active * tables.out[level, h, t])
    best = np.int32(-(1 << 31))
    for t in range(entries):
        scores[t] = (scores[t] >> _SCORE_BITS) + tables.bias[level, together, t]
        best = max(best, scores[t])
    leaves = len(tree) >> 1
    for t in range(leaves):
        tree[leaves + t] = EXP[min(best - scores[t], _EXP_ENTRIES - 1)] if t < entries else 0
    for node in range(leaves - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]
