"""The part of the second reader that computes with floats: network and resampling, from SPEC.md alone (9, 10)."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from scipy.signal import upfirdn
from second_causal import Causal
from second_joint import Joint
from second_prior import ABSENT, ceil_div


def weights_of(folder: Path) -> Path:
    """File of a checkpoint's weights (10)."""
    other = folder / "weights-of.txt"
    return (folder.parent / other.read_text("utf-8").strip() if other.exists() else folder) / "model.safetensors"


def checkpoint_digest(folder: Path) -> str:
    """Identity of a checkpoint (10)."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config.pop("digest", None)
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    parts = (canonical, weights_of(folder).read_bytes())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


class Network:
    """Decoder of a checkpoint: the Descript Audio Codec 1.0's, its linear path, styles (9, 10); or a causal one."""

    def __init__(self, folder: Path) -> None:
        self.digest = checkpoint_digest(folder)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self.kind, self.options = config["architecture"], config["network"]
        self.tensors = load_file(weights_of(folder))
        self.styled = "styles.scale" in self.tensors
        self.joint = Joint(folder) if "joint" in config else None
        self.causal = Causal(folder, self.tensors) if self.kind == "biocodec" else None

    def weights(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of a weight-normalised layer."""
        g, v, bias = (self.tensors[f"{name}.{part}"] for part in ("weight_g", "weight_v", "bias"))
        return g * v / v.norm(dim=(1, 2), keepdim=True), bias

    def snake(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """The activation."""
        alpha = self.tensors[f"{name}.alpha"]
        return x + torch.sin(alpha * x) ** 2 / (alpha + 1e-9)

    def latents(self, tokens: np.ndarray, style: int | None) -> torch.Tensor:
        """Sum of the codewords of every level, in a style; the latent of a frame without tokens (-1) is 0."""
        z = torch.zeros(1, self.options["latent_dim"], tokens.shape[1])
        for level, indices in enumerate(torch.from_numpy(tokens)):
            name = f"quantizer.quantizers.{level}"
            words = self.tensors[f"{name}.codebook.weight"][(indices * (indices != ABSENT)).clip(0)].T[None]
            projected = f"{name}.out_proj.weight_v" in self.tensors
            words = F.conv1d(words, *self.weights(f"{name}.out_proj")) if projected else words
            z += words * ((indices >= 0) & (indices != ABSENT))
        if style is not None:
            a, b = (self.tensors[f"styles.{part}"][style][:, None] for part in ("scale", "bias"))
            z = (z * (1 + a) + b) * torch.from_numpy(tokens[0] >= 0)
        return z

    def waveform(self, tokens: np.ndarray, style: int | None = None) -> np.ndarray:
        """What tokens make, `hop` samples a frame."""
        if self.causal is not None:
            return self.causal.waveform(tokens)
        return self.sounded(self.latents(tokens, style))

    @torch.no_grad()
    def sounded(self, latents: torch.Tensor) -> np.ndarray:
        """`hop` samples a frame; the zero latents on both sides reach beyond the receptive field."""
        rates, x0 = self.options["decoder_rates"], "decoder.model"
        hop, last = math.prod(rates), len(rates) + 1
        margin = 6 + math.ceil(sum(1 + (3 + 9 + 27 + 1) / step for step in np.cumprod(rates)))
        z = F.pad(latents, (margin, margin))
        x = F.conv1d(z, *self.weights(f"{x0}.0"), padding=3)
        for number, rate in enumerate(rates, 1):
            x = self.snake(f"{x0}.{number}.block.0", x)
            weights = self.weights(f"{x0}.{number}.block.1")
            x = F.conv_transpose1d(x, *weights, stride=rate, padding=ceil_div(rate, 2))
            for unit, dilation in ((2, 1), (3, 3), (4, 9)):
                name = f"{x0}.{number}.block.{unit}.block"
                weights = self.weights(f"{name}.1")
                y = F.conv1d(self.snake(f"{name}.0", x), *weights, padding=3 * dilation, dilation=dilation)
                x = x + F.conv1d(self.snake(f"{name}.2", y), *self.weights(f"{name}.3"))
        x = F.conv1d(self.snake(f"{x0}.{last}", x), *self.weights(f"{x0}.{last + 1}"), padding=3)
        x = torch.tanh(x) if self.options["final_tanh"] else x
        if self.options["linear_path"]:
            x = x + F.conv_transpose1d(z, self.tensors["decoder.linear.weight"], stride=hop, padding=hop // 2)
        return x[0, 0, margin * hop : x.shape[2] - margin * hop].numpy().astype(np.float64)


def resample(x: np.ndarray, u: int, d: int, count: int) -> np.ndarray:
    """`count` values at u / d times the rate (9)."""
    if (w := max(u, d)) == 1:
        return x[:count]
    taps = np.sinc(np.arange(-32 * w, 32 * w + 1) / w) * np.kaiser(64 * w + 1, 8.6)
    for branch in range(u):
        taps[branch::u] /= taps[branch::u].sum()
    margin = ceil_div(32 * w, u) + 1
    delay = margin * u + 32 * w
    taps = np.pad(taps, (-delay % d, 0))
    return upfirdn(taps, np.pad(x, margin, mode="edge"), u, d)[ceil_div(delay, d) :][:count]
