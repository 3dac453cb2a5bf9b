"""Start a residual vector quantiser from data: k-means on each level's residual, in the dimensions that need it most.

Codebooks drawn at random collapse: a few entries take everything. Fitted to the residual that the levels before leave,
each starts with all of its entries in use. A level has codewords only in its *support*, the dimensions in which most of
the weighted residual lies: eight bits spread over all dimensions are mostly spent on noise (EEGMAT, subjects held out,
hop 128, 22 levels, not yet refined: PRD 10.0 % with 16 dimensions a level, 11.0 % with 128), and the search is faster.
"""

from __future__ import annotations

import logging

import torch

from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.formats.parallel import cores

log = logging.getLogger(__name__)

_ROUNDS = 10
# The first rounds use a part of the data: the entries move far, exact means are wasted on them.
_EARLY_ROUNDS, _EARLY_ROWS = 8, 25_000
# An entry with fewer than this share of its fair part of the weight is dead.
_DEAD_SHARE = 0.02


def nearest(rows: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """Return the index of the nearest entry of ``codebook`` [K, D] for each of ``rows`` [N, D]."""
    search = BeamSearch(codebook[None].numpy(), 1)
    return torch.from_numpy(search(rows.numpy(), 1, cores())[:, 0].astype("int64"))


def kmeans(
    parts: list[tuple[torch.Tensor, torch.Tensor]], size: int, width: int, generator: torch.Generator
) -> torch.Tensor:
    """Return ``size`` centroids [size, width].

    Dead entries are set onto rows drawn by their squared error, so rare large events (artefacts) get
    entries too: a residual quantiser can only reach as far as its entries do.

    Parameters
    ----------
    parts
        Rows [N, D] and their weights [N]; D is at most `width`, and dimensions that rows lack count for nothing.
    size, width
        Of the result.
    generator
        Source of the random choices.
    """
    total = sum(len(rows) for rows, _ in parts)
    codebook = _drawn([rows.square().sum(1) * weight for rows, weight in parts], parts, size, width, generator)
    for turn in range(_ROUNDS):
        early = turn < _EARLY_ROUNDS
        sums, count = torch.zeros(size, width), torch.zeros(size, width)
        errors = []
        used = []
        for whole, weights in parts:
            few = max(round(_EARLY_ROWS * len(whole) / total), 1) if early else len(whole)
            rows, weight = whole[:few], weights[:few]
            near = codebook[:, : rows.shape[1]]
            index = nearest(rows, near)
            sums[:, : rows.shape[1]].index_add_(0, index, rows * weight[:, None])
            count[:, : rows.shape[1]] += torch.bincount(index, weight, size)[:, None]
            errors.append((rows - near[index]).square().sum(1) * weight)
            used.append((rows, weight))
        codebook = torch.where(count > 0, sums / count.clamp_min(1e-12), codebook)
        each = count[:, 0]
        dead = (each < _DEAD_SHARE * each.mean()).nonzero()[:, 0]
        if len(dead) and turn + 1 < _ROUNDS:
            codebook[dead] = _drawn(errors, used, len(dead), width, generator)
    return codebook


def _drawn(
    chances: list[torch.Tensor],
    parts: list[tuple[torch.Tensor, torch.Tensor]],
    count: int,
    width: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Draw rows by chances, filled up with zeros to `width`."""
    every = torch.cat(chances).double() + 1e-12
    # A draw by cumulated chances, as multinomial takes no more than 2^24 of them.
    points = torch.rand(count, generator=generator, dtype=torch.float64) * every.sum()
    where = torch.searchsorted(every.cumsum(0), points).clamp_max(len(every) - 1)
    codebook = torch.zeros(count, width)
    first = 0
    for rows, _ in parts:
        mine = (where >= first) & (where < first + len(rows))
        codebook[mine.nonzero()[:, 0], : rows.shape[1]] = rows[where[mine] - first]
        first += len(rows)
    return codebook


