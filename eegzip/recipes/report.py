"""Print what a model does to recordings of people that its training never saw, as a Markdown table.

``python -m eegzip.recipes.report --model DIR --data ../shared/data/eeg``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eegzip.codecs.checkpoints import registry
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.recipes import held_out
from eegzip.recipes.dataset import load


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=registry.DEFAULT_MODEL, help="name or folder of the model")
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of EDF files per set")
    parser.add_argument("--depths", type=int, nargs="+", help="numbers of codebooks; by default all of them")
    parser.add_argument("--excerpts", action="store_true", help="the middle 30 s, if coded alone some channels")
    options = parser.parse_args()
    checkpoint = registry.load(options.model)
    runtime = CodecRuntime(checkpoint)
    level = checkpoint.config.scaling
    scaling = AdaptiveScaling(level.spacing, level.level_rms, level.level_peak)
    aside = load(options.data, runtime.rate, scaling)[1]
    if options.excerpts:
        # A group needs all of its neighbours.
        aside = held_out.excerpts(aside, 8 if checkpoint.config.adapters is None else 0)
    depths = tuple(options.depths or range(1, runtime.n_codebooks + 1))
    found = held_out.evaluate(runtime, aside, depths)
    out = sys.stdout.write
    out(f"| codebooks | {' | '.join(found)} |\n")
    out("| --- " * (1 + len(found)) + "|\n")
    for depth in depths:
        cells = [
            f"{found[g][depth]['rate']:.0f}: {found[g][depth]['prd']:.1f} ({found[g][depth]['prd_p90']:.1f})"
            for g in found
        ]
        out(f"| {depth} | {' | '.join(cells)} |\n")
    out("\nBit/s per channel before entropy coding: PRD in percent, mean removed, median (90th percentile) over\n")
    out("recordings and channels.\n")


if __name__ == "__main__":
    main()
