"""Start a residual vector quantiser from data: k-means on each level's residual, in the dimensions that need it most.

Codebooks drawn at random collapse: a few entries take everything. Fitted to the residual that the levels before leave,
each starts with all of its entries in use. A level has codewords only in its *support*, the dimensions in which most of
the weighted residual lies: eight bits spread over all dimensions are mostly spent on noise (EEGMAT, subjects held out,
hop 128, 22 levels, not yet refined: PRD 10.0 % with 16 dimensions a level, 11.0 % with 128), and the search is faster.
"""

from __future__ import annotations

import torch

from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.formats.parallel import cores

_ROUNDS = 10
# The first rounds use a part of the data: the entries move far, exact means are wasted on them.
_EARLY_ROUNDS, _EARLY_ROWS = 8, 25_000
# An entry with fewer than this share of its fair part of the weight is dead.
_DEAD_SHARE = 0.02


def nearest(rows: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """Return the index of the nearest entry of ``codebook`` [K, D] for each of ``rows`` [N, D]."""
    search = BeamSearch(codebook[None].numpy(), 1)
    return torch.from_numpy(search(rows.numpy(), 1, cores())[:, 0].astype("int64"))


def kmeans(rows: torch.Tensor, weights: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Return ``size`` centroids [size, D].

    Dead entries are set onto rows drawn by their squared error, so rare large events (artefacts) get
    entries too: a residual quantiser can only reach as far as its entries do.

    Parameters
    ----------
    rows, weights
        Rows [N, D], in random order, and their weights [N].
    size
        Of the result.
    generator
        Source of the random choices.
    """
    codebook = _drawn(rows.square().sum(1) * weights, rows, size, generator)
    for turn in range(_ROUNDS):
        few = max(min(_EARLY_ROWS, len(rows)), 1) if turn < _EARLY_ROUNDS else len(rows)
        some, weight = rows[:few], weights[:few]
        index = nearest(some, codebook)
        sums = torch.zeros_like(codebook).index_add_(0, index, some * weight[:, None])
        count = torch.bincount(index, weight, size)
        errors = (some - codebook[index]).square().sum(1) * weight
        codebook = torch.where(count[:, None] > 0, sums / count[:, None].clamp_min(1e-12), codebook)
        dead = (count < _DEAD_SHARE * count.mean()).nonzero()[:, 0]
        if len(dead) and turn + 1 < _ROUNDS:
            codebook[dead] = _drawn(errors, some, len(dead), generator)
    return codebook


def _drawn(chances: torch.Tensor, rows: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw rows by chances."""
    every = chances.double() + 1e-12
    # A draw by cumulated chances, as multinomial takes no more than 2^24 of them.
    points = torch.rand(count, generator=generator, dtype=torch.float64) * every.sum()
    return rows[torch.searchsorted(every.cumsum(0), points).clamp_max(len(every) - 1)]
