"""The beam search of :mod:`eegzip.codecs.quantisation.beam` for CPUs, many times faster.

Compiled by numba without fast-math: every sum has one order and no fused multiply-add, so given the same
latents the tokens are the same on every CPU, for any batch and any number of threads.

Rows go through a level a block at a time, so its codewords are read from the nearest cache, and only the dimensions
in which a level has codewords at all take part (its support): the others add nothing to any score.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from eegzip.formats.entropy.jit import jit
from eegzip.formats.tokens.packed import ABSENT

_JOB_ROWS = 1024
_BLOCK_ROWS = 32
# Hypotheses and dimensions that the inner loop takes at once; what is missing is filled with zeros.
_STEP = 4
# Levels for which the search goes on where none of them was worth it.
_PATIENCE = 3
_ABSENT = np.uint16(ABSENT)
# Partial sums of an energy.
_LANES = 16
# Candidates of a row, dealt out to so many groups, have a bound on the last that is kept; they are looked at in pieces.
_GROUPS = 32
_PIECE = 32


@jit
def _score_four(
    rest: np.ndarray,
    columns: np.ndarray,
    squares: np.ndarray,
    s0: np.ndarray,
    s1: np.ndarray,
    s2: np.ndarray,
    s3: np.ndarray,
) -> None:
    """Fill s0..s3 [size] with |c|^2 - 2 r.c for four residuals `rest` [4, dim]; `columns` [dim, size] are -2 c."""
    dim, size = columns.shape
    for c in range(size):
        s0[c] = squares[c]
        s1[c] = squares[c]
        s2[c] = squares[c]
        s3[c] = squares[c]
    for d in range(0, dim, 4):
        a0, a1, a2, a3 = rest[0, d], rest[0, d + 1], rest[0, d + 2], rest[0, d + 3]
        b0, b1, b2, b3 = rest[1, d], rest[1, d + 1], rest[1, d + 2], rest[1, d + 3]
        e0, e1, e2, e3 = rest[2, d], rest[2, d + 1], rest[2, d + 2], rest[2, d + 3]
        f0, f1, f2, f3 = rest[3, d], rest[3, d + 1], rest[3, d + 2], rest[3, d + 3]
        u, v, w, x = columns[d], columns[d + 1], columns[d + 2], columns[d + 3]
        for c in range(size):
            u0, v0, w0, x0 = u[c], v[c], w[c], x[c]
            s0[c] = s0[c] + a0 * u0 + a1 * v0 + a2 * w0 + a3 * x0
            s1[c] = s1[c] + b0 * u0 + b1 * v0 + b2 * w0 + b3 * x0
            s2[c] = s2[c] + e0 * u0 + e1 * v0 + e2 * w0 + e3 * x0
            s3[c] = s3[c] + f0 * u0 + f1 * v0 + f2 * w0 + f3 * x0


@jit
def _energy(vector: np.ndarray, lanes: np.ndarray) -> np.float32:
    """Return the squared length of a vector, summed in lanes [_LANES] and then in order."""
    lanes[:] = 0
    whole = len(vector) // _LANES * _LANES
    for d in range(0, whole, _LANES):
        for j in range(_LANES):
            lanes[j] += vector[d + j] * vector[d + j]
    total = np.float32(0.0)
    for j in range(_LANES):
        total += lanes[j]
    for d in range(whole, len(vector)):
        total += vector[d] * vector[d]
    return total


@jit
def _bound(score: np.ndarray, energy: np.ndarray, keep: int, least: np.ndarray, nearest: np.ndarray) -> np.float32:
    """Return a cost that at least `keep` of the candidates of a row's hypotheses don't exceed.

    `score` [hypotheses, size] and `energy` [hypotheses] add up to costs. The candidates are dealt out to groups
    [_GROUPS], each of which has a least cost; `keep` of these belong to different candidates. `least` [size] and
    `nearest` [keep] are room.
    """
    size = score.shape[1]
    whole = size // _GROUPS * _GROUPS
    if keep > _GROUPS or not whole:
        return np.float32(np.inf)
    least[:] = np.inf
    for b in range(0, len(energy), 2):
        # Of an odd number the last comes twice.
        other = min(b + 1, len(energy) - 1)
        here, there, first, second = energy[b], energy[other], score[b], score[other]
        for c in range(size):
            cost, beside = here + first[c], there + second[c]
            cost = beside if beside < cost else cost
            least[c] = cost if cost < least[c] else least[c]
    for c in range(_GROUPS, whole, _GROUPS):
        for j in range(_GROUPS):
            least[j] = least[c + j] if least[c + j] < least[j] else least[j]
    for k in range(keep):
        nearest[k] = np.inf
    for j in range(_GROUPS):
        cost = least[j]
        if cost < nearest[keep - 1]:
            place = keep - 1
            while place > 0 and cost < nearest[place - 1]:
                nearest[place] = nearest[place - 1]
                place -= 1
            nearest[place] = cost
    return nearest[keep - 1]


@jit
def _any_within(score: np.ndarray, base: np.float32, bound: np.float32) -> bool:
    """Return whether any of some scores and `base` are not above a bound together."""
    count = 0
    for c in range(len(score)):
        count += not base + score[c] > bound
    return count > 0


@jit
def _search_rows(
    rows: np.ndarray,
    multipliers: np.ndarray,
    codebooks: np.ndarray,
    columns: np.ndarray,
    squares: np.ndarray,
    support: np.ndarray,
    counts: np.ndarray,
    beam: int,
    codes: np.ndarray,
) -> None:
    """Fill `codes` [rows, levels] for `rows` [rows, dim], those worth it at a row's multiplier (negative: all).

    `support` [levels, widest] lists the dimensions of each level's codewords, `counts` [levels] how many they are, to
    whole steps; `codebooks` [levels, size, widest] and `columns` [levels, widest, size] hold the codewords there, and
    -2 times these; `squares` [levels, size] their squared lengths.
    """
    levels, widest, size = columns.shape
    count, dim = rows.shape
    most = _BLOCK_ROWS * beam
    residual = np.zeros((2, most, dim), np.float32)
    energy = np.empty((2, most), np.float32)
    path = np.empty((2, most, levels), np.uint16)
    # Of one row's hypotheses, or of four rows where they are few, in whole steps: the inner loop takes four at once.
    rest = np.zeros((_STEP * beam + _STEP, widest), np.float32)
    score = np.empty((_STEP * beam + _STEP, size), np.float32)
    best = np.empty(beam, np.float32)
    best_parent = np.empty(beam, np.int64)
    best_code = np.empty(beam, np.int64)
    lanes = np.empty(_LANES, np.float32)
    groups = np.empty(size, np.float32)
    nearest = np.empty(beam, np.float32)
    # Rows of the block that are not done yet, the least that each may cost so far, and with how many codewords.
    open_rows = np.empty(_BLOCK_ROWS, np.int64)
    least = np.empty(_BLOCK_ROWS, np.float32)
    depth = np.empty(_BLOCK_ROWS, np.int64)
    for start in range(0, count, _BLOCK_ROWS):
        block = 0
        now, alive = 0, 1
        for row in range(start, min(start + _BLOCK_ROWS, count)):
            codes[row] = _ABSENT
            residual[0, block] = rows[row]
            energy[0, block] = _energy(rows[row], lanes)
            least[block], depth[block] = energy[0, block], 0
            if not least[block] <= multipliers[row]:
                open_rows[block] = row
                block += 1
        for level in range(levels):
            keep = beam if level + 1 < levels else 1
            width = counts[level]
            # So many rows have hypotheses in whole steps, if they can; their scores stay in the nearest cache.
            together = 1 if alive % 4 == 0 else 2 if alive % 2 == 0 else 4
            after, found, left = 1 - now, 0, 0
            for n in range(block):
                first_of_group = n - n % together
                if n == first_of_group:
                    begin, end = n * alive, min(n + together, block) * alive
                    for h in range(begin, end):
                        for i in range(width):
                            rest[h - begin, i] = residual[now, h, support[level, i]]
                    for h in range(0, end - begin, _STEP):
                        _score_four(
                            rest[h : h + _STEP], columns[level, :width], squares[level],
                            score[h], score[h + 1], score[h + 2], score[h + 3],
                        )  # fmt: skip
                found, own = 0, (n - first_of_group) * alive
                bound = _bound(
                    score[own : own + alive], energy[now, n * alive : (n + 1) * alive], keep, groups, nearest
                )
                for b in range(alive):
                    base, costs = energy[now, n * alive + b], score[own + b]
                    for piece in range(0, size, _PIECE):
                        # Most pieces have nothing to keep.
                        if not _any_within(costs[piece : piece + _PIECE], base, bound):
                            continue
                        for c in range(piece, min(piece + _PIECE, size)):
                            s = base + costs[c]
                            if s > bound or (found == keep and not s < best[keep - 1]):
                                continue
                            place = found if found < keep else keep - 1
                            while place > 0 and s < best[place - 1]:
                                best[place] = best[place - 1]
                                best_parent[place] = best_parent[place - 1]
                                best_code[place] = best_code[place - 1]
                                place -= 1
                            best[place], best_parent[place], best_code[place] = s, n * alive + b, c
                            found = min(found + 1, keep)
                for k in range(found):
                    parent, code, child = best_parent[k], best_code[k], left * found + k
                    word, old, new = codebooks[level, code], residual[now, parent], residual[after, child]
                    for d in range(dim):
                        new[d] = old[d]
                    for i in range(width):
                        new[support[level, i]] -= word[i]
                    # Measured afresh rather than carried along: differences of large sums would lose the small ones.
                    energy[after, child] = _energy(new, lanes)
                    for above in range(level):
                        path[after, child, above] = path[now, parent, above]
                    path[after, child, level] = code
                # The children of a row that is done make room for those of the next.
                row, first, multiplier = open_rows[n], left * found, multipliers[open_rows[n]]
                cost, spent = least[n], depth[n]
                now_cost = energy[after, first] + (level + 1) * multiplier
                if multiplier < 0 or now_cost < cost:
                    cost, spent = now_cost, level + 1
                    codes[row, :spent] = path[after, first, :spent]
                # More can't be worth it where it costs as much without any error, and hardly where nothing came of it.
                hopeful = (level + 2) * multiplier < cost and level + 1 - spent < _PATIENCE
                if level + 1 < levels and (multiplier < 0 or hopeful):
                    open_rows[left], least[left], depth[left] = row, cost, spent
                    left += 1
            now, alive, block = after, found, left


class BeamSearch:
    """Search for the codewords whose sum is nearest to a vector, on CPUs.

    Parameters
    ----------
    codebooks : ndarray of float32, shape (levels, size, dim)
        Codebooks.
    beam : int
        Hypotheses kept from level to level; 1 is the greedy search.
    """

    def __init__(self, codebooks: npt.NDArray[np.float32], beam: int) -> None:
        levels, size, _ = codebooks.shape
        used = [np.flatnonzero(codebook.any(axis=0)) for codebook in codebooks]
        # To whole steps; where a support is filled up, zeros stand for codewords at dimension 0.
        self._counts = np.array([max(-(-len(where) // _STEP), 1) * _STEP for where in used])
        widest = int(self._counts.max())
        self._support = np.zeros((levels, widest), np.int64)
        self._codebooks = np.zeros((levels, size, widest), np.float32)
        for level, where in enumerate(used):
            self._support[level, : len(where)] = where
            self._codebooks[level, :, : len(where)] = codebooks[level][:, where]
        self._columns = np.ascontiguousarray((self._codebooks * np.float32(-2.0)).transpose(0, 2, 1))
        self._squares = np.square(self._codebooks, dtype=np.float64).sum(axis=2).astype(np.float32)
        self._beam = beam

    def __call__(
        self,
        rows: npt.NDArray[np.float32],
        levels: int,
        threads: int,
        multipliers: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.uint16]:
        """Return the indices chosen for some vectors.

        Parameters
        ----------
        rows : ndarray of float32, shape (n, dim)
            Vectors to be coded.
        levels : int
            How many codebooks to use, the first ones.
        threads : int
            How many threads share the work; the result does not depend on it.
        multipliers : ndarray of float32, shape (n,), optional
            Squared error that a codeword must take away to be worth it: a vector gets the codewords of the best
            hypothesis of the level at which error plus multipliers is least, and none above. By default all have all.

        Returns
        -------
        ndarray of uint16, shape (n, levels)
            :data:`~eegzip.formats.tokens.packed.ABSENT` where there is none.
        """
        rows = np.ascontiguousarray(rows, np.float32)
        if multipliers is None:
            least = np.full(len(rows), -1.0, np.float32)
        else:
            least = np.ascontiguousarray(multipliers, np.float32)
        codes = np.empty((len(rows), levels), np.uint16)
        codebooks, columns, squares = self._codebooks[:levels], self._columns[:levels], self._squares[:levels]
        support, counts = self._support[:levels], self._counts[:levels]

        def search(start: int) -> None:
            part = slice(start, start + _JOB_ROWS)
            _search_rows(rows[part], least[part], codebooks, columns, squares, support, counts, self._beam, codes[part])

        starts = range(0, len(rows), _JOB_ROWS)
        if threads == 1:
            for start in starts:
                search(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(search, starts))
        return codes
