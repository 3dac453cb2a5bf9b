"""An installation without torch, DAC and MNE: all that files of linear models are for, and a sentence for the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import eegzip


def test_archives_take_no_torch(tmp_path: Path) -> None:
    networks, folder = tmp_path / "networks.eegz", tmp_path / "made"
    folder.mkdir()
    waves = np.cumsum(np.random.default_rng(1).standard_normal((1, 1000)), axis=1)
    eegzip.compress_array(waves, 250, ["Cz"], networks, model="dac-sc-compact-1")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run.py")), str(folder), str(networks)],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
