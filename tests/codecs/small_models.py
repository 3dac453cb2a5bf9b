"""Small random models for the codec tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import (
    STANDARD_VOCABULARY,
    ModelConfig,
    MultichannelConfig,
    NetworkConfig,
    ScalingConfig,
)
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.token_network import ADAPTERS, TokenNetwork
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.stream_coder import GroupCoder

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


MULTICHANNEL = MultichannelConfig(heads=2, layers=2, reach=3, vocabulary=STANDARD_VOCABULARY)


def multichannel(config: ModelConfig, **changes: object) -> ModelConfig:
    """The same model with adapters for groups of channels."""
    return replace(config, architecture="dac-mc", multichannel=replace(MULTICHANNEL, **changes))  # type: ignore[arg-type]


def shaken(config: ModelConfig, seed: int = 3) -> TokenNetwork:
    """A random network whose every branch contributes."""
    torch.manual_seed(seed)
    network = build(config)
    with torch.no_grad():
        if config.network.linear_path:
            # The branches start silent; a test of what the network sees must hear them.
            network.encoder.block[-1].weight_g.fill_(0.3)
            network.decoder.model[-2].weight_g.fill_(0.3)
        for name, weight in network.named_parameters():
            if name.startswith(ADAPTERS):
                # They start as an identity.
                weight.add_(torch.randn_like(weight) * 0.1)
    return network.eval()


def make(folder: Path, config: ModelConfig) -> Checkpoint:
    """Save a random model whose every branch contributes."""
    return save_checkpoint(folder, config, shaken(config).state_dict(), "# A random model\n")


def encode(runtime: CodecRuntime, samples: np.ndarray, n_codebooks: int | None = None) -> np.ndarray:
    """Codes [B, n_codebooks, n] of windows [B, (n + 2 * encoder_context) * hop], each channel alone."""
    return GroupCoder(runtime, [(0,)] * len(samples)).encode(samples, n_codebooks)


def decode(runtime: CodecRuntime, codes: np.ndarray, valid: tuple[int, int] | None = None) -> np.ndarray:
    """Waveforms [B, n * hop] of codes [B, k, n + 2 * decoder_context], each channel alone."""
    return GroupCoder(runtime, [(0,)] * len(codes)).decode(codes, valid)


def latents(runtime: CodecRuntime, codes: np.ndarray) -> np.ndarray:
    """Quantised latents [B, D, F] that codes [B, k, F] stand for."""
    return runtime.codewords(codes)
