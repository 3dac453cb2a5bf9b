"""SPEC.md 9.1 and 10.2: a reader written from the page alone restores signals that are decoded together."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from api.joint_models import save_joint, small_decoder
from second_prior import read_tables
from second_reader import SecondReader
from second_synthesis import Network

import eegzip
from eegzip.formats.edf import EdfFile


@pytest.mark.parametrize("codebooks", [2, 5])
def test_samples(eegmat: Path, tmp_path: Path, codebooks: int) -> None:
    model = save_joint(tmp_path / "joint", small_decoder(spread=0.02)).folder
    shutil.copytree(eegzip.models.resolve("eegz-sc-1"), tmp_path / "eegz-sc-1")
    path = tmp_path / "joint.eegz"
    eegzip.compress(eegmat, path, model=model, codebooks=codebooks, chunk_seconds=30)
    eegzip.decompress(path, tmp_path / "back.edf", model=model)
    prior = read_tables((tmp_path / "eegz-sc-1" / "prior.safetensors").read_bytes())
    second = SecondReader(path.read_bytes(), prior=prior)
    assert path.read_bytes()[10] == 5
    assert second.refined
    network = Network(model)
    with EdfFile.open(tmp_path / "back.edf") as back:
        for signal in range(3):
            mine, scale = second.coded(signal, network)
            theirs = back.read_signal(signal, 0, back.n_samples(signal))
            assert np.all(np.abs(mine - theirs) <= 1 + scale / 1024)
