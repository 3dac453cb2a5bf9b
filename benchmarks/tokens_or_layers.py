"""Whether tokens ever meet an error target in fewer bytes than a layer: on whole recordings, and on single channels.

Usage: ``python benchmarks/tokens_or_layers.py [--sets eegmat vep] [--seconds 60] [--channels 2]``

For each target and channel the smallest depth whose error is within the target, in bytes of its tokens (in context,
neighbours known), over the bytes of the layer that keeps the same target. Of people no model saw, one recording a set.
Components of `eegz-mc-2` all have the depth that the worst channel needs: each channel is made of all.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import tempfile
import warnings
from math import inf
from pathlib import Path

from unseen import DATA, cut, unseen_recordings

import eegzip
from eegzip.formats.eegz.reader import EegzReader

MODELS = {"eegz-sc-1": False, "eegz-mc-2": True}
"""Models, and whether each channel of what they code is made of all components."""
TARGETS = (50.0, 35.0, 20.0, 9.0, 5.0)
DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)


def show(name: str, channels: int, path: Path, work: Path) -> None:
    """Print the rows of a recording, one a model: bytes of tokens over bytes of layers for each target.

    '-' stands where no depth is enough for every channel.
    """
    coded = work / "coded.eegz"
    layers = []
    for target in TARGETS:
        eegzip.compress(path, coded, max_prd=target, overwrite=True)
        layers.append(sum(size for size, _ in stored(coded).values()))
    for model, mixed in MODELS.items():
        by_depth = []
        for depth in DEPTHS:
            eegzip.compress(path, coded, model=model, codebooks=depth, overwrite=True)
            by_depth.append(stored(coded))
        tokens = [smallest(by_depth, target, mixed=mixed) for target in TARGETS]
        cells = ["-" if size == inf else f"{size / whole:.2f}" for size, whole in zip(tokens, layers, strict=True)]
        print(f"| {name} | {channels} | {model} | {' | '.join(cells)} |", flush=True)


def smallest(by_depth: list[dict[int, tuple[float, float]]], target: float, *, mixed: bool) -> float:
    """Bytes of tokens with which every channel is within a target; infinite where no depth is enough."""
    if mixed:
        enough = (found for found in by_depth if all(prd <= target for _, prd in found.values()))
        return sum(size for size, _ in next(enough, {0: (inf, 0.0)}).values())
    return sum(next((found[i][0] for found in by_depth if found[i][1] <= target), inf) for i in by_depth[0])


def stored(coded: Path) -> dict[int, tuple[float, float]]:
    """Bytes and PRD of each signal that is not kept exactly."""
    with EegzReader(coded) as reader:
        if reader.summary is None:
            raise SystemExit("the file has no summary")
        return {
            index: (entry.stored_bytes, entry.prd or 0.0)
            for index, (signal, entry) in enumerate(zip(reader.header.signals, reader.summary.signals, strict=True))
            if signal.coding in ("tokens", "layers")
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Bytes of tokens over bytes of layers that meet the same target.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--channels", type=int, default=2, help="single channels tried of each recording (2)")
    options = parser.parse_args()
    print(f"| recording | channels | model | {' | '.join(f'{target:g} %' for target in TARGETS)} |")
    print(f"| --- | --: | --- |{' --: |' * len(TARGETS)}")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for group, source in unseen_recordings(options.data, 1, scratch, options.sets):
            whole = cut(source, scratch, seconds=options.seconds)
            report = eegzip.compress(whole, scratch / "all.eegz", overwrite=True)
            labels = [signal.label for signal in report.signals if signal.coding == "tokens"]
            show(group, len(labels), whole, scratch)
            for label in labels[:: max(len(labels) // options.channels, 1)][: options.channels]:
                single = scratch / "single.edf"
                eegzip.compress(whole, scratch / "all.eegz", lossless=True, overwrite=True)
                eegzip.decompress(scratch / "all.eegz", single, channels=[label], overwrite=True)
                show(f"{group}, {label}", 1, single, scratch)


if __name__ == "__main__":
    # descript-audio-codec predates torch's deprecation of weight_norm.
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    main()
