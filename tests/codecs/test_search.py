from __future__ import annotations

import numpy as np
import pytest
import torch

from eegzip.codecs.beam import BeamSearch
from eegzip.codecs.search import BLOCK_ROWS, ResidualSearch


def books(levels: int = 4, size: int = 64, dim: int = 8) -> torch.Tensor:
    torch.manual_seed(1)
    scale = 0.6 ** torch.arange(levels)[:, None, None]
    return torch.randn(levels, size, dim) * scale


def error(rows: torch.Tensor, book: torch.Tensor, codes: torch.Tensor) -> float:
    total = sum(book[level][codes[:, level]] for level in range(codes.shape[1]))
    return float((rows - total).square().sum())


def test_one_hypothesis_is_the_greedy_search() -> None:
    book, rows = books(), torch.randn(300, 8)
    codes = ResidualSearch(book, 1)(rows, 4)
    residual = rows
    for level in range(4):
        nearest = torch.cdist(residual.double(), book[level].double()).argmin(1)
        assert (nearest == codes[:, level]).float().mean() > 0.99
        residual = residual - book[level][codes[:, level]]


def test_greedy_tokens_of_fewer_levels_are_a_prefix() -> None:
    search, rows = ResidualSearch(books(), 1), torch.randn(300, 8)
    assert torch.equal(search(rows, 2), search(rows, 4)[:, :2])


def test_a_wider_beam_is_nearer() -> None:
    book, rows = books(), torch.randn(800, 8)
    errors = [error(rows, book, ResidualSearch(book, beam)(rows, 4)) for beam in (1, 4, 16)]
    assert errors[1] < 0.95 * errors[0]
    assert errors[2] < errors[1]


@pytest.mark.parametrize("size", [2, 7, 32, 48, 1024])
def test_any_codebook_size(size: int) -> None:
    book, rows = books(size=size), torch.randn(64, 8)
    codes = ResidualSearch(book, 3)(rows, 4)
    assert codes.shape == (64, 4)
    assert int(codes.max()) < size
    assert error(rows, book, codes) <= 1.01 * error(rows, book, ResidualSearch(book, 1)(rows, 4))


def test_rows_do_not_see_each_other() -> None:
    search, rows = ResidualSearch(books(), 4), torch.randn(BLOCK_ROWS + 37, 8)
    whole = search(rows, 4)
    assert torch.equal(search(rows[5:9], 4), whole[5:9])
    assert torch.equal(search(rows[BLOCK_ROWS - 3 :], 4), whole[BLOCK_ROWS - 3 :])


def test_compiled_search_equals_its_slow_twin() -> None:
    book, rows = books(), torch.randn(700, 8)
    search = ResidualSearch(book, 1)
    assert torch.equal(search(rows, 4), search.search_in_blocks(rows, 4))
    # With a beam the slow one looks at one candidate of each group of entries, so it can only be as near or less.
    wide = ResidualSearch(book, 4)
    fast, slow = error(rows, book, wide(rows, 4)), error(rows, book, wide.search_in_blocks(rows, 4))
    assert fast <= slow * 1.001
    assert slow < 1.05 * fast


def test_compiled_search_does_not_depend_on_threads() -> None:
    search, rows = BeamSearch(books().numpy(), 4), torch.randn(3000, 8).numpy()
    assert np.array_equal(search(rows, 4, 1), search(rows, 4, 3))
