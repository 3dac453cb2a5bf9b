"""Codebooks before the first step, from data."""

from __future__ import annotations

import torch
from torch import nn

from eegzip.codecs.networks.biocodec import Level
from eegzip.codecs.networks.descript import VectorQuantize
from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.initialisation import kmeans
from eegzip.training.initialisation.weight_norm import set_weight


@torch.no_grad()
def start_codebooks(network: TokenNetwork, latent: torch.Tensor, seed: int) -> None:
    """Start the quantiser from data, level by level, each from what those before it leave.

    A level's projections become the principal components of its residual, its codebook k-means of what they give: of
    directions where the search is by cosine, each entry as long as what chooses it is on average.

    Parameters
    ----------
    network
        Whose quantiser is set.
    latent
        Latents [B, D, F] of training segments; best several times more frames than there are entries.
    seed
        Of k-means.
    """
    generator = torch.Generator().manual_seed(seed)
    residual = latent
    for quantizer in network.quantizer.quantizers:
        if not isinstance(quantizer.in_proj, nn.Identity):
            _project_on_components(quantizer, residual)
        entering = quantizer.in_proj(residual)
        rows = entering.transpose(1, 2).reshape(-1, entering.shape[1]).cpu()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        size = quantizer.codebook.weight.shape[0]
        if len(rows) < size:
            rows = rows.repeat(-(-size // len(rows)), 1)
            rows = rows + 1e-3 * rows.std() * torch.randn(rows.shape, generator=generator)
        by_direction = network.config.search == "cosine"
        fitted = nn.functional.normalize(rows) if by_direction else rows
        codebook = kmeans.kmeans(fitted, torch.ones(len(fitted)), size, generator)
        quantizer.codebook.weight.copy_(_as_long_as_members(codebook, rows) if by_direction else codebook)
        residual = residual - quantizer.out_proj(quantizer.decode_latents(entering)[0])


def _project_on_components(quantizer: VectorQuantize | Level, residual: torch.Tensor) -> None:
    """Set a level's projections to the principal components of residuals [B, D, F], and back."""
    rows = residual.transpose(1, 2).reshape(-1, residual.shape[1])
    mean = rows.mean(0)
    centred = (rows - mean).double()
    count = quantizer.codebook.weight.shape[1]
    # In ascending order of variance; in double precision, as the small ones are of no use to anyone.
    components = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -count:].to(rows.dtype)
    set_weight(quantizer.in_proj, components.T[:, :, None], -components.T @ mean)
    set_weight(quantizer.out_proj, components[:, :, None], mean)


def _as_long_as_members(directions: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the means of the rows [N, d] that are nearest in direction to each of some directions [size, d]."""
    unit = nn.functional.normalize(directions)
    chosen = kmeans.nearest(nn.functional.normalize(rows), unit)
    count = torch.bincount(chosen, minlength=len(unit))[:, None]
    means = torch.zeros_like(unit).index_add_(0, chosen, rows) / count.clamp(min=1)
    return torch.where(count > 0, means, unit * rows.norm(dim=1).mean())
