"""A causal SEANet: convolutions that look back only, and an LSTM (Li et al. 2021, arXiv 2010.10677).

The autoencoder of BioCodec (arXiv 2510.09095), which has it from EnCodec (arXiv 2210.13438). Whatever a layer lacks
before the first sample is its input mirrored there. Every layer can also go on where it stopped: with a *memory*, what
comes in blocks gives what the whole gives at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

Memory = dict[nn.Module, Any]
"""What each layer needs to know of the past; empty before the first block."""

_KERNEL = 3
_RESIDUAL_UNITS = 2
_LSTM_LAYERS = 2


def mirrored_past(x: torch.Tensor, count: int) -> torch.Tensor:
    """Return the mirror image [B, C, count] of a signal [B, C, T] before its first sample, which is not repeated.

    What a short signal lacks is zero.
    """
    there = x[..., 1 : count + 1].flip(-1)
    return nn.functional.pad(there, (count - there.shape[-1], 0))


class CausalConv(nn.Module):
    """A convolution whose output depends on no later sample of its input.

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel, stride, dilation
        As in :class:`torch.nn.Conv1d`.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(inputs, outputs, kernel, stride, dilation=dilation))
        self.past = (kernel - 1) * dilation + 1 - stride

    def forward(self, x: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return the outputs of a signal [B, C, T], T a whole number of strides, or of its next block."""
        if self.past:
            before = mirrored_past(x, self.past) if memory is None or self not in memory else memory[self]
            x = torch.cat([before, x], -1)
            if memory is not None:
                memory[self] = x[..., -self.past :]
        result: torch.Tensor = self.conv(x)
        return result


class CausalUpsampling(nn.Module):
    """A transposed convolution of two strides whose output depends on no later sample of its input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convtr = weight_norm(nn.ConvTranspose1d(inputs, outputs, 2 * stride, stride))
        self.stride = stride

    def forward(self, x: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return the outputs [B, C, T * stride] of a signal [B, C, T], or of its next block."""
        y: torch.Tensor = self.convtr(x)
        now = y[..., : -self.stride]
        if memory is not None:
            if self in memory:
                first = now[..., : self.stride] + memory[self]
                now = torch.cat([first, now[..., self.stride :]], -1)
            # The next block's output brings the bias along.
            memory[self] = y[..., -self.stride :] - self.convtr.bias[:, None]
        return now


class ResidualUnit(nn.Module):
    """ELU, dilated convolution, ELU, pointwise convolution; added to what came in."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        convs = (CausalConv(width, width, _KERNEL, dilation=dilation), CausalConv(width, width, 1))
        self.block = nn.ModuleList([nn.ELU(), convs[0], nn.ELU(), convs[1]])

    def forward(self, x: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return the unit's output [B, C, T]."""
        return x + through(self.block, x, memory)


class ResidualLstm(nn.Module):
    """An LSTM along time, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, _LSTM_LAYERS)

    def forward(self, x: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return the output [B, C, T]; states are zero at first."""
        state = None if memory is None else memory.get(self)
        y, state = self.lstm(x.permute(2, 0, 1), state)
        if memory is not None:
            memory[self] = state
        result: torch.Tensor = x + y.permute(1, 2, 0)
        return result


def through(layers: nn.ModuleList, x: torch.Tensor, memory: Memory | None) -> torch.Tensor:
    """Return what layers one after the other make of a signal."""
    for layer in layers:
        x = layer(x) if isinstance(layer, nn.ELU) else layer(x, memory)
    return x


def _units(width: int) -> list[nn.Module]:
    return [ResidualUnit(width, 2**number) for number in range(_RESIDUAL_UNITS)]


class CausalEncoder(nn.Module):
    """Waveforms [B, 1, T] to latents [B, D, T / hop].

    Parameters
    ----------
    width
        Channels before the first stride; each stride doubles them.
    strides
        In the order of the layers.
    latent_width
        D.
    """

    def __init__(self, width: int, strides: Sequence[int], latent_width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [CausalConv(1, width, _KERNEL)]
        for stride in strides:
            layers += [*_units(width), nn.ELU(), CausalConv(width, 2 * width, 2 * stride, stride)]
            width *= 2
        layers += [ResidualLstm(width), nn.ELU(), CausalConv(width, latent_width, _KERNEL)]
        self.model = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return the latents of waveforms, T a whole number of hops, or of their next block."""
        return through(self.model, x, memory)


class CausalDecoder(nn.Module):
    """Latents [B, D, F] to waveforms [B, 1, F * hop].

    Parameters
    ----------
    width
        Channels before the first stride; each stride halves them.
    strides
        In the order of the layers.
    latent_width
        D.
    """

    def __init__(self, width: int, strides: Sequence[int], latent_width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [CausalConv(latent_width, width, _KERNEL), ResidualLstm(width)]
        for stride in strides:
            layers += [nn.ELU(), CausalUpsampling(width, width // 2, stride)]
            width //= 2
            layers += _units(width)
        layers += [nn.ELU(), CausalConv(width, 1, _KERNEL)]
        self.model = nn.ModuleList(layers)

    def forward(self, z: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """Return the waveforms of latents, or of their next block."""
        return through(self.model, z, memory)
