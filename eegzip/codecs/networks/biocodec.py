"""BioCodec (Avramidis et al. 2025, arXiv 2510.09095): a causal SEANet around a residual quantiser.

Written from the paper and from facts about its published code; none of that is here. The EEG model sees 250 Hz, codes
12 samples a frame (strides 2, 2, 3 and back 3, 2, 2), and has 6 codebooks of 256 entries that choose by cosine in 16 of
the latents' 128 dimensions. The EMG model sees 1 kHz and codes 18 samples a frame (2, 3, 3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks.seanet import CausalDecoder, CausalEncoder
from eegzip.codecs.networks.token_network import TokenNetwork


class Level(nn.Module):
    """A codebook in a few dimensions, with projections there and back; the entry of nearest direction is chosen."""

    def __init__(self, latent_width: int, size: int, width: int) -> None:
        super().__init__()
        self.in_proj = nn.Conv1d(latent_width, width, 1)
        self.out_proj = nn.Conv1d(width, latent_width, 1)
        self.codebook = nn.Embedding(size, width)

    def decode_code(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the codewords [B, d, F] of indices [B, F]."""
        return self.codebook(indices).transpose(1, 2)

    def decode_latents(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the codewords [B, d, F] nearest in direction to vectors [B, d, F], and their indices [B, F]."""
        rows = latents.transpose(1, 2).reshape(-1, latents.shape[1])
        # How long a row is changes nothing in which entry is nearest in direction.
        unit = nn.functional.normalize(self.codebook.weight)
        indices = (rows @ unit.t()).argmax(1).view(latents.shape[0], -1)
        return self.decode_code(indices), indices


class Levels(nn.Module):
    """Residual levels, each coding what those before it leave."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList(
            Level(config.latent_width, config.codebook_size, config.codebook_dim) for _ in range(config.n_codebooks)
        )

    def forward(self, latent: torch.Tensor, levels: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what is coded of latents [B, D, F], and its codes [B, levels, F]."""
        residual = latent
        codes = []
        chosen: Any = self.quantizers[:levels]
        for level in chosen:
            words, indices = level.decode_latents(level.in_proj(residual))
            residual = residual - level.out_proj(words)
            codes.append(indices)
        return latent - residual, torch.stack(codes, 1)


class BioCodec(TokenNetwork):
    """BioCodec's network, of any widths and strides.

    Parameters
    ----------
    config
        Its shape; ``decoder_dim`` is the width at the decoder's LSTM.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        config.check(causal=True)
        self.config = config
        self.encoder = CausalEncoder(config.encoder_dim, config.encoder_rates, config.latent_width)
        self.quantizer = Levels(config)
        self.decoder = CausalDecoder(config.decoder_dim, config.decoder_rates, config.latent_width)


def fuse_parametrizations(network: nn.Module) -> None:
    """Replace every weight norm by its plain weight, in place: the same numbers, computed once."""
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
