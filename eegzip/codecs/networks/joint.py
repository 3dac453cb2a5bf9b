"""A decoder that sees all channels: what others say of a channel refines what its own tokens say.

Tokens of single channels know nothing of each other, though neighbours hear the same brain. Two steps bring that in,
on latents, which are MDCT coefficients here (one bin a hertz):

1. *Wiener.* In each band the covariance of the channels is found from what was decoded, by expectation maximisation,
   given how large errors are at each depth and bin (a table, `noise`). The posterior mean follows in closed form.
2. *Network.* Blocks of short filters along time, mixing across channels and a perceptron refine it. What mixes are the
   correlations and the Wiener weights themselves, so any number of channels in any order will do; no weight belongs to
   a channel. The last layer starts at zero: an untrained network gives step 1.

This is for training; files are decoded by :mod:`eegzip.codecs.networks.joint_inference`, which takes no torch. A test
holds the two to each other.

The covariances are those of one window (SPEC.md, section 9.1), so nothing depends on chunks or on what was asked for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from eegzip.codecs.checkpoints.checkpoint import JOINT, Checkpoint
from eegzip.codecs.checkpoints.config import JointConfig
from eegzip.codecs.networks.joint_inference import BANDS, ITERATIONS, MIN_KEPT, MIN_NOISE, N_BANDS, SHRINKAGE
from eegzip.formats.errors import ModelError


class Neighbours(NamedTuple):
    """What the channels of a window, or of each of several, have to do with each other, band by band.

    Attributes
    ----------
    correlations : Tensor, shape (..., bands, channels, channels)
        Between the channels as they were before coding; zero on the diagonal.
    weights : Tensor, shape (..., bands, channels, channels)
        That make of decoded coefficients those of the posterior mean.
    left, noise, energy : Tensor, shape (..., bands, channels)
        Variance of the posterior, of what the channel's own tokens leave, and of what they give.
    """

    correlations: torch.Tensor
    weights: torch.Tensor
    left: torch.Tensor
    noise: torch.Tensor
    energy: torch.Tensor


def neighbours_of(decoded: torch.Tensor, noise: torch.Tensor) -> Neighbours:
    """Estimate how channels belong together.

    Parameters
    ----------
    decoded : Tensor, shape (channels, frames, bins)
        Sums of codewords.
    noise : Tensor, shape (channels, frames, bins)
        Expected squared errors of these.
    """
    channels = len(decoded)
    covariances, noises = [], []
    for first, stop in pairwise(BANDS):
        rows = decoded[:, :, first:stop].reshape(channels, -1).double()
        covariances.append(rows @ rows.T / rows.shape[1])
        noises.append(noise[:, :, first:stop].double().mean((1, 2)))
    found = torch.stack(covariances)
    error = torch.stack(noises).clamp_min(MIN_NOISE)
    energy = torch.diagonal(found, dim1=1, dim2=2)
    variance = energy + error
    size = variance.sqrt()
    kept = (energy / variance).clamp_min(MIN_KEPT)
    # Errors don't correlate with what was decoded, so coding takes the same share from all of a channel's covariances.
    whole = found / (kept[:, :, None] * kept[:, None] * size[:, :, None] * size[:, None])
    whole = whole - torch.diag_embed(torch.diagonal(whole, dim1=1, dim2=2)) + torch.eye(channels).to(whole)
    values, vectors = torch.linalg.eigh(whole)
    whole = (vectors * values.clamp_min(SHRINKAGE)[:, None]) @ vectors.transpose(1, 2)
    size = size / torch.diagonal(whole, dim1=1, dim2=2).sqrt()
    whole = whole * size[:, :, None] * size[:, None]
    for _ in range(ITERATIONS):
        spread = torch.diagonal(whole, dim1=1, dim2=2)
        sureness = (1 / error - 1 / spread).clamp_min(1e-6)
        posterior = torch.linalg.inv(torch.linalg.inv(whole) + torch.diag_embed(sureness))
        weights = posterior / error[:, None]
        whole = weights @ found @ weights.transpose(1, 2) + posterior
        own = torch.diag_embed(torch.diagonal(whole, dim1=1, dim2=2))
        whole = (1 - SHRINKAGE) * whole + SHRINKAGE * own
        whole = 0.5 * (whole + whole.transpose(1, 2))
    size = torch.diagonal(whole, dim1=1, dim2=2).sqrt()
    correlations = whole / (size[:, :, None] * size[:, None])
    correlations = _apart(correlations)
    left = torch.diagonal(posterior, dim1=1, dim2=2)
    return Neighbours(*(part.float() for part in (correlations, weights, left, error, energy)))


def banded(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return what weights [..., bands, channels, channels] make of values [..., channels, frames, bins]."""
    return torch.cat(
        [
            torch.einsum("...ij,...jtd->...itd", weights[..., band, :, :], values[..., first:stop])
            for band, (first, stop) in enumerate(pairwise(BANDS))
        ],
        dim=-1,
    )


def _band_means(values: torch.Tensor) -> torch.Tensor:
    """Means [..., bands] of values [..., bins]."""
    return torch.stack([values[..., a:b].mean(-1) for a, b in pairwise(BANDS)], dim=-1)


def _spread(bands: torch.Tensor) -> torch.Tensor:
    """Values [..., bins] of values [..., bands]."""
    sizes = torch.tensor([b - a for a, b in pairwise(BANDS)], device=bands.device)
    return bands.repeat_interleave(sizes, dim=-1, output_size=BANDS[-1])


