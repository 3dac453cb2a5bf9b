"""Start a residual vector quantiser from data: k-means on each level's residual.

Codebooks drawn at random collapse: a few entries take everything. Fitted to the residual that the levels
before leave, each starts with all of its entries in use.
"""

from __future__ import annotations

import torch

_ROUNDS = 14
# The first rounds use a part of the data: the entries move far, exact means are wasted on them.
_EARLY_ROUNDS, _EARLY_ROWS = 8, 100_000
# An entry with fewer than this share of its fair number of rows is dead.
_DEAD_SHARE = 0.02


def nearest(rows: torch.Tensor, book: torch.Tensor) -> torch.Tensor:
    """Return the index of the nearest entry of ``book`` [K, D] for each of ``rows`` [N, D]."""
    squares = book.square().sum(1)
    return torch.cat([torch.addmm(squares, part, book.t(), alpha=-2.0).argmin(1) for part in rows.split(8192)])


def kmeans(rows: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Return ``size`` centroids of ``rows``.

    Dead entries are set onto rows drawn by their squared error, so rare large events (artefacts) get
    entries too: a residual quantiser can only reach as far as its entries do.
    """
    book = rows[torch.randperm(len(rows), generator=generator)[:size]].clone()
    for turn in range(_ROUNDS):
        part = rows[:_EARLY_ROWS] if turn < _EARLY_ROUNDS else rows
        index = nearest(part, book)
        count = torch.bincount(index, minlength=size).to(rows.dtype)
        book = torch.zeros_like(book).index_add_(0, index, part) / count.clamp(min=1)[:, None]
        dead = (count < max(2.0, _DEAD_SHARE * len(part) / size)).nonzero()[:, 0]
        if len(dead) and turn + 1 < _ROUNDS:
            error = (part - book[index]).square().sum(1)
            book[dead] = part[torch.multinomial(error, len(dead), generator=generator)]
    return book


def fit_levels(rows: torch.Tensor, levels: int, size: int, seed: int) -> torch.Tensor:
    """Return codebooks [levels, size, D], each fitted to the residual of ``rows`` [N, D] before it.

    Parameters
    ----------
    rows
        Latent vectors, in random order.
    levels, size
        Number and size of the codebooks.
    seed
        Of the random choices.
    """
    generator = torch.Generator().manual_seed(seed)
    residual = rows.clone()
    books = []
    for _ in range(levels):
        book = kmeans(residual, size, generator)
        residual -= book[nearest(residual, book)]
        books.append(book)
    return torch.stack(books)
