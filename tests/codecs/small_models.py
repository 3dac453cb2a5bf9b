"""Small random models for the codec tests."""

from __future__ import annotations

from pathlib import Path

import torch

from eegzip.codecs.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.codecs.network import EegDac

LINEAR = ModelConfig(
    name="small",
    rate=256.0,
    network=NetworkConfig(
        encoder_dim=4,
        encoder_rates=(4, 8),
        latent_dim=32,
        decoder_dim=16,
        decoder_rates=(8, 4),
        n_codebooks=4,
        codebook_size=64,
        codebook_dim=32,
        linear_path=True,
        search="euclid",
        final_tanh=False,
    ),
    scaling=ScalingConfig("adaptive", 256, 1.0, 8.0),
    window_frames=40,
    beam=4,
)
PLAIN = ModelConfig(
    name="plain",
    rate=256.0,
    network=NetworkConfig(
        encoder_dim=8, encoder_rates=(2, 4), decoder_dim=32, decoder_rates=(4, 2), n_codebooks=3, codebook_size=32
    ),
    window_frames=40,
)


def make(folder: Path, config: ModelConfig) -> Checkpoint:
    """Save a random model whose every branch contributes."""
    torch.manual_seed(3)
    network = EegDac(config.network, config.rate)
    if config.network.linear_path:
        with torch.no_grad():
            # The branches start silent; a test of what the network sees must hear them.
            network.encoder.block[-1].weight_g.fill_(0.3)
            network.decoder.model[-2].weight_g.fill_(0.3)
    return save_checkpoint(folder, config, network.state_dict(), "# A random model\n")
