"""Codebooks of all levels by k-means, each on what the ones before leave."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eegzip.recipes.latents import Latents
from eegzip.training.initialisation.kmeans import kmeans, log, nearest


def fit_levels(latents: list[Latents], supports: Sequence[int], size: int, seed: int) -> torch.Tensor:
    """Return codebooks [levels, size, D], each fitted to the residual before it; D is the widest latents' width.

    Parameters
    ----------
    latents
        In random order.
    supports
        In how many dimensions each level has codewords.
    size
        Of the codebooks.
    seed
        Of the random choices.
    """
    generator = torch.Generator().manual_seed(seed)
    dim = max(part.width for part in latents)
    residual = [part.rows.reshape(-1, part.width).clone() for part in latents]
    codebooks = torch.zeros(len(supports), size, dim)
    for level, support in enumerate(supports):
        weight = [part.weights(rest) for part, rest in zip(latents, residual, strict=True)]
        need = torch.zeros(dim)
        for rest, each in zip(residual, weight, strict=True):
            need[: rest.shape[1]] += (rest.square() * each[:, None]).sum(0)
        where = need.topk(min(support, dim)).indices.sort().values
        inside = [where[where < rest.shape[1]] for rest in residual]
        chosen = [(rest[:, dims], each) for rest, dims, each in zip(residual, inside, weight, strict=True) if len(dims)]
        codebook = kmeans(chosen, size, len(where), generator)
        codebooks[level][:, where] = codebook
        log.info("level %d", level + 1)
        for rest, dims in zip(residual, inside, strict=True):
            if len(dims):
                near = codebook[:, : len(dims)]
                rest[:, dims] -= near[nearest(rest[:, dims], near)]
    return codebooks
