"""The classification head of BioCodec's paper, on tokens.

"Neural Codecs as Biosignal Tokenizers" (arXiv 2510.09095), figure 1: embeddings of codes that start as the codebooks,
one transformer layer over time, one over channels, an MLP. The paper leaves open how a layer knows places; here those
of time are sinusoids, those of channels are learned.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegzip.formats.errors import UsageError

HEADS = 8
_HIDDEN = 64
"""Of the MLP."""
_DROPOUT = 0.1


class TokenClassifier(nn.Module):
    """Tells classes from windows of tokens.

    Embeddings start as the codewords, turned into the directions in which codewords vary most; the sum over the levels
    of a frame is then the latent, seen from there. They are trained with the rest.

    Parameters
    ----------
    codewords : ndarray of float32, shape (K, V, D)
        Of the levels that codes have.
    channels : int
        Rows of tokens, which must always come in the same order.
    classes : int
    width : int
        Dimensions of embeddings, a multiple of 8, D at most; 16 in the paper's code.

    Raises
    ------
    UsageError
        The width is none.
    """

    def __init__(self, codewords: npt.NDArray[np.float32], channels: int, classes: int, *, width: int = 16) -> None:
        super().__init__()
        levels, vocabulary, dimensions = codewords.shape
        if width % HEADS or not 0 < width <= dimensions:
            raise UsageError(f"the width must be a multiple of {HEADS}, {dimensions} at most, not {width}.")
        table = torch.from_numpy(principal(codewords, width)).reshape(levels * vocabulary, width)
        # The last row is for no token, and stays 0.
        self.embedding = nn.Embedding(levels * vocabulary + 1, width, padding_idx=levels * vocabulary)
        with torch.no_grad():
            self.embedding.weight[:-1] = table
        self.register_buffer("_offsets", vocabulary * torch.arange(levels)[:, None], persistent=False)
        self.channel = nn.Parameter(0.02 * torch.randn(channels, width))
        self.over_time, self.over_channels = (
            nn.TransformerEncoderLayer(width, HEADS, 4 * width, _DROPOUT, "gelu", batch_first=True) for _ in range(2)
        )
        for layer in (self.over_time, self.over_channels):
            # With dropout of its weights torch's attention on a CPU is no single kernel: four times as long a step at
            # 125 frames. Elsewhere in the layers dropout stays.
            layer.self_attn.dropout = 0.0
        self.mlp = nn.Sequential(
            nn.Linear(channels * width, _HIDDEN), nn.GELU(), nn.Dropout(_DROPOUT), nn.Linear(_HIDDEN, classes)
        )

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Return logits [B, classes] of codes [B, C, K, F]; -1 for no token."""
        offsets = self.get_buffer("_offsets")
        places = torch.where(codes < 0, self.embedding.num_embeddings - 1, codes + offsets)
        x = self.embedding(places).sum(dim=2)
        batch, channels, frames, width = x.shape
        x = self.over_time((x + sinusoids(frames, width).to(x)).reshape(batch * channels, frames, width))
        x = x.reshape(batch, channels, frames, width).transpose(1, 2) + self.channel
        x = self.over_channels(x.reshape(batch * frames, channels, width))
        means = x.reshape(batch, frames, channels * width).mean(dim=1)
        logits: torch.Tensor = self.mlp(means)
        return logits


def principal(codewords: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Return codewords [K, V, width] in their principal directions, so scaled that sums of a frame are about 1."""
    flat = codewords.reshape(-1, codewords.shape[2]).astype(np.float64)
    # Eigenvalues rise.
    directions = np.linalg.eigh(flat.T @ flat)[1][:, ::-1]
    turned = (flat @ directions[:, :width]).reshape(*codewords.shape[:2], width)
    level = math.sqrt((turned**2).mean(axis=(1, 2)).sum())
    return (turned / (level or 1.0)).astype(np.float32)


def sinusoids(frames: int, width: int) -> torch.Tensor:
    """Return places in time [frames, width], as transformers have them."""
    angles = torch.arange(frames)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(frames, width)