def _apart(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices [..., channels, channels] with nothing on the diagonal."""
    return matrices - torch.diag_embed(torch.diagonal(matrices, dim1=-2, dim2=-1))


class JointBlock(nn.Module):
    """Filters along time, mixing across channels, and a perceptron, each added to what comes in."""

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.time_norm = nn.LayerNorm(width)
        self.time = nn.Conv1d(width, width, config.kernel, padding=config.kernel // 2, groups=width)
        self.mix_norm = nn.LayerNorm(width)
        self.value = nn.Linear(width, 2 * width)
        self.by_correlation = nn.Parameter(torch.zeros(config.heads, N_BANDS))
        self.by_weight = nn.Parameter(torch.zeros(config.heads, N_BANDS))
        self.mixed = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        nn.init.normal_(self.by_correlation, std=0.1)
        nn.init.normal_(self.by_weight, std=0.3)
        nn.init.normal_(self.mixed.weight, std=0.02)
        nn.init.zeros_(self.mixed.bias)

    def forward(
        self, h: torch.Tensor, correlations: torch.Tensor, weights: torch.Tensor, fellows: torch.Tensor | float
    ) -> torch.Tensor:
        """Return [..., channels, frames, width] of the same, mixed by matrices [..., bands, channels, channels].

        Sums by correlation are divided by `fellows`, so that they don't grow with the number of channels.
        """
        rows = self.time_norm(h).flatten(0, -3).transpose(1, 2)
        h = h + self.time(rows).transpose(1, 2).reshape(h.shape)
        value, gate = self.value(self.mix_norm(h)).chunk(2, dim=-1)
        value = (value * torch.sigmoid(gate)).unflatten(-1, (self.heads, -1))
        mixing = torch.einsum("...bij,hb->...hij", correlations, self.by_correlation) / fellows
        mixing = mixing + torch.einsum("...bij,hb->...hij", weights, self.by_weight)
        h = h + self.mixed(torch.einsum("...hij,...jthk->...ithk", mixing, value).flatten(-2))
        step: torch.Tensor = self.outer(functional.gelu(self.inner(self.norm(h))))
        return h + step


class JointDecoder(nn.Module):
    """The network; see the module.

    Parameters
    ----------
    config
        Its shape.
    depths, bins
        Codebooks of the quantiser, and latent dimensions.

    Attributes
    ----------
    noise : Tensor, shape (depths + 1, bins)
        Squared error of latents to be expected with the first so many codebooks.
    """

    noise: torch.Tensor

    def __init__(self, config: JointConfig, depths: int, bins: int) -> None:
        super().__init__()
        self.config = config
        self.bins = bins
        self.register_buffer("noise", torch.ones(depths + 1, bins))
        self.first = nn.Linear(2 * bins + 4 * N_BANDS, config.width)
        self.blocks = nn.ModuleList(JointBlock(config) for _ in range(config.blocks))
        self.last_norm = nn.LayerNorm(config.width)
        self.last = nn.Linear(config.width, 2 * bins + N_BANDS)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self,
        decoded: torch.Tensor,
        depth: torch.Tensor,
        neighbours: Neighbours | None = None,
        count: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return refined latents and those of the Wiener step alone, each [..., channels, frames, bins].

        Parameters
        ----------
        decoded : Tensor, shape (..., channels, frames, bins)
            Sums of codewords.
        depth : Tensor of int64, shape (..., channels, frames)
            How many codewords each is the sum of.
        neighbours
            As :func:`neighbours_of` finds them; by default of the very same frames, which are then of one window.
        count : Tensor, shape (...)
            Channels of each window, where the rest is there to make windows alike in size; by default all.
        """
        noise = self.noise[depth]
        if neighbours is None:
            neighbours = neighbours_of(decoded, noise)
        wiener = banded(neighbours.weights, decoded)
        size = noise.clamp_min(MIN_NOISE).sqrt()
        frames = decoded.shape[-2]
        of_bands = [
            torch.log(_band_means(decoded.square()) / neighbours.noise.mT.unsqueeze(-2) + 0.1),
            *(
                torch.log(ratio.mT + 0.1).unsqueeze(-2).expand(*decoded.shape[:-2], frames, -1)
                for ratio in (neighbours.energy / neighbours.noise, neighbours.left / neighbours.noise)
            ),
            torch.log(_band_means(noise) + 1e-3),
        ]
        level = self.noise[0].clamp_min(MIN_NOISE).sqrt()
        features = [torch.asinh(decoded / level), torch.asinh((wiener - decoded) / size), *of_bands]
        h = self.first(torch.cat(features, dim=-1))
        # In units of each channel's spread, so that weights mean the same between loud channels and quiet ones.
        spread = (neighbours.energy + neighbours.noise).sqrt()
        others = _apart(neighbours.weights * spread.unsqueeze(-2) / spread.unsqueeze(-1))
        fellows = decoded.shape[-3] ** 0.5 if count is None else count.sqrt()[..., None, None, None]
        for block in self.blocks:
            h = block(h, neighbours.correlations, others, fellows)
        own, shared, trust = self.last(self.last_norm(h)).split([self.bins, self.bins, N_BANDS], dim=-1)
        apart = _apart(neighbours.weights)
        refined = wiener + _spread(trust) * (wiener - decoded) + size * own + banded(apart, size * shared)
        return refined, wiener


def joint_decoder(checkpoint: Checkpoint) -> JointDecoder | None:
    """Return a model's joint decoder with its weights; ``None`` where it has none.

    Raises
    ------
    ModelError
        Its weights are not those of the decoder in its config.
    """
    config = checkpoint.config
    if config.joint is None:
        return None
    decoder = JointDecoder(config.joint, config.network.n_codebooks, config.network.latent_width)
    try:
        decoder.load_state_dict(checkpoint.joint_state, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{checkpoint.folder / JOINT} holds other weights than those of the decoder in its config.json: {reason}"
        ) from error
    return decoder.eval().requires_grad_(False)
