"""Small random models of groups, whose every adapter contributes, and recordings with many channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from api.plain_edf import PlainEdf, build

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import (
    STANDARD_VOCABULARY,
    ModelConfig,
    MultichannelConfig,
    NetworkConfig,
    ScalingConfig,
)
from eegzip.codecs.networks.build import build as build_network
from eegzip.codecs.networks.dac import EegDac
from eegzip.codecs.networks.dac_mc import EegDacMc

SINGLE = ModelConfig(
    name="tiny-sc",
    rate=128.0,
    network=NetworkConfig(
        encoder_dim=4,
        encoder_rates=(4, 8),
        latent_dim=32,
        decoder_dim=16,
        decoder_rates=(8, 4),
        n_codebooks=3,
        codebook_size=64,
        codebook_dim=32,
        linear_path=True,
        search="euclid",
        final_tanh=False,
    ),
    scaling=ScalingConfig("adaptive", 128, 1.0, 8.0),
    window_frames=30,
)
GROUPS = replace(
    SINGLE,
    name="tiny-mc",
    architecture="dac-mc",
    multichannel=MultichannelConfig(max_channels=5, heads=4, layers=1, reach=3, vocabulary=STANDARD_VOCABULARY),
)


def backbone(config: ModelConfig = SINGLE) -> EegDac:
    torch.manual_seed(5)
    network = EegDac(config.network, config.rate)
    with torch.no_grad():
        network.encoder.block[-1].weight_g.fill_(0.3)
        network.decoder.model[-2].weight_g.fill_(0.3)
    return network


def save_single(folder: Path) -> Checkpoint:
    return save_checkpoint(folder, SINGLE, backbone().state_dict(), "# A random model\n")


def save_groups(folder: Path, config: ModelConfig = GROUPS, *, trained: bool = True) -> Checkpoint:
    """Around the backbone of :func:`save_single`: adapters as training might leave them, or as they begin."""
    network = build_network(config)
    assert isinstance(network, EegDacMc)
    network.load_backbone(backbone(config).state_dict())
    if trained:
        torch.manual_seed(6)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.split(".")[0] in ("attention", "projection", "styles"):
                    parameter += 0.2 * torch.randn_like(parameter)
    return save_checkpoint(folder, config, network.state_dict(), "# A random model of groups\n")


NAMES = {
    1: ["Cz"],
    2: ["C3", "C4"],
    8: ["Oz", "O1", "O2", "POz", "PO3", "PO4", "PO7", "PO8"],
    19: "Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 Pz P4 T6 O1 O2".split(),  # noqa: SIM905
    21: "Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 Pz P4 T6 O1 O2 A1 A2".split(),  # noqa: SIM905
    64: """
        FP1 FP2 F7 F8 AF1 AF2 FZ F4 F3 FC6 FC5 FC2 FC1 T8 T7 CZ C3 C4 CP5 CP6 CP1 CP2 P3 P4 PZ P8 P7 PO2 PO1 O2 O1 X AF7
        AF8 F5 F6 FT7 FT8 FPZ FC4 FC3 C6 C5 F2 F1 TP8 TP7 AFZ CP3 CP4 P5 P6 C1 C2 PO7 PO8 FCZ POZ OZ P2 P1 CPZ nd Y
    """.split(),  # noqa: SIM905
}
"""The last is the set of the VEP recordings: X, Y and nd are no names of any system, and alone."""


def many_channels(path: Path, real: Path, names: list[str], seconds: int = 20) -> Path:
    """A recording of these channels at 128 Hz, each a mixture of the real one's, later for each, and an ECG."""
    plain = PlainEdf.read(real)
    sources = np.stack([plain.digital(index)[::4].astype(float) for index in range(3)])
    sources /= sources.std(axis=1, keepdims=True)
    rng = np.random.default_rng(len(names))
    signals: list[dict[str, object]] = []
    limits = {"unit": "uV", "pmin": -3276.8, "pmax": 3276.7, "dmin": -32768, "dmax": 32767}
    for place, name in enumerate(names):
        mixed = rng.normal(size=3) @ sources[:, 3 * place : 3 * place + 128 * seconds]
        values = np.rint(200 * mixed + 100 * place).astype(np.int64)
        label = f"EEG {name}-REF" if name not in ("X", "Y", "nd") else f"EEG {name}"
        signals.append({"label": label, "values": values.reshape(seconds, 128), **limits})
    heart = np.rint(500 * rng.normal(size=(seconds, 100)))
    signals.append({"label": "ECG", "values": heart.astype(np.int64), **limits})
    return build(path, signals, onsets=[f"+{second}" for second in range(seconds)], reserved="EDF+C")
