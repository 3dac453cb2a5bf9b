"""Small BioCodecs of random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.codecs.networks.build import build

CAUSAL = ModelConfig(
    name="causal",
    rate=250.0,
    network=NetworkConfig(
        encoder_dim=4,
        encoder_rates=(2, 3),
        latent_dim=12,
        decoder_dim=16,
        decoder_rates=(3, 2),
        n_codebooks=3,
        codebook_size=64,
        codebook_dim=6,
        final_tanh=False,
    ),
    scaling=ScalingConfig("robust", highpass_hz=0.1),
    # Some seconds, so that short recordings have several windows.
    window_frames=140,
    architecture="biocodec",
)


def save_causal(folder: Path, config: ModelConfig = CAUSAL) -> Checkpoint:
    """Save a model of random weights."""
    torch.manual_seed(4)
    return save_checkpoint(folder, config, build(config).state_dict(), "# A random model\n")
