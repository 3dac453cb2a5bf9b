"""From a config to a network."""

from __future__ import annotations

from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.token_network import TokenNetwork


def build(config: ModelConfig, quantizer_dropout: float = 0.0) -> TokenNetwork:
    """Return the network of a model's architecture, with random weights.

    Parameters
    ----------
    config
        The model's config.
    quantizer_dropout
        As in :class:`~eegzip.codecs.networks.dac.EegDac`, which alone has it.
    """
    config.check()
    # Each where it is needed: the package of the Descript Audio Codec takes a second to load.
    if config.causal:
        from eegzip.codecs.networks.biocodec import BioCodec

        return BioCodec(config.network)
    if config.adapters is not None:
        from eegzip.codecs.networks.dac_mc import EegDacMc

        return EegDacMc(config.network, config.adapters, config.rate, quantizer_dropout)
    from eegzip.codecs.networks.dac import EegDac

    return EegDac(config.network, config.rate, quantizer_dropout)
