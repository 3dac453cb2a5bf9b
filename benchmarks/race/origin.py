"""Where results come from: command, commit, seed, machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import eegzip

ROOT = Path(__file__).resolve().parents[2]


def origin() -> dict[str, str]:
    """A sentence for each fact."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = (
        "" if not git("status", "--porcelain", "--untracked-files=no") else ", with changes that are not committed"
    )
    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    words = [os.path.relpath(word, ROOT) if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    return {
        "command": f"Made by `{command}`.",
        "commit": f"Commit {commit}{changed}; eegzip {eegzip.__version__}.",
        "seed": "No step draws at random, so there is no seed.",
        "machine": f"{_processor()}, {os.cpu_count()} CPUs; Python {platform.python_version()} on {platform.system()}.",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
