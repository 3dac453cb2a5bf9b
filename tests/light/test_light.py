"""An installation without torch, DAC, MNE and scipy: all that files of linear models are for, a word for the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import size

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
    assert (folder / "page.html").stat().st_size > 10_000


def test_it_takes_few_packages_and_little_of_our_own() -> None:
    # What those packages take is for .ci/light, which installs the versions that are named.
    packages = size.packages()
    assert "numba" in packages
    assert not {"torch", "descript-audio-codec", "scipy", "mne"} & set(packages)
    assert len(packages) <= size.MAX_PACKAGES
    assert size.sizes()["eegzip"] < 70


def test_the_documented_commands_are_what_ci_runs() -> None:
    root = Path(__file__).resolve().parents[2]
    commands = (root / "docs" / "how-to" / "light.md").read_text().split("```sh\n")[1].split("```")[0]
    assert commands.splitlines()[0].startswith("python3 -m venv .venv")
    assert "-r constraints-light.txt" in commands
    assert "docs/how-to/light.md" in (root / ".ci" / "light").read_text()
