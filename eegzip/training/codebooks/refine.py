"""Refine all codebooks of a residual quantiser together.

K-means fits each level to what a greedy search leaves, but the codec searches with a beam. Given the codes that it
chooses, the codewords of least weighted error over all levels solve one linear system. A round draws fresh codes at
several depths and goes some way towards the solution, level after level (Gauss and Seidel's way: the system itself
would not fit into memory).
"""

from __future__ import annotations

import torch

from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.formats.parallel import cores
from eegzip.training.codebooks.latents import Latents

_SWEEPS = 6
# Different depths a round, beside the full one.
_DEPTHS = 7
# Share of an entry's fair part of the weight that holds it where it is.
_RIDGE = 0.03


def sum_of_codewords(codebooks: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Return the vectors [N, D] that codes [N, levels] stand for."""
    total = codebooks[0].index_select(0, codes[:, 0])
    for level in range(1, codes.shape[1]):
        total = total + codebooks[level].index_select(0, codes[:, level])
    return total


def coded(codebooks: torch.Tensor, rows: torch.Tensor, depth: int, beam: int) -> torch.Tensor:
    """Return the codes [N, depth] of the codec's search for rows [N, D]."""
    search = BeamSearch(codebooks[:depth].numpy(), beam)
    return torch.from_numpy(search(rows.numpy(), depth, cores()).astype("int64"))


def refined(
    codebooks: torch.Tensor, latents: Latents, beam: int, generator: torch.Generator
) -> tuple[torch.Tensor, float]:
    """Return better codebooks for ``latents``, and the mean logarithm of the PRD at full depth before.

    Parameters
    ----------
    codebooks
        Codebooks [levels, size, D]; where all entries of a level are zero they stay so.
    latents
        What they are for.
    beam
        Hypotheses of the search.
    generator
        Source of the depths and of who is coded at which.
    """
    levels, size, _ = codebooks.shape
    codebooks = codebooks.clone()
    depths = [levels, *(1 + torch.randperm(levels - 1, generator=generator)[:_DEPTHS]).tolist()]
    jobs = []
    before = 0.0
    order = torch.randperm(len(latents.rows), generator=generator)
    for turn, depth in enumerate(depths):
        some = latents.part(order[turn :: len(depths)])
        codes = coded(codebooks, some.vectors, depth, beam)
        error = some.vectors - sum_of_codewords(codebooks, codes)
        jobs.append((codes, error, some.weights(error)))
        if not turn:
            before = float(some.log_prd(error).mean())
    fair = float(sum(weight.sum() for _, _, weight in jobs)) / size
    for _ in range(_SWEEPS):
        for level in range(levels):
            where = codebooks[level].any(0).nonzero()[:, 0]
            pull, count = torch.zeros(size, len(where)), torch.full((size, 1), _RIDGE * fair)
            here = [job for job in jobs if job[0].shape[1] > level]
            for codes, error, weight in here:
                pull.index_add_(0, codes[:, level], error[:, where] * weight[:, None])
                count += torch.bincount(codes[:, level], weight, size)[:, None]
            change = pull / count
            codebooks[level][:, where] += change
            for codes, error, _ in here:
                error[:, where] -= change[codes[:, level]]
    return codebooks, before


def sorted_by_use(codebooks: torch.Tensor, latents: Latents, beam: int) -> torch.Tensor:
    """Return codebooks with each one's entries in order of use, most used first, as simple entropy coders like it."""
    levels, size, _ = codebooks.shape
    codes = coded(codebooks, latents.vectors, levels, beam)
    use = torch.stack([torch.bincount(codes[:, level], minlength=size) for level in range(levels)])
    order = use.argsort(dim=1, descending=True, stable=True)
    return codebooks.gather(1, order[:, :, None].expand_as(codebooks))
