"""From a config to a network."""

from __future__ import annotations

from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.dac import EegDac
from eegzip.codecs.networks.dac_mc import EegDacMc


def build(config: ModelConfig, quantizer_dropout: float = 0.0) -> EegDac:
    """Return the network of a model's architecture, with random weights.

    Parameters
    ----------
    config
        The model's config.
    quantizer_dropout
        As in :class:`EegDac`.
    """
    config.check()
    if config.adapters is not None:
        return EegDacMc(config.network, config.adapters, config.rate, quantizer_dropout)
    return EegDac(config.network, config.rate, quantizer_dropout)
