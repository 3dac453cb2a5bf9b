"""Throughput and memory of training, for the presets full, base and compact, beside one another.

Usage: ``python benchmarks/training.py [--device cuda] [--threads 2] [--steps 5] [--batch 8]``

Each preset runs in a process of its own, on synthetic recordings, so that one's memory is not another's. Prints a
Markdown table: parameters, seconds of one channel trained on for each second of time, memory, and the ratio of the
throughput to that of ``full``.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time

PRESETS = ("full", "base", "compact")


def measure(preset: str, options: argparse.Namespace) -> dict[str, float]:
    """Train a few steps of one preset; what the child process does."""
    import torch

    from eegzip.training.api import settings_for, train

    times: list[float] = []
    values = {
        "data": {"sources": ["synthetic"]},
        "model": {"architecture": options.model},
        "groups": {"kind": "single" if options.model == "dac-sc" else "manual"},
        "quantiser": {"open_steps": 0, "start": "random"},
        "adversarial": {"weight": options.adversarial},
        "optimiser": {"batch": options.batch},
        "run": {
            "max_steps": options.steps + 2, "device": options.device, "threads": options.threads,
            "validate_every": 10**6, "validation_windows": 1,
        },
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        settings = settings_for(presets=[preset], values=values)
        train(settings, out, overwrite=True, watch=lambda _: times.append(time.monotonic()))
        weights = len(bytes_of(out)) / 4
    # The first steps warm up.
    step = (times[-1] - times[1]) / (len(times) - 2)
    seen = settings.data.window_seconds * options.batch
    cuda = settings.run.device.startswith("cuda") or (settings.run.device == "auto" and torch.cuda.is_available())
    memory = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    device = torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    return {"parameters": weights, "step": step, "rate": seen / step, "memory": memory, "device": device}


def bytes_of(out: str) -> bytes:
    """Content of the trained weights."""
    from pathlib import Path

    return (Path(out) / "model.safetensors").read_bytes()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--model", default="dac-sc", choices=["dac-sc", "dac-mc"])
    parser.add_argument("--adversarial", type=float, default=0.0, help="weight of the discriminators; 0: none")
    parser.add_argument("--only", choices=PRESETS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options)))
        return
    results = {}
    for preset in PRESETS:
        child = subprocess.run(
            [sys.executable, *sys.argv, "--only", preset], check=True, stdout=subprocess.PIPE, text=True
        )
        results[preset] = json.loads(child.stdout.splitlines()[-1])
    first = results[PRESETS[0]]
    print(f"{options.model}, batch of {options.batch} windows of 30 s at 256 Hz, on {first['device']}\n")
    print("| preset | parameters | s a step | seconds of a channel a second | of full | memory MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for preset, found in results.items():
        print(
            f"| {preset} | {found['parameters'] / 1e6:.1f} M | {found['step']:.2f} | {found['rate']:.0f} "
            f"| {found['rate'] / first['rate']:.1f}x | {found['memory'] / 1e6:.0f} |"
        )


if __name__ == "__main__":
    main()
