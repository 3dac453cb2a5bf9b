"""Products, equations, eigenvectors and logarithms in one order: against slow twins and against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.formats.fixed_order import binary_logarithm, eigenvectors, gram, log2, product, solve_positive

SIZES = st.integers(1, 40)


@settings(max_examples=40)
@given(SIZES, st.integers(1, 200), SIZES, st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_a_product_is_the_sum_from_the_first_term_to_the_last(
    rows: int, inner: int, columns: int, kind: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(rows, inner)).astype(kind), rng.normal(size=(inner, columns)).astype(kind)
    found = product(left, right)
    i, j = int(rng.integers(rows)), int(rng.integers(columns))
    total = kind(0)
    for k in range(inner):
        total = total + left[i, k] * right[k, j]
    assert found.dtype == kind
    assert found[i, j] == total
    # Neither the rest of the factors nor how they lie in memory matters.
    assert product(left[i : i + 1], np.asfortranarray(right)[:, j : j + 1])[0, 0] == total


def test_nothing_has_a_product() -> None:
    assert product(np.zeros((3, 0)), np.zeros((0, 2))).tolist() == [[0, 0]] * 3
    assert product(np.zeros((0, 4)), np.zeros((4, 2))).shape == (0, 2)
    assert gram(np.zeros((2, 0), np.int32)).tolist() == [[0, 0], [0, 0]]
    values, vectors = eigenvectors(np.zeros((0, 0)))
    assert (values.shape, vectors.shape) == ((0,), (0, 0))


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
def test_equations(size: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(count, size, size + 2))
    matrices = half @ half.transpose(0, 2, 1) + 0.1 * np.eye(size)
    targets = rng.normal(size=(count, size))
    before = matrices.copy()
    found = solve_positive(matrices, targets)
    np.testing.assert_allclose((matrices @ found[..., None])[..., 0], targets, atol=1e-9)
    np.testing.assert_array_equal(matrices, before)
    np.testing.assert_array_equal(solve_positive(matrices[0], targets[0]), found[0])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 21, 64])
@pytest.mark.parametrize("kind", ["full", "low rank", "diagonal", "equal", "zero", "huge", "tiny", "blocks"])
def test_eigenvectors(size: int, kind: str) -> None:
    rng = np.random.default_rng(size)
    half = rng.normal(size=(size, 3 * size))
    matrix = {
        "full": half @ half.T,
        "low rank": half[:, :2] @ half[:, :2].T,
        "diagonal": np.diag(rng.normal(size=size)),
        "equal": np.ones((size, size)),
        "zero": np.zeros((size, size)),
        "huge": 1e200 * (half @ half.T),
        "tiny": 1e-200 * (half @ half.T),
        "blocks": np.kron(np.eye(size), np.ones((1, 1))) * np.repeat([1.0, 4.0], [size // 2, size - size // 2]),
    }[kind]
    values, vectors = eigenvectors(matrix)
    scale = max(np.abs(matrix).max(), 1e-300)
    assert np.all(np.diff(values) >= 0)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-13)
    np.testing.assert_allclose((vectors * (values / scale)) @ vectors.T, matrix / scale, atol=1e-12 * size)
    np.testing.assert_allclose(values / scale, np.linalg.eigvalsh(matrix) / scale, atol=1e-12 * size)
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], 0)
    assert np.all(largest > 0)


@given(st.floats(2.3e-308, 1.7e308))
def test_logarithms(value: float) -> None:
    assert binary_logarithm(value) == pytest.approx(math.log2(value), rel=4e-16, abs=2e-15)
    assert log2(np.array([[value, 8.0]])).tolist() == [[binary_logarithm(value), 3.0]]


def test_logarithms_of_powers_are_whole() -> None:
    powers = np.arange(-1000, 1000)
    np.testing.assert_array_equal(log2(np.ldexp(1.0, powers)), powers)
