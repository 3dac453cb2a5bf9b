"""Weight-normed convolutions: their plain weight read and set."""

from __future__ import annotations

import torch
from torch import nn

# A direction of length zero would be no number.
_LEAST = 1e-12


def plain_weight(conv: nn.Module) -> torch.Tensor:
    """Return the weight [out, in, size] that a weight-normed convolution multiplies by."""
    parameters = dict(conv.named_parameters(recurse=False))
    direction = parameters["weight_v"]
    return parameters["weight_g"] * direction / direction.norm(dim=(1, 2), keepdim=True)


@torch.no_grad()
def set_weight(conv: nn.Module, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Set weight [out, in, size] and bias [out] of a weight-normed convolution."""
    parameters = dict(conv.named_parameters(recurse=False))
    parameters["weight_v"].copy_(weight + _LEAST)
    parameters["weight_g"].copy_(weight.norm(dim=(1, 2), keepdim=True))
    parameters["bias"].copy_(bias)
