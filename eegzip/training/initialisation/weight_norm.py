"""Weight-normed convolutions: their plain weight read and set."""

from __future__ import annotations

import torch
from torch import nn


def gain_of(conv: nn.Module) -> nn.Parameter | None:
    """Return the gains of a weight-normed convolution, in either of torch's two spellings; of any other, ``None``."""
    found = dict(conv.named_parameters())
    return found.get("weight_g", found.get("parametrizations.weight.original0"))


def plain_weight(conv: nn.Module) -> torch.Tensor:
    """Return the weight [out, in, size] that a weight-normed convolution multiplies by."""
    parameters = dict(conv.named_parameters(recurse=False))
    direction = parameters["weight_v"]
    return parameters["weight_g"] * direction / direction.norm(dim=(1, 2), keepdim=True)


@torch.no_grad()
def set_weight(conv: nn.Module, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Set weight [out, in, size] and bias [out] of a convolution, weight-normed or plain."""
    parameters = dict(conv.named_parameters(recurse=False))
    parameters["bias"].copy_(bias)
    if "weight" in parameters:
        parameters["weight"].copy_(weight)
        return
    norm = weight.norm(dim=(1, 2), keepdim=True)
    # A weight norm needs a direction where there is no weight, too.
    parameters["weight_v"].copy_(torch.where(norm > 0, weight, 1.0))
    parameters["weight_g"].copy_(norm)
