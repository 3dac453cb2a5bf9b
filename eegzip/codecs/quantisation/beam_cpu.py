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

from eegzip.codecs.quantisation.scores import COLUMNS, ROWS, STRIPE, least_costs, score_rows, squared_stripes
from eegzip.formats.entropy.jit import inlined, jit
from eegzip.formats.tiles import in_tiles
from eegzip.formats.tokens.packed import ABSENT

_JOB_ROWS = 1024
_BLOCK_ROWS = 32
# Hypotheses and dimensions that the inner loop takes at once; what is missing is filled with zeros.
_STEP = ROWS
# Levels for which the search goes on where none of them was worth it.
_PATIENCE = 3
_ABSENT = np.uint16(ABSENT)
# Candidates of a row, dealt out to so many groups, have a bound on the last that is kept.
_GROUPS = 32


@inlined
def _energy(vector: np.ndarray) -> np.float32:
    """Return the squared length of a vector, summed in stripes and then in order."""
    total = squared_stripes(vector)
    for d in range(len(vector) // STRIPE * STRIPE, len(vector)):
        total += vector[d] * vector[d]
    return total


@inlined
def _bound(costs: np.ndarray, size: int, keep: int, nearest: np.ndarray) -> np.float32:
    """Return a cost that at least `keep` of the candidates of a row's hypotheses don't exceed.

    The candidates are dealt out to groups [_GROUPS], each of which has a least cost; `keep` of these belong to
    different candidates. `costs` [size] are the least ones of the hypotheses; `nearest` [_GROUPS + keep] is room.
    """
    whole = size // _GROUPS * _GROUPS
    if keep > _GROUPS or not whole:
        return np.float32(np.inf)
    groups, kept = nearest[:_GROUPS], nearest[_GROUPS:]
    groups[:] = costs[:_GROUPS]
    for c in range(_GROUPS, whole, _GROUPS):
        piece = costs[c : c + _GROUPS]
        for j in range(len(piece)):
            groups[j] = piece[j] if piece[j] < groups[j] else groups[j]
    for k in range(keep):
        kept[k] = np.inf
    for j in range(_GROUPS):
        cost = groups[j]
        if cost < kept[keep - 1]:
            place = keep - 1
            while place > 0 and cost < kept[place - 1]:
                kept[place] = kept[place - 1]
                place -= 1
            kept[place] = cost
    return kept[keep - 1]


@inlined
def _within(costs: np.ndarray, size: int, bound: np.float32, columns: np.ndarray) -> int:
    """List the columns whose costs are not above a bound in `columns` [size]; return how many they are."""
    count = 0
    for c in range(size):
        columns[count] = c
        count += not costs[c] > bound
    return count


@jit
def _search_rows(
    rows: np.ndarray,
    multipliers: np.ndarray,
    size: int,
    columns: np.ndarray,
    squares: np.ndarray,
    support: np.ndarray,
    counts: np.ndarray,
    beam: int,
    codes: np.ndarray,
) -> None:
    """Fill `codes` [rows, levels] for `rows` [rows, dim], those worth it at a row's multiplier (negative: all).

    `support` [levels, widest] lists the dimensions of each level's codewords, `counts` [levels] how many they are, to
    whole steps; `columns` [levels, tiles, widest, COLUMNS] hold -2 times what the `size` codewords are there, `squares`
    [levels, tiles * COLUMNS] their squared lengths.
    """
    levels, _, widest, _ = columns.shape
    count, dim = rows.shape
    most = _BLOCK_ROWS * beam
    half = np.float32(0.5)
    residual = np.zeros((2, most, dim), np.float32)
    energy = np.empty((2, most), np.float32)
    path = np.empty((2, most, levels), np.uint16)
    # Of one row's hypotheses, or of four rows where they are few, in whole steps: the inner loop takes four at once.
    rest = np.zeros((_STEP * beam + _STEP, widest), np.float32)
    score = np.empty((_STEP * beam + _STEP, squares.shape[1]), np.float32)
    best = np.empty(beam, np.float32)
    best_parent = np.empty(beam, np.int64)
    best_code = np.empty(beam, np.int64)
    costs = np.empty(squares.shape[1], np.float32)
    few = np.empty(size, np.int32)
    nearest = np.empty(_GROUPS + beam, np.float32)
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
            energy[0, block] = _energy(rows[row])
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
                        score_rows(score[h : h + _STEP], rest[h : h + _STEP], width, squares[level], columns[level])
                found, own = 0, (n - first_of_group) * alive
                least_costs(costs, score[own : own + alive], energy[now, n * alive : (n + 1) * alive])
                bound = _bound(costs, size, keep, nearest)
                # Most columns have nothing to keep.
                candidates = _within(costs, size, bound, few)
                for b in range(alive):
                    base, one = energy[now, n * alive + b], score[own + b]
                    for k in range(candidates):
                        c = few[k]
                        s = base + one[c]
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
                    old, new = residual[now, parent], residual[after, child]
                    tile, place = columns[level, code // COLUMNS], code % COLUMNS
                    for d in range(dim):
                        new[d] = old[d]
                    for i in range(width):
                        new[support[level, i]] += half * tile[i, place]
                    # Measured afresh rather than carried along: differences of large sums would lose the small ones.
                    energy[after, child] = _energy(new)
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
        there = np.zeros((levels, size, widest), np.float32)
        for level, where in enumerate(used):
            self._support[level, : len(where)] = where
            there[level, :, : len(where)] = codebooks[level][:, where]
        self._columns = in_tiles((there * np.float32(-2.0)).transpose(0, 2, 1), COLUMNS)
        self._size = size
        squares = np.square(there, dtype=np.float64).sum(axis=2).astype(np.float32)
        self._squares = np.pad(squares, ((0, 0), (0, -size % COLUMNS)))
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
        size, columns, squares = self._size, self._columns[:levels], self._squares[:levels]
        support, counts = self._support[:levels], self._counts[:levels]

        def search(start: int) -> None:
            part = slice(start, start + _JOB_ROWS)
            _search_rows(rows[part], least[part], size, columns, squares, support, counts, self._beam, codes[part])

        starts = range(0, len(rows), _JOB_ROWS)
        if threads == 1:
            for start in starts:
                search(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(search, starts))
        return codes
