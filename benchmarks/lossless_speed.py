"""Speed of lossless compression and of restoring, from file to file, level by level, of a long recording.

Usage: ``python benchmarks/lossless_speed.py [--minutes 30] [--levels 1 2 6]``

The recording is that of speed.py: 21 channels at 256 Hz, real EEG mixed anew each minute. What comes back is compared
with it byte by byte. Seconds on the clock mean something on an idle machine only; processor seconds, of all threads,
do on any. From these follows how fast two cores are with nothing else to do: what the first thread does alone, and half
of the rest. Results go to benchmarks/results/lossless_speed.md.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from synthetic import write_recording

import eegzip

ROOT = Path(__file__).parents[1]


def measured(task: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds of a task on the clock, of the processor, and of the processor in this thread."""
    clock, processor, thread = time.perf_counter(), time.process_time(), time.thread_time()
    task()
    return time.perf_counter() - clock, time.process_time() - processor, time.thread_time() - thread


def main() -> None:
    """Measure, print, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--levels", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--repeat", type=int, default=3, help="the run with the fewest processor seconds counts")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Speed of lossless compression",
        "",
        f"{arguments.minutes:g} min of 21 channels at 256 Hz, from file to file; command:",
        f"`python benchmarks/lossless_speed.py`; {platform.machine()}, {os.cpu_count()} cores, load when it began",
        f"{os.getloadavg()[0]:.0f}. Seconds; x: times as fast as recorded, on two idle cores, as follows from those of",
        "the processor (of the first thread alone, and half of the others').",
        "",
        "| level | ratio | compress: clock | processor | x | restore: clock | processor | x |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory() as name:
        source, packed, back = (Path(name) / file for file in ("source.edf", "packed.eegz", "back.edf"))
        write_recording(source, 60 * arguments.minutes)
        for level in arguments.levels:
            small = source.with_name("small.edf")
            write_recording(small, 10)
            eegzip.compress(small, packed, lossless=True, level=level, overwrite=True)
            eegzip.decompress(packed, back, overwrite=True)
            row = []
            for task in (
                lambda level=level: eegzip.compress(source, packed, lossless=True, level=level, overwrite=True),
                lambda: eegzip.decompress(packed, back, overwrite=True),
            ):
                runs = [measured(task) for _ in range(arguments.repeat)]
                clock, processor, thread = min(runs, key=lambda run: run[1])
                times = 60 * arguments.minutes / (thread + (processor - thread) / 2)
                row += [f"{clock:.2f}", f"{processor:.2f}", f"{times:.0f}"]
            if not filecmp.cmp(source, back, shallow=False):
                raise SystemExit(f"level {level}: the recording does not come back")
            ratio = source.stat().st_size / packed.stat().st_size
            lines.append(f"| -{level} | {ratio:.3f} | {' | '.join(row)} |")
            print(lines[-1], flush=True)
            (arguments.out / "lossless_speed.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
