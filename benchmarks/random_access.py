"""How long a few seconds of one channel take, out of an open file: eegzip beside pyedflib on the EDF file.

Usage: ``python benchmarks/random_access.py [--minutes 3] [--reads 40]``

A synthetic recording of 21 channels at 256 Hz (benchmarks/synthetic.py) is compressed in four ways. From each, 4 s of
one channel are read: first in a chunk that nothing was read from before, then at places all over that chunk, then
another channel there. Medians; milliseconds of processor time, as machines are busy.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
from synthetic import RATE, write_recording

import eegzip

WAYS: dict[str, dict[str, Any]] = {
    "tokens (eegz-mc-2)": {},
    "tokens (eegz-sc-1)": {"model": "eegz-sc-1"},
    "`--max-prd 9`": {"max_prd": 9},
    "`--lossless`": {"lossless": True, "chunk_seconds": 60},
}
SECONDS = 4
CHUNK = 60


def milliseconds(read: Any, *words: Any) -> float:
    """Processor time of a call."""
    started = time.process_time()
    read(*words)
    return 1000 * (time.process_time() - started)


def measured(path: Path, minutes: int, reads: int) -> list[float]:
    """Median of reads in new chunks, in the chunk of the read before, and of another channel there."""
    places = np.random.default_rng(1).uniform(0, CHUNK - SECONDS, reads)
    new, warm, other = [], [], []
    with eegzip.open(path) as recording:
        first, second = recording.channels[2:4]
        recording.read(first, 0, SECONDS)
        for chunk in range(1, minutes):
            new.append(milliseconds(recording.read, first, CHUNK * chunk, CHUNK * chunk + SECONDS))
            start = CHUNK * chunk
            warm += [milliseconds(recording.read, first, start + place, start + place + SECONDS) for place in places]
            other.append(milliseconds(recording.read, second, start, start + SECONDS))
    return [statistics.median(part) for part in (new, warm, other)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--reads", type=int, default=40)
    options = parser.parse_args()
    print("| 4 s of one of 21 channels, ms | new chunk | same chunk | another channel there |\n" + "| --- " * 4 + "|")
    with tempfile.TemporaryDirectory() as name:
        source, packed = Path(name) / "in.edf", Path(name) / "out.eegz"
        write_recording(source, options.minutes * 60)
        for label, how in WAYS.items():
            eegzip.compress(source, packed, overwrite=True, **how)
            row = measured(packed, options.minutes, options.reads)
            print(f"| {label} | " + " | ".join(f"{value:.1f}" for value in row) + " |", flush=True)
        with pyedflib.EdfReader(str(source)) as edf:
            starts = np.random.default_rng(1).integers(0, (options.minutes * 60 - SECONDS) * RATE, options.reads)
            taken = [milliseconds(edf.readSignal, 2, int(start), SECONDS * RATE) for start in starts]
        print(f"| EDF, pyedflib | {statistics.median(taken):.1f} | | |")


if __name__ == "__main__":
    main()
