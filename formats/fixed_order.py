"""Sums in one order: products, equations, eigenvectors and logarithms that are the same to the last bit everywhere.

BLAS and LAPACK choose their kernels, and so the order of their sums, by processor, by number of threads and by size;
the logarithm of a C library or of numpy differs in its last bit from processor to processor. Where such a number
decides what an encoder writes, these take their place. They use nothing but IEEE 754's ``+ - * /`` and square roots,
each rounded by itself (:mod:`eegzip.formats.entropy.jit`), and an order that follows from nothing but the shapes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eegzip.formats.entropy.jit import jit

# Rows of the right factor that stay in the nearest caches while all rows of the left one use them.
_BLOCK = 64
_MAX_STEPS = 60
_LN_2 = 0.6931471805599453
_ROOT_HALF = 0.7071067811865476


@jit
def _add_product(left: np.ndarray, right: np.ndarray, result: np.ndarray) -> None:
    """Add `left` [m, k] times `right` [k, n] to `result` [m, n], in the order of k."""
    rows, inner = left.shape
    for begin in range(0, inner, _BLOCK):
        end = min(begin + _BLOCK, inner)
        whole = begin + (end - begin) // 4 * 4
        for i in range(rows):
            out = result[i]
            for k in range(begin, whole, 4):
                a, b, c, d = left[i, k], left[i, k + 1], left[i, k + 2], left[i, k + 3]
                u, v, w, x = right[k], right[k + 1], right[k + 2], right[k + 3]
                for j in range(len(out)):
                    out[j] = out[j] + a * u[j] + b * v[j] + c * w[j] + d * x[j]
            for k in range(whole, end):
                a, u = left[i, k], right[k]
                for j in range(len(out)):
                    out[j] = out[j] + a * u[j]


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the matrix product of two matrices, each sum taken from the first term to the last.

    Parameters
    ----------
    left : ndarray, shape (m, k)
        Of float32 or float64.
    right : ndarray of the same type, shape (k, n)

    Returns
    -------
    ndarray of that type, shape (m, n)
        Entry (i, j) depends on row i and column j alone, to the last bit.
    """
    result = np.zeros((left.shape[0], right.shape[1]), left.dtype)
    _add_product(np.ascontiguousarray(left), np.ascontiguousarray(right), result)
    return result


def gram(rows: np.ndarray) -> np.ndarray:
    """Return the inner products of all pairs of rows [m, k]: a symmetric matrix [m, m], float64."""
    rows = np.asarray(rows, np.float64)
    return product(rows, rows.T)


@jit
def _solve(matrices: np.ndarray, targets: np.ndarray) -> None:
    """Replace each row of `targets` [count, n] by the solution of its system of `matrices` [count, n, n] (Cholesky)."""
    count, size = targets.shape
    for number in range(count):
        matrix, target = matrices[number], targets[number]
        for i in range(size):
            for j in range(i + 1):
                total = matrix[i, j]
                for k in range(j):
                    total = total - matrix[i, k] * matrix[j, k]
                matrix[i, j] = np.sqrt(total) if i == j else total / matrix[j, j]
            total = target[i]
            for k in range(i):
                total = total - matrix[i, k] * target[k]
            target[i] = total / matrix[i, i]
        for i in range(size - 1, -1, -1):
            total = target[i]
            for k in range(i + 1, size):
                total = total - matrix[k, i] * target[k]
            target[i] = total / matrix[i, i]


