"""The beam search of :mod:`eegzip.codecs.search` for CPUs, many times faster.

Compiled by numba without fast-math: every sum has one order and no fused multiply-add, so given the same
latents the tokens are the same on every CPU, for any batch and any number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from eegzip.formats.entropy.compiling import compiled

_BLOCK_ROWS = 1024


@compiled
def _search_rows(rows, columns, books, squares, beam, codes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill `codes` [rows, levels] for `rows` [rows, dim].

    `columns` [levels, dim, size] holds -2 times the codewords, `books` [levels, size, dim] the codewords and
    `squares` [levels, size] their squared lengths.
    """
    levels, dim, size = columns.shape
    wide = (dim // 8) * 8
    residual = np.empty((2, beam, dim), np.float32)
    energy = np.empty((2, beam), np.float32)
    path = np.empty((2, beam, levels), np.uint16)
    score = np.empty(size, np.float32)
    best = np.empty(beam, np.float32)
    best_parent = np.empty(beam, np.int64)
    best_code = np.empty(beam, np.int64)
    for n in range(rows.shape[0]):
        now, alive = 0, 1
        total = np.float32(0.0)
        for d in range(dim):
            residual[0, 0, d] = rows[n, d]
            total += rows[n, d] * rows[n, d]
        energy[0, 0] = total
        for level in range(levels):
            keep = beam if level + 1 < levels else 1
            found = 0
            for b in range(alive):
                base = energy[now, b]
                for c in range(size):
                    score[c] = squares[level, c]
                # Eight dimensions a pass: the scores are read and written an eighth as often.
                for d in range(0, wide, 8):
                    r0, r1 = residual[now, b, d], residual[now, b, d + 1]
                    r2, r3 = residual[now, b, d + 2], residual[now, b, d + 3]
                    r4, r5 = residual[now, b, d + 4], residual[now, b, d + 5]
                    r6, r7 = residual[now, b, d + 6], residual[now, b, d + 7]
                    for c in range(size):
                        score[c] = (
                            score[c]
                            + r0 * columns[level, d, c]
                            + r1 * columns[level, d + 1, c]
                            + r2 * columns[level, d + 2, c]
                            + r3 * columns[level, d + 3, c]
                            + r4 * columns[level, d + 4, c]
                            + r5 * columns[level, d + 5, c]
                            + r6 * columns[level, d + 6, c]
                            + r7 * columns[level, d + 7, c]
                        )
                for d in range(wide, dim):
                    r0 = residual[now, b, d]
                    for c in range(size):
                        score[c] = score[c] + r0 * columns[level, d, c]
                for c in range(size):
                    s = base + score[c]
                    if found == keep and not s < best[keep - 1]:
                        continue
                    place = found if found < keep else keep - 1
                    while place > 0 and s < best[place - 1]:
                        best[place] = best[place - 1]
                        best_parent[place] = best_parent[place - 1]
                        best_code[place] = best_code[place - 1]
                        place -= 1
                    best[place], best_parent[place], best_code[place] = s, b, c
                    found = min(found + 1, keep)
            after = 1 - now
            for k in range(found):
                parent, code = best_parent[k], best_code[k]
                total = np.float32(0.0)
                for d in range(dim):
                    rest = residual[now, parent, d] - books[level, code, d]
                    residual[after, k, d] = rest
                    total += rest * rest
                energy[after, k] = total
                for earlier in range(level):
                    path[after, k, earlier] = path[now, parent, earlier]
                path[after, k, level] = code
            now, alive = after, found
        for level in range(levels):
            codes[n, level] = path[now, 0, level]


class BeamSearch:
    """Search for the codewords whose sum is nearest to a vector, on CPUs.

    Parameters
    ----------
    books : ndarray of float32, shape (levels, size, dim)
        Codebooks.
    beam : int
        Hypotheses kept from level to level; 1 is the greedy search.
    """

    def __init__(self, books: npt.NDArray[np.float32], beam: int) -> None:
        self._books = np.ascontiguousarray(books, np.float32)
        self._columns = np.ascontiguousarray((self._books * np.float32(-2.0)).transpose(0, 2, 1))
        self._squares = np.square(self._books, dtype=np.float64).sum(axis=2).astype(np.float32)
        self._beam = beam

    def __call__(self, rows: npt.NDArray[np.float32], levels: int, threads: int) -> npt.NDArray[np.uint16]:
        """Return the indices chosen for some vectors.

        Parameters
        ----------
        rows : ndarray of float32, shape (n, dim)
            Vectors to be coded.
        levels : int
            How many codebooks to use, the first ones.
        threads : int
            How many threads share the work; the result does not depend on it.

        Returns
        -------
        ndarray of uint16, shape (n, levels)
        """
        rows = np.ascontiguousarray(rows, np.float32)
        codes = np.empty((len(rows), levels), np.uint16)
        books, columns, squares = self._books[:levels], self._columns[:levels], self._squares[:levels]

        def search(start: int) -> None:
            part = slice(start, start + _BLOCK_ROWS)
            _search_rows(rows[part], columns, books, squares, self._beam, codes[part])

        starts = range(0, len(rows), _BLOCK_ROWS)
        if threads == 1:
            for start in starts:
                search(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(search, starts))
        return codes
