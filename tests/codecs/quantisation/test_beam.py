from __future__ import annotations

import numpy as np
import pytest
import torch

from eegzip.codecs.quantisation.beam import BLOCK_ROWS, ResidualSearch
from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.formats.tokens.packed import ABSENT


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


def plain_search(rows: np.ndarray, book: np.ndarray, beam: int) -> np.ndarray:
    """A search that looks at every candidate, and takes the first of those that cost as much."""
    codes = np.zeros((len(rows), len(book)), np.int64)
    for number, row in enumerate(rows):
        hypotheses: list[tuple[np.ndarray, list[int]]] = [(row, [])]
        for level, words in enumerate(book):
            keep = beam if level + 1 < len(book) else 1
            costs = np.concatenate([np.square(rest - words).sum(axis=1) for rest, _ in hypotheses])
            best = np.argsort(costs, kind="stable")[:keep]
            hypotheses = [
                (hypotheses[place // len(words)][0] - words[place % len(words)],
                 [*hypotheses[place // len(words)][1], int(place % len(words))])
                for place in best
            ]  # fmt: skip
        codes[number] = hypotheses[0][1]
    return codes


@pytest.mark.parametrize("beam", [1, 2, 3, 5, 8, 40])
@pytest.mark.parametrize("size", [7, 32, 50, 96])
@pytest.mark.parametrize("seed", range(3))
def test_looking_at_few_candidates_finds_what_looking_at_all_finds(beam: int, size: int, seed: int) -> None:
    """In small integers, whose sums have no last bits, and where many candidates cost as much as others."""
    rng = np.random.default_rng(seed)
    book = rng.integers(-3, 4, (4, size, 6)).astype(np.float32)
    book[:, size // 2] = book[:, 0]
    rows = rng.integers(-6, 7, (37, 6)).astype(np.float32)
    assert np.array_equal(BeamSearch(book, beam)(rows, 4, 1), plain_search(rows, book, beam))


def test_compiled_search_does_not_depend_on_threads() -> None:
    search, rows = BeamSearch(books().numpy(), 4), torch.randn(3000, 8).numpy()
    assert np.array_equal(search(rows, 4, 1), search(rows, 4, 3))


def priced(rows: torch.Tensor, book: torch.Tensor, codes: torch.Tensor, prices: torch.Tensor) -> torch.Tensor:
    """Error and prices of each row's codewords."""
    total = torch.zeros_like(rows)
    for level in range(codes.shape[1]):
        there = codes[:, level] != ABSENT
        total[there] += book[level][codes[there, level]]
    return (rows - total).square().sum(1) + prices * (codes != ABSENT).sum(1)


@pytest.mark.parametrize("by_torch", [False, True])
def test_codewords_are_worth_their_price(by_torch: bool) -> None:
    torch.manual_seed(3)
    book, rows = books(levels=9), torch.randn(300, 8) * torch.logspace(-2, 1, 300)[:, None]
    prices = torch.logspace(-3, 1, 300)[torch.randperm(300)]
    search = ResidualSearch(book, 4)
    shortened = search._shortened(rows, search.search_in_blocks(rows, 9), prices)
    codes = shortened if by_torch else search(rows, 9, prices)
    there = codes != ABSENT
    assert bool((there[:, 1:] <= there[:, :-1]).all())  # nothing above a level without one
    depths = there.sum(1)
    assert set(depths.tolist()) >= {0, 1, 4, 9}
    cost = priced(rows, book, codes, prices)
    for depth in range(9):
        shorter = codes.masked_fill(torch.arange(9) >= depth, ABSENT)
        assert bool((cost <= priced(rows, book, shorter, prices) * (1 + 1e-5)).all())


def test_prices_leave_rows_alone_and_free_codewords_are_all_taken() -> None:
    torch.manual_seed(4)
    book, rows = books(), torch.randn(300, 8)
    prices = torch.rand(300)
    search = ResidualSearch(book, 4)
    whole = search(rows, 4, prices)
    assert torch.equal(search(rows[70:75], 4, prices[70:75]), whole[70:75])
    assert torch.equal(search(rows, 4, torch.full((300,), -1.0)), search(rows, 4))
