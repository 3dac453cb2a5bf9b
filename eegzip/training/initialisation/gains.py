"""Weights from scratch, brought to a level at which they learn.

torch's convolutions start with weights that shrink a signal by the square root of three. Behind the dozen on DAC's main
path next to nothing is left of the waveform, and the first thousands of steps go by with making it grow. (DAC's own
initialisation has no effect on weight-normed layers.) Here a batch goes through the network once, and each layer's gain
is set so that its output varies as it should: by 1 on the main path, by less in the residual units' branches, and as
the waveform itself at the very end. The idea is Mishkin and Matas's (2016, "All you need is a good init").
"""

from __future__ import annotations

import torch
from torch import nn

from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.initialisation.weight_norm import gain_of
from eegzip.training.quantiser import quantise

# What three residual units add up to is then about what came in.
_BRANCH = 0.5


@torch.no_grad()
def set_gains(network: TokenNetwork, wave: torch.Tensor, styles: torch.Tensor, present: torch.Tensor) -> None:
    """Set the gains of encoder, quantiser projections and decoder by what a batch makes of them, in place.

    Parameters
    ----------
    network
        With random weights.
    wave, styles, present
        A batch [B, G, T] with the channels' styles and presence [B, G].
    """
    gained = {module: gain for module in network.modules() if (gain := gain_of(module)) is not None}
    # What comes last, but for an activation; and the last of each residual unit.
    last = [module for module in network.decoder.modules() if module in gained][-1]
    units = [unit for unit in network.modules() if unit.__class__.__name__ == "ResidualUnit"]
    branches = {id([module for module in unit.modules() if module in gained][-1]) for unit in units}
    level = float(wave[present].std())

    def set_gain(module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        bias = dict(module.named_parameters(recurse=False))["bias"][None, :, None]
        target = level if module is last else _BRANCH if id(module) in branches else 1.0
        found = float((output - bias).std())
        if found <= 0:
            return output
        gained[module].mul_(target / found)
        return (output - bias) * (target / found) + bias

    hooks = [module.register_forward_hook(set_gain) for module in gained]
    try:
        latent = network.latents(wave, styles, present)
        levels = torch.full((len(wave),), network.config.n_codebooks, device=wave.device)
        network.waves(quantise(network, latent, levels, is_open=True).latent, styles, present)
    finally:
        for hook in hooks:
            hook.remove()
