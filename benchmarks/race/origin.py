"""Where results come from: commit, seed, machine, time."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import eegzip


def origin(started: float) -> dict[str, str]:
    """A sentence for each fact; `started` is what ``time.monotonic`` said at the beginning."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = (
        "" if not git("status", "--porcelain", "--untracked-files=no") else ", with changes that are not committed"
    )
    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return {
        "command": f"Made by `{command}` in {(time.monotonic() - started) / 60:.0f} minutes.",
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
