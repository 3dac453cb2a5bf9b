"""What ``--bitrate`` gains over whole codebooks at the same bytes of tokens, on people that no training saw.

Usage: ``python benchmarks/bitrate.py --model DIR [--data ../shared/data/eeg]``

The shortest recording of each set, with a model that has a prior: first with some codebooks of every frame, then aimed
at the bits that these took. Errors are the root of the mean squared PRD of all channels coded lossily.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from unseen import HELD_OUT, is_held_out

import eegzip

ROOT = Path(__file__).parents[1]


def coded(path: Path, target: Path, model: str, **options: float) -> tuple[float, float, float]:
    """Bits of tokens a second and channel, PRD, and seconds that it took."""
    began = time.monotonic()
    report = eegzip.compress(path, target, model=model, overwrite=True, **options)  # type: ignore[arg-type]
    signals = [signal for signal in report.signals if signal.coding == "tokens"]
    prd = float(np.sqrt(np.mean([signal.prd**2 for signal in signals if signal.prd is not None])))
    return 8 * report.token_bytes / len(signals) / (report.duration or 1.0), prd, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/eeg")
    parser.add_argument("--model", required=True, help="name or folder of a model with a prior")
    parser.add_argument("--codebooks", type=int, nargs="+", default=[3, 6])
    arguments = parser.parse_args()
    print("| set | codebooks | bit/s | PRD | bit/s, aimed | PRD, aimed | times the time |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "tokens.eegz"
        for group in (group for group in HELD_OUT if HELD_OUT[group]):
            held_out = [path for path in (arguments.data / group).glob("*.edf") if is_held_out(group, path.stem)]
            path = min(sorted(held_out), key=lambda path: path.stat().st_size)
            for codebooks in arguments.codebooks:
                rate, prd, plain = coded(path, target, arguments.model, codebooks=codebooks)
                aimed, better, seconds = coded(path, target, arguments.model, bitrate=rate)
                figures = f"{rate:.1f} | {prd:.2f} | {aimed:.1f} | {better:.2f} | {seconds / plain:.1f}"
                print(f"| {group} | {codebooks} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
