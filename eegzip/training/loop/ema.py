"""A moving average of a network's weights: what is validated and saved.

As plain tensors by name, since ``copy.deepcopy`` raises on weight-normed modules.
"""

from __future__ import annotations

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of a state dict.

    Parameters
    ----------
    network
        Whose weights are averaged.
    decay
        Per step; early steps count more, so that the start is soon forgotten. 0: the weights themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values: dict[str, torch.Tensor] = {}
        self.begin(network)

    def begin(self, network: nn.Module) -> None:
        """Start anew from the weights as they are."""
        self.steps = 0
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the weights of one more step in."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        state = network.state_dict()
        # All at once: hundreds of small kernels would cost a GPU as much time as a layer.
        torch._foreach_lerp_([self.values[name] for name in state], list(state.values()), 1 - decay)
