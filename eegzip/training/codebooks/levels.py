"""Codebooks of all levels by k-means, each on what the ones before leave."""

from __future__ import annotations

import torch

from eegzip.progress import Progress
from eegzip.training.codebooks.latents import Latents
from eegzip.training.initialisation.kmeans import kmeans, nearest


def fit_levels(
    latents: Latents, levels: int, dimensions: int, size: int, seed: int, progress: Progress | None = None
) -> torch.Tensor:
    """Return codebooks [levels, size, bins], each fitted to the residual before it.

    Parameters
    ----------
    latents
        In random order.
    levels
        Codebooks.
    dimensions
        In how many dimensions each level has codewords: those that need it most when its turn comes.
    size
        Entries of each.
    seed
        Of the random choices.
    progress
        Called with what is done, how much, and of how much.
    """
    generator = torch.Generator().manual_seed(seed)
    residual = latents.vectors.clone()
    bins = residual.shape[1]
    codebooks = torch.zeros(levels, size, bins)
    for level in range(levels):
        weights = latents.weights(residual)
        need = (residual.square() * weights[:, None]).sum(0)
        where = need.topk(min(dimensions, bins)).indices.sort().values
        inside = residual[:, where]
        codebook = kmeans(inside, weights, size, generator)
        codebooks[level][:, where] = codebook
        residual[:, where] -= codebook[nearest(inside, codebook)]
        if progress is not None:
            progress("fitting codebooks", level + 1, levels)
    return codebooks
