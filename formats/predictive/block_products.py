"""Sums of products of samples over a block, as exact integers (SPEC.md, section 6.11).

The regressors are shifted copies of few signals, so most sums follow from their neighbours: moved on by one sample in
both signals, a sum gains a product at one end and loses one at the other. As integers all ways of adding agree.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit


@jit
def _shifted(first: np.ndarray, begin: int, second: np.ndarray, other: int, count: int, sums: np.ndarray) -> None:
    """``sums[k]`` of ``first[begin + t] * second[other - k + t]`` over t from 0 to ``count`` - 1."""
    values = first[begin : begin + count]
    shift = 0
    while shift + 4 <= len(sums):
        # Four at a time, so that each value is read once for four products.
        place = other - shift
        row0, row1 = second[place : place + count], second[place - 1 : place - 1 + count]
        row2, row3 = second[place - 2 : place - 2 + count], second[place - 3 : place - 3 + count]
        sum0 = sum1 = sum2 = sum3 = 0
        for t in range(count):
            value = int(values[t])
            sum0 += value * int(row0[t])
            sum1 += value * int(row1[t])
            sum2 += value * int(row2[t])
            sum3 += value * int(row3[t])
        sums[shift], sums[shift + 1], sums[shift + 2], sums[shift + 3] = sum0, sum1, sum2, sum3
        shift += 4
    while shift < len(sums):
        row0 = second[other - shift : other - shift + count]
        sum0 = 0
        for t in range(count):
            sum0 += int(values[t]) * int(row0[t])
        sums[shift] = sum0
        shift += 1


@jit
def products(
    own: np.ndarray,
    references: np.ndarray,
    past: int,
    window: int,
    start: int,
    stop: int,
    sums: np.ndarray,
    room: np.ndarray,
) -> None:
    """Sum the products of all pairs of regressors, and of each with the sample itself, over a block.

    Parameters
    ----------
    own : ndarray of int32, shape (past + 1 + n,)
        Samples, after past + 1 zeros.
    references : ndarray of int32, shape (references, ...)
        The sample that is the first regressor of time t stands at ``t + window``.
    past, window : int
        Regressors of the signal itself, and of each reference.
    start, stop : int
        The block.
    sums : ndarray of int64, shape (N + 1, N + 1)
        Of the sample and the N regressors; the upper triangle is filled.
    room : ndarray of int64, shape (max(past + 1, window),)
    """
    count = stop - start
    for one in range(len(references) + 1):
        first, rows, begin, top = own, past + 1, past + 1 + start, 0
        if one:
            first, rows, begin, top = references[one - 1], window, window + start, past + 1 + (one - 1) * window
        for two in range(one, len(references) + 1):
            second, columns, other, left = own, past + 1, past + 1 + start, 0
            if two:
                second, columns, other, left = (
                    references[two - 1], window, window + start, past + 1 + (two - 1) * window,
                )  # fmt: skip
            _shifted(first, begin, second, other, count, room[:columns])
            for column in range(columns):
                sums[top, left + column] = room[column]
            if one != two:
                _shifted(second, other, first, begin, count, room[:rows])
                for row in range(rows):
                    sums[top + row, left] = room[row]
            before, ended = second[other - columns : other], second[other + count - columns : other + count]
            for row in range(1, rows):
                new, old = int(first[begin - row]), int(first[begin + count - row])
                above, here = sums[top + row - 1], sums[top + row]
                for column in range(row if one == two else 1, columns):
                    here[left + column] = (
                        above[left + column - 1]
                        + new * int(before[columns - column])
                        - old * int(ended[columns - column])
                    )


@jit
def learn_block(matrix: np.ndarray, vector: np.ndarray, sums: np.ndarray, weight: float, keep: float) -> None:
    """Add a block to the normal equations.

    Parameters
    ----------
    matrix, vector : ndarray of float64, shape (M, M) and (M,), M >= N
        Changed in place; only the upper triangle.
    sums : ndarray of int64, shape (N + 1, N + 1)
        From :func:`products`.
    weight : float
        Of this block.
    keep : float
        What is left of the weight of all earlier blocks.
    """
    for row in range(len(sums) - 1):
        entries, new = matrix[row], sums[row + 1]
        for column in range(row, len(sums) - 1):
            entries[column] = entries[column] * keep + weight * float(new[column + 1])
        vector[row] = vector[row] * keep + weight * float(sums[0, row + 1])
