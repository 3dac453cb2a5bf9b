"""DAC-MC: several channels as one stream of tokens (section 2.1 and figure 1 of the paper).

Around the Descript Audio Codec, shared by all channels, stand three adapters. Before the quantiser, every (channel,
frame) attends to those of all channels of its group within a few frames, and the channels' latents, side by side and
padded with zeros up to the largest group, are projected back to the latent width. After it, each channel scales and
shifts the latents by a style of its own before the decoder.

As built, the attention adds nothing, the projection is the mean over the channels present and the styles change
nothing: a group of one channel gives exactly what the backbone alone gives.
:mod:`eegzip.training.initialisation.channels` sets all three from data.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from eegzip.codecs.checkpoints.config import MultichannelConfig, NetworkConfig
from eegzip.codecs.networks.dac import EegDac
from eegzip.formats.errors import ModelError

# Spread of the channel embeddings at the start: enough to tell channels apart, little beside latents of norm 1.
_EMBEDDING_SPREAD = 0.02
# Frames of a block at most: the scores of one are bounded by the config.
_LONGEST_BLOCK = 32
# Scores computed at once, beyond those of a single block.
_MAX_SCORES = 1 << 24


class BandedAttention(nn.Module):
    """Self-attention over channels and frames in which a frame sees no farther than `reach` frames.

    Frames are taken in blocks about as long as the reach, each with the keys of the block and of a reach to either
    side; so time and memory grow linearly with length. Time enters as a learned bias for each distance only: moving
    the signal moves the result. Where to look is told by normalised latents and channel embeddings; what is seen there
    are the latents as they are.

    Parameters
    ----------
    width
        Latent dimensions D.
    config
        Heads, reach and vocabulary.

    Attributes
    ----------
    score_count : int
        Scores (query times key, of one head) that the last call computed for each row of the batch.
    """

    def __init__(self, width: int, config: MultichannelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.reach = config.reach
        self.norm = nn.LayerNorm(width)
        self.channel = nn.Parameter(torch.randn(len(config.vocabulary) + 1, width) * _EMBEDDING_SPREAD)
        self.time_bias = nn.Parameter(torch.zeros(config.heads, 2 * config.reach + 1))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.score_count = 0

    def forward(self, latent: torch.Tensor, styles: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return what is to be added to latents.

        Parameters
        ----------
        latent
            Latents of channels and frames [B, G, F, D].
        styles
            Style numbers [B, G].
        present
            Channels that exist [B, G]; the others are seen by none.
        """
        batch, group, frames, width = latent.shape
        reach = min(self.reach, frames - 1)
        block = min(max(reach, 1), _LONGEST_BLOCK)
        blocks, span = -(-frames // block), block + 2 * reach
        behind = blocks * block - frames
        inputs = self.norm(latent) + self.channel[styles][:, :, None]
        # Values are not normalised, so that what is copied from one channel to another keeps its amplitude.
        weight, bias = self.qkv.weight, self.qkv.bias
        looks = functional.linear(inputs, weight[: 2 * width], bias[: 2 * width])
        value = functional.linear(latent, weight[2 * width :], bias[2 * width :])
        query, key, value = (part.unflatten(3, (self.heads, -1)) for part in (*looks.chunk(2, dim=3), value))
        query = functional.pad(query, (0, 0, 0, 0, 0, behind)).unflatten(2, (blocks, block))
        # Views so far: [B, G, blocks, heads, size, span].
        key, value = (
            functional.pad(part, (0, 0, 0, 0, reach, behind + reach)).unfold(2, span, block) for part in (key, value)
        )
        scores = block * group * span * group
        self.score_count = blocks * scores
        step = max(_MAX_SCORES // (batch * self.heads * scores), 1)
        seen = torch.cat(
            [
                self._attend(
                    query[:, :, first : first + step].permute(0, 2, 4, 3, 1, 5),
                    key[:, :, first : first + step].permute(0, 2, 3, 5, 1, 4),
                    value[:, :, first : first + step].permute(0, 2, 3, 5, 1, 4),
                    self._mask(range(first, min(first + step, blocks)), frames, reach, block, present),
                )
                for first in range(0, blocks, step)
            ],
            dim=1,
        )
        # [B, blocks, heads, block, G, size] to [B, G, F, D].
        seen = seen.permute(0, 4, 1, 3, 2, 5).reshape(batch, group, blocks * block, width)[:, :, :frames]
        result: torch.Tensor = self.out(seen)
        return result

    @staticmethod
    def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attend from queries [B, N, H, times, G, size] to keys and values of as many dimensions; shaped as queries."""
        query_rows, key_rows, value_rows = (part.flatten(3, 4).flatten(0, 1) for part in (query, key, value))
        found = functional.scaled_dot_product_attention(
            query_rows, key_rows, value_rows, attn_mask=mask.to(query.dtype)
        )
        return found.view(query.shape)

    def _mask(self, which: range, frames: int, reach: int, block: int, present: torch.Tensor) -> torch.Tensor:
        """Return what is added to the scores of some blocks [B * blocks, heads, block * G, span * G].

        That is the bias of the distance in time, or minus infinity where nothing is or may be seen.
        """
        batch, group = present.shape
        device = present.device
        span = block + 2 * reach
        places = torch.arange(span, device=device)
        distance = places[None] - reach - torch.arange(block, device=device)[:, None]
        bias = self.time_bias[:, self.reach + distance.clamp(-reach, reach)]
        near = distance.abs() <= reach
        times = torch.arange(which.start, which.stop, device=device)[:, None] * block + places[None] - reach
        inside = (times >= 0) & (times < frames)
        # A row without channels sees all its (empty) slots: a softmax over nothing would be no number.
        seen = present | ~present.any(1, keepdim=True)
        allowed = near[None, None, :, :, None] & inside[None, :, None, :, None] & seen[:, None, None, None, :]
        mask = bias[None, None, :, :, :, None].masked_fill(~allowed[:, :, None], float("-inf"))
        shape = (batch, len(which), self.heads, block, group, span, group)
        return mask[:, :, :, :, None].expand(shape).reshape(-1, self.heads, block * group, span * group)


class Styles(nn.Module):
    """A scale and a bias for every latent dimension of every style, nothing at the start.

    Parameters
    ----------
    width
        Latent dimensions D.
    count
        Number of styles.
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(count, width))
        self.bias = nn.Parameter(torch.zeros(count, width))

    def forward(self, latent: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return latents [B, G, D, F], one for each channel, from a group's [B, D, F] and styles [B, G]."""
        scale, bias = self.scale[styles], self.bias[styles]
        return latent[:, None] * (1.0 + scale)[..., None] + bias[..., None]


class EegDacMc(EegDac):
    """DAC-MC: :class:`~eegzip.codecs.networks.dac.EegDac` with adapters for groups of channels.

    Parameters
    ----------
    config
        Shape of the backbone.
    multichannel
        Of the adapters.
    rate
        Sampling rate in Hz.
    quantizer_dropout
        As in :class:`~eegzip.codecs.networks.dac.EegDac`.
    """

    def __init__(
        self,
        config: NetworkConfig,
        multichannel: MultichannelConfig,
        rate: float = 44100,
        quantizer_dropout: float = 0.0,
    ) -> None:
        super().__init__(config, rate, quantizer_dropout)
        width = config.latent_width
        multichannel.check(width)
        self.multichannel = multichannel
        self.styles = Styles(width, len(multichannel.vocabulary) + 1)
        self.attention = nn.ModuleList(BandedAttention(width, multichannel) for _ in range(multichannel.layers))
        self.projection = nn.Linear(multichannel.max_channels * width, width, bias=False)
        with torch.no_grad():
            self.projection.weight.copy_(torch.eye(width).repeat(1, multichannel.max_channels))

    def joined(self, latent: torch.Tensor, styles: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return one latent for each group [B, D, F] from those of its channels [B, G, D, F]."""
        group = latent.shape[1]
        if group > self.multichannel.max_channels:
            raise ModelError(f"This model codes {self.multichannel.max_channels} channels as one at most, not {group}.")
        exists = present[:, :, None, None]
        tokens = latent.transpose(2, 3) * exists
        for layer in self.attention:
            tokens = tokens + layer(tokens, styles, present) * exists
        side_by_side = tokens.transpose(1, 2).flatten(2)
        # Slots that no group of the batch fills would only add zeros.
        weight = self.projection.weight[:, : side_by_side.shape[2]]
        count = present.sum(1).clamp_min(1)[:, None, None]
        return (functional.linear(side_by_side, weight) / count).transpose(1, 2)

    def styled(self, latent: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return the latents that each channel is decoded from [B, G, D, F]; see :class:`Styles`."""
        result: torch.Tensor = self.styles(latent, styles)
        return result
