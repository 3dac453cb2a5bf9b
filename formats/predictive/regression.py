"""Weighted least squares with forgetting: the predictor of the exact coder (SPEC.md, section 6.7).

Normal equations are kept up to date sample by sample and solved now and then by elimination. Everything is IEEE double
with +, -, *, / in the order written here, so every machine predicts the same. Sizes are multiples of 8 (regressors
that don't exist are 0), and rows of the upper triangle begin at multiples of 8: what lies left of the diagonal is never
used, but lets a processor take 8 columns at a time.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit

_COLLINEAR = 1e-10
_NOTHING = 1e-30


@jit
def learn(
    matrix: np.ndarray, vector: np.ndarray, regressors: np.ndarray, target: float, weight: float, keep: float
) -> None:
    """Add one sample to the normal equations.

    Parameters
    ----------
    matrix, vector : ndarray of float64, shape (N, N) and (N,)
        Changed in place.
    regressors : ndarray of float64, shape (N,)
    target : float
        What the regressors should have predicted.
    weight : float
        Of this sample.
    keep : float
        What is left of the weight of all earlier samples.
    """
    for row in range(len(vector)):
        first = row & ~7
        factor = regressors[row] * weight
        entries, others = matrix[row, first:], regressors[first:]
        for column in range(len(entries)):
            entries[column] = entries[column] * keep + factor * others[column]
        vector[row] = vector[row] * keep + factor * target


@jit
def solve(
    matrix: np.ndarray, vector: np.ndarray, ridge: float, work: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> None:
    """Solve the normal equations; a regressor that others determine gets the weight 0.

    Parameters
    ----------
    matrix, vector : ndarray of float64, shape (N, N) and (N,)
        From :func:`learn`.
    ridge : float
        Added to the diagonal, so that regressors that say nothing keep small weights; the weight of the first is drawn
        to 1 instead, as a signal's last sample is the best first guess.
    work, right : ndarray of float64, shape (N, N) and (N,)
        Room to work in.
    weights : ndarray of float64, shape (N,)
        The solution.
    """
    size = len(vector)
    for row in range(size):
        first = row & ~7
        entries, given = work[row, first:], matrix[row, first:]
        for column in range(len(entries)):
            entries[column] = given[column]
        work[row, row] += ridge
        right[row] = vector[row]
    right[0] += ridge
    # Four pivots are taken at a time; each entry still sees them one after the other.
    for panel in range(0, size, 4):
        for pivot in range(panel, panel + 4):
            weights[pivot] = 0.0
            if work[pivot, pivot] > _COLLINEAR * matrix[pivot, pivot] + _NOTHING:
                weights[pivot] = 1.0 / work[pivot, pivot]
            first = pivot & ~7
            source = work[pivot, first:]
            for row in range(pivot + 1, panel + 4):
                factor = work[pivot, row] * weights[pivot]
                entries = work[row, first:]
                for column in range(len(entries)):
                    entries[column] -= factor * source[column]
                right[row] -= factor * right[pivot]
        for row in range(panel + 4, size):
            first = row & ~7
            entries = work[row, first:]
            f0, source0 = work[panel, row] * weights[panel], work[panel, first:]
            f1, source1 = work[panel + 1, row] * weights[panel + 1], work[panel + 1, first:]
            f2, source2 = work[panel + 2, row] * weights[panel + 2], work[panel + 2, first:]
            f3, source3 = work[panel + 3, row] * weights[panel + 3], work[panel + 3, first:]
            for column in range(len(entries)):
                entries[column] = (
                    ((entries[column] - f0 * source0[column]) - f1 * source1[column]) - f2 * source2[column]
                ) - f3 * source3[column]
            right[row] = (
                ((right[row] - f0 * right[panel]) - f1 * right[panel + 1]) - f2 * right[panel + 2]
            ) - f3 * right[panel + 3]
    for pivot in range(size - 1, -1, -1):
        weights[pivot] = right[pivot] * weights[pivot]
        for row in range(pivot):
            right[row] -= work[row, pivot] * weights[pivot]
