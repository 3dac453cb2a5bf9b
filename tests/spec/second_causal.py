"""The decoder that looks back only, from SPEC.md alone (9.2, 10.3)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

WARM_UP = 128
Tensors = dict[str, torch.Tensor]


class Causal:
    """Decoder of a checkpoint of architecture `biocodec`."""

    def __init__(self, folder: Path, tensors: Tensors) -> None:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self.options, self.window, self.tensors = config["network"], config["window_frames"], tensors

    def kernel(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of a weight-normalised layer."""
        g, v = (self.tensors[f"{name}.parametrizations.weight.original{i}"] for i in (0, 1))
        return g * v / v.norm(dim=(1, 2), keepdim=True), self.tensors[f"{name}.bias"]

    def convolved(self, name: str, x: torch.Tensor, dilation: int = 1) -> torch.Tensor:
        """Causal convolution of x [channels, time]."""
        weight, bias = self.kernel(f"{name}.conv")
        past = (weight.shape[2] - 1) * dilation
        before = [x[:, n] if n < x.shape[1] else 0 * x[:, 0] for n in range(past, 0, -1)]
        longer = torch.cat([torch.stack(before, 1), x], 1) if before else x
        return F.conv1d(longer[None], weight, bias, dilation=dilation)[0]

    def transposed(self, name: str, x: torch.Tensor, s: int) -> torch.Tensor:
        """Causal transposed convolution of stride s."""
        return F.conv_transpose1d(x[None], *self.kernel(f"{name}.convtr"), stride=s)[0, :, : s * x.shape[1]]

    def unit(self, name: str, x: torch.Tensor, dilation: int) -> torch.Tensor:
        """What a unit gives."""
        y = self.convolved(f"{name}.block.1", F.elu(x), dilation)
        return x + self.convolved(f"{name}.block.3", F.elu(y))

    def remembered(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """LSTM of two layers, with what came in."""
        rows = list(x.T)
        for layer in (0, 1):
            parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            w_ih, w_hh, b_ih, b_hh = (self.tensors[f"{name}.lstm.{part}_l{layer}"] for part in parts)
            h = c = torch.zeros(w_hh.shape[1])
            for t, row in enumerate(rows):
                i, f, g, o = (w_ih @ row + b_ih + w_hh @ h + b_hh).chunk(4)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                rows[t] = h
        return x + torch.stack(rows, 1)

    def codeword(self, level: int, indices: torch.Tensor) -> torch.Tensor:
        """What tokens of a level add to latents [D, frames]."""
        name = f"quantizer.quantizers.{level}"
        words = self.tensors[f"{name}.codebook.weight"][indices].T
        return self.tensors[f"{name}.out_proj.weight"][:, :, 0] @ words + self.tensors[f"{name}.out_proj.bias"][:, None]

    def decoded(self, z: torch.Tensor) -> torch.Tensor:
        """Waveform of latents [D, frames], from a state of nothing."""
        x = self.remembered("decoder.model.1", self.convolved("decoder.model.0", z))
        number = 2
        for s in self.options["decoder_rates"]:
            x = self.transposed(f"decoder.model.{number + 1}", F.elu(x), s)
            x = self.unit(f"decoder.model.{number + 2}", x, 1)
            x = self.unit(f"decoder.model.{number + 3}", x, 2)
            number += 4
        return self.convolved(f"decoder.model.{number + 1}", F.elu(x))[0]

    @torch.no_grad()
    def waveform(self, tokens: np.ndarray) -> np.ndarray:
        """What tokens [levels, frames] make, window by window."""
        z = sum(self.codeword(level, indices) for level, indices in enumerate(torch.from_numpy(tokens)))
        hop = int(np.prod(self.options["decoder_rates"]))
        parts = []
        for first in range(0, tokens.shape[1], self.window):
            begin = max(first - WARM_UP, 0)
            parts.append(self.decoded(z[:, begin : first + self.window])[(first - begin) * hop :])
        return torch.cat(parts).numpy().astype(np.float64)
