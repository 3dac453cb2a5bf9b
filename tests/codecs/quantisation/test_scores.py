"""The search's inner loops: the same bits as sums written out, in their order, in 32 bits."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegzip.codecs.quantisation.scores import COLUMNS, ROWS, STRIPE, least_costs, score_rows, squared_stripes
from eegzip.formats.tiles import in_tiles


@numba.njit
def scored(scores, rows, width, squares, tiles):
    score_rows(scores, rows, width, squares, tiles)


@numba.njit
def least(costs, scores, energies):
    least_costs(costs, scores, energies)


@numba.njit
def squared(vector):
    return squared_stripes(vector)


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Of very different sizes, so that another order of a sum has other last bits."""
    return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(np.float32)


@given(st.integers(0, 1 << 16), st.integers(1, 40), st.integers(1, 70))
def test_scores_are_sums_in_the_order_of_dimensions(seed: int, widest: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    width = int(rng.integers(1, widest, endpoint=True))
    rows, columns, squares = floats(rng, ROWS, widest), floats(rng, widest, size), floats(rng, size)
    tiles = in_tiles(columns, COLUMNS)
    padded = np.pad(squares, (0, -size % COLUMNS))
    scores = np.full((ROWS, len(padded)), np.nan, np.float32)
    scored(scores, rows, width, padded, tiles)
    expected = np.repeat(squares[None], ROWS, axis=0)
    for d in range(width):
        expected = expected + rows[:, d, None] * columns[d]
    assert scores[:, :size].tobytes() == expected.tobytes()


@pytest.mark.parametrize("short", ["scores", "squares", "tiles", "width"])
def test_where_one_is_shorter_nothing_beyond_it_is_touched(short: str) -> None:
    rng = np.random.default_rng(2)
    columns, rows, squares = floats(rng, 6, 48), floats(rng, ROWS, 6), floats(rng, 48)
    tiles = in_tiles(columns, COLUMNS)
    room = np.full((ROWS + 1, 48), 7, np.float32)
    scores = room[:ROWS]
    if short == "scores":
        scores = np.ascontiguousarray(room[:ROWS, :40])
    scored(
        scores, rows, 99 if short == "width" else 6, squares[:40] if short == "squares" else squares,
        tiles[:2] if short == "tiles" else tiles,
    )  # fmt: skip
    expected = np.repeat(squares[None], ROWS, axis=0)
    for d in range(6):
        expected = expected + rows[:, d, None] * columns[d]
    done = 48 if short == "width" else 32
    assert scores[:, :done].tobytes() == expected[:, :done].tobytes()
    assert (scores[:, done:] == 7).all()
    assert (room[ROWS] == 7).all()


def test_fewer_rows_than_are_scored_at_once_are_not_scored() -> None:
    rng = np.random.default_rng(3)
    scores = np.full((ROWS - 1, COLUMNS), 7, np.float32)
    tiles = in_tiles(floats(rng, 6, COLUMNS), COLUMNS)
    scored(scores, floats(rng, ROWS, 6), 6, floats(rng, COLUMNS), tiles)
    assert (scores == 7).all()


@given(st.integers(0, 1 << 16), st.integers(1, 9), st.integers(1, 4))
def test_least_costs_are_those_of_all_rows(seed: int, rows: int, tiles: int) -> None:
    rng = np.random.default_rng(seed)
    scores, energies = floats(rng, rows, tiles * COLUMNS), floats(rng, rows)
    costs = np.zeros(tiles * COLUMNS, np.float32)
    least(costs, scores, energies)
    assert costs.tobytes() == (scores + energies[:, None]).min(axis=0).tobytes()
    least(costs, scores, energies[:1])
    assert costs.tobytes() == (scores[0] + energies[0]).tobytes()


@given(st.integers(0, 1 << 16), st.integers(0, 100))
def test_squared_lengths_are_summed_in_stripes(seed: int, length: int) -> None:
    vector = floats(np.random.default_rng(seed), length)
    stripes = np.zeros(STRIPE, np.float32)
    for first in range(0, length // STRIPE * STRIPE, STRIPE):
        stripes = stripes + vector[first : first + STRIPE] * vector[first : first + STRIPE]
    total = np.float32(0)
    for value in stripes:
        total = total + value
    assert np.float32(squared(vector)).tobytes() == total.tobytes()
