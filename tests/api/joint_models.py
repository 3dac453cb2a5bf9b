"""Small models with a joint decoder: the bundled tokens, a decoder of random weights near its zero start."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from eegzip.codecs.checkpoints.checkpoint import CONFIG, Checkpoint, add_joint, load_checkpoint
from eegzip.codecs.checkpoints.config import JointConfig
from eegzip.codecs.networks.joint import JointDecoder
from eegzip.models import resolve

SHAPE = JointConfig("0" * 64, width=16, blocks=2, heads=2, kernel=3)
DEPTHS = 48


def small_decoder(spread: float = 0.01, seed: int = 1) -> JointDecoder:
    """A decoder whose table of errors is about right for three codebooks, its last layer random and small."""
    torch.manual_seed(seed)
    decoder = JointDecoder(SHAPE, DEPTHS, 128)
    energy = 8.0 / (1.0 + torch.arange(128.0) / 3) ** 2 + 0.01
    depth = torch.arange(DEPTHS + 1.0)[:, None]
    decoder.noise.copy_(energy / (1 + depth * (0.5 + energy)))
    torch.nn.init.normal_(decoder.last.weight, std=spread)
    return decoder.eval().requires_grad_(False)


def save_joint(folder: Path, decoder: JointDecoder) -> Checkpoint:
    """The bundled model of single channels with a decoder."""
    folder.mkdir()
    base = resolve("eegz-sc-1")
    shutil.copyfile(base / CONFIG, folder / CONFIG)
    (folder / "weights-of.txt").write_text("eegz-sc-1\n")
    load_checkpoint(folder)
    return add_joint(folder, decoder.config, decoder.state_dict())
