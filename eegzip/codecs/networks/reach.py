"""Reach of a config's network: how many frames it sees; no torch."""

from __future__ import annotations

from eegzip.codecs.checkpoints.config import NetworkConfig

# Three residual units of kernel 7 at dilations 1, 3 and 9.
_UNITS_REACH = 3 * (1 + 3 + 9)


def encoder_reach(config: NetworkConfig) -> int:
    """Return how many samples beyond its own hop, to either side, a frame of the encoder depends on."""
    scale, reach = 1, 3
    for rate in config.encoder_rates:
        # A strided convolution covers two strides: half a stride more than its own on each side.
        reach += (_UNITS_REACH + rate // 2) * scale
        scale *= rate
    return reach + scale


def decoder_reach(config: NetworkConfig) -> int:
    """Return how far from a sample, in samples, lie the frames that its synthesis depends on."""
    scale = config.hop
    reach = 3 * scale
    for rate in config.decoder_rates:
        reach += scale // 2
        scale //= rate
        reach += _UNITS_REACH * scale
    return reach + 3