def solve_positive(matrices: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Solve systems of equations with symmetric, positive definite matrices.

    Parameters
    ----------
    matrices : ndarray of float64, shape (..., n, n)
    targets : ndarray of float64, shape (..., n)

    Returns
    -------
    ndarray of float64, shape (..., n)
    """
    size = targets.shape[-1]
    result = np.array(targets, np.float64, order="C").reshape(-1, size)
    _solve(np.array(matrices, np.float64, order="C").reshape(-1, size, size), result)
    return result.reshape(targets.shape)


@jit
def _tridiagonal(rows: np.ndarray, diagonal: np.ndarray, beside: np.ndarray) -> None:
    """Reduce a symmetric matrix to three diagonals by Householder reflections, from the last row up.

    `rows` [n, n] is replaced by the transpose of the orthonormal matrix Q of ``Q.T @ matrix @ Q``, whose diagonal goes
    to `diagonal` and whose entries (i, i - 1) go to `beside`.
    """
    size = len(rows)
    halves = np.zeros(size)
    vectors = np.zeros((size, size))
    change = np.zeros(size)
    for i in range(size - 1, 0, -1):
        vector = vectors[i]
        largest = 0.0
        for k in range(i):
            largest = max(largest, abs(rows[i, k]))
        if i == 1 or largest == 0.0:
            beside[i] = rows[i, i - 1]
            continue
        energy = 0.0
        for k in range(i):
            vector[k] = rows[i, k] / largest
            energy = energy + vector[k] * vector[k]
        length = -np.sqrt(energy) if vector[i - 1] >= 0.0 else np.sqrt(energy)
        beside[i] = largest * length
        half = energy - vector[i - 1] * length
        vector[i - 1] = vector[i - 1] - length
        halves[i] = half
        # What the reflection takes from the rest: A - v q' - q v', with q = p - (v'p / 2h) v and p = A v / h.
        for j in range(i):
            change[j] = 0.0
        for k in range(i):
            part, row = vector[k] / half, rows[k]
            for j in range(i):
                change[j] = change[j] + part * row[j]
        along = 0.0
        for k in range(i):
            along = along + vector[k] * change[k]
        along = along / (half + half)
        for k in range(i):
            change[k] = change[k] - along * vector[k]
        for j in range(i):
            a, b, row = vector[j], change[j], rows[j]
            for k in range(i):
                row[k] = row[k] - (a * change[k] + b * vector[k])
    for i in range(size):
        diagonal[i] = rows[i, i]
    rows[:] = 0.0
    for i in range(size):
        rows[i, i] = 1.0
    # Q is the product of the reflections, the last row's first; `rows` is its transpose, so each acts on columns of Q.
    for i in range(1, size):
        if halves[i] == 0.0:
            continue
        vector = vectors[i]
        for j in range(i):
            along, row = 0.0, rows[j]
            for k in range(i):
                along = along + row[k] * vector[k]
            along = along / halves[i]
            for k in range(i):
                row[k] = row[k] - along * vector[k]


@jit
def _diagonalise(rows: np.ndarray, diagonal: np.ndarray, beside: np.ndarray) -> None:
    """Turn a tridiagonal matrix into a diagonal one by QL steps with implicit shifts, and `rows` (Q') along with it."""
    size = len(diagonal)
    for i in range(1, size):
        beside[i - 1] = beside[i]
    beside[size - 1] = 0.0
    for low in range(size):
        for _ in range(_MAX_STEPS):
            high = low
            while high < size - 1:
                scale = abs(diagonal[high]) + abs(diagonal[high + 1])
                if abs(beside[high]) <= 2.220446049250313e-16 * scale or beside[high] == 0.0:
                    break
                high += 1
            if high == low:
                break
            shift = (diagonal[low + 1] - diagonal[low]) / (2.0 * beside[low])
            root = np.sqrt(shift * shift + 1.0)
            root = root if shift >= 0.0 else -root
            shift = diagonal[high] - diagonal[low] + beside[low] / (shift + root)
            sine, cosine, carried = 1.0, 1.0, 0.0
            done = True
            for i in range(high - 1, low - 1, -1):
                first, second = sine * beside[i], cosine * beside[i]
                root = np.sqrt(first * first + shift * shift)
                beside[i + 1] = root
                if root == 0.0:
                    diagonal[i + 1] = diagonal[i + 1] - carried
                    beside[high] = 0.0
                    done = False
                    break
                sine, cosine = first / root, shift / root
                shift = diagonal[i + 1] - carried
                root = (diagonal[i] - shift) * sine + 2.0 * cosine * second
                carried = sine * root
                diagonal[i + 1] = shift + carried
                shift = cosine * root - second
                upper, lower = rows[i + 1], rows[i]
                for k in range(size):
                    value = upper[k]
                    upper[k] = sine * lower[k] + cosine * value
                    lower[k] = cosine * lower[k] - sine * value
            if done:
                diagonal[low] = diagonal[low] - carried
                beside[low] = shift
                beside[high] = 0.0


def eigenvectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of a symmetric matrix, the smallest first, and its eigenvectors.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        Its lower triangle counts.

    Returns
    -------
    values : ndarray of float64, shape (n,)
    vectors : ndarray of float64, shape (n, n)
        A column each, as ``numpy.linalg.eigh`` gives them; the entry of largest magnitude, the first of several, is
        positive.
    """
    # Times a power of two, which rounds nothing, so that no square is too large or too small for a number.
    exponent = int(np.frexp(np.abs(matrix).max(initial=0.0))[1])
    lower = np.ldexp(np.tril(np.asarray(matrix, np.float64)), -exponent)
    rows = np.ascontiguousarray(lower + np.tril(lower, -1).T)
    diagonal, beside = np.zeros(len(rows)), np.zeros(len(rows))
    if len(rows):
        _tridiagonal(rows, diagonal, beside)
        _diagonalise(rows, diagonal, beside)
    order = np.argsort(diagonal, kind="stable")
    rows = rows[order]
    largest = np.abs(rows).argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
    signs = np.where(rows[np.arange(len(rows)), largest] < 0, -1.0, 1.0)
    return np.ldexp(diagonal[order], exponent), np.ascontiguousarray((rows * signs[:, None]).T)


@jit
def binary_logarithm(value: float) -> float:
    """Return the logarithm to base 2 of a positive, normal number, to about 1e-15 of it or of 1."""
    fraction, exponent = math.frexp(value)
    if fraction < _ROOT_HALF:
        fraction, exponent = 2.0 * fraction, exponent - 1
    # ln(x) = 2 artanh((x - 1) / (x + 1)), whose series is short near 1.
    ratio = (fraction - 1.0) / (fraction + 1.0)
    square = ratio * ratio
    series = 0.0
    for power in range(21, 0, -2):
        series = series * square + 1.0 / power
    return exponent + 2.0 * ratio * series / _LN_2


@jit
def _logarithms(values: np.ndarray, result: np.ndarray) -> None:
    for place in range(len(values)):
        result[place] = binary_logarithm(values[place])


def log2(values: npt.ArrayLike) -> np.ndarray:
    """Return the logarithms to base 2 of positive numbers, as :func:`binary_logarithm`; float64."""
    flat = np.ascontiguousarray(values, np.float64).reshape(-1)
    result = np.empty(flat.shape)
    _logarithms(flat, result)
    return result.reshape(np.shape(values))
