"""Many files: two processes beside one, lossless, with each file read back and compared.

Usage: ``python benchmarks/many_files.py [--files 12] [--repeat 3] [--out benchmarks/results/many_files.md]``

Three ways take turns: one process on one core, one process on all cores (threads within the file), two processes. Each
run is an `eegzip archive` in a process of its own, from the start of Python to the end, on copies of the recording that
ships. How much two processes can gain at all is measured in the same rounds: an empty loop twice, in turn and
at once. Beside other work on the machine that is little, and then the figures are of the machine and not of eegzip.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECORDING = Path(__file__).resolve().parents[1] / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
WAYS = {"one process, one core": (1, 1), "one process, all cores": (1, None), "two processes": (2, None)}


def measured(folder: Path, store: Path, jobs: int, cores: int | None) -> tuple[float, float]:
    """Wall-clock and processor seconds of one run."""
    shutil.rmtree(store, ignore_errors=True)
    words = [sys.executable, "-m", "eegzip", "archive", str(folder), "-o", str(store), "-j", str(jobs), "-q"]
    if cores is not None:
        allowed = sorted(os.sched_getaffinity(0))[:cores]
        words = ["taskset", "-c", ",".join(map(str, allowed)), *words]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def gain_of_the_machine() -> float:
    """How many times faster two empty loops are at once than one after the other."""
    words = [sys.executable, "-c", "x = 0\nfor i in range(20_000_000): x += i"]
    started = time.perf_counter()
    for _ in range(2):
        subprocess.run(words, check=True)
    apart = time.perf_counter() - started
    started = time.perf_counter()
    for process in [subprocess.Popen(words) for _ in range(2)]:
        process.wait()
    return apart / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    gains: list[float] = []
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        for number in range(options.files):
            shutil.copy(RECORDING, folder / f"{number:03d}.edf")
        for number in range(options.repeat + 1):
            for name, way in WAYS.items():
                figures = measured(folder, Path(place) / "out", *way)
                if number:  # the first round compiles
                    found[name].append(figures)
                    loads.append(os.getloadavg()[0])
            gains.append(gain_of_the_machine())
    first = statistics.median(wall for wall, _ in found["one process, one core"])
    what = (
        f"{options.files} files of {RECORDING.stat().st_size / 1e6:.1f} MB, medians of {options.repeat} rounds; "
        f"{platform.machine()}, {os.cpu_count()} cores, load {min(loads):.1f} to {max(loads):.1f} (own work included)"
    )
    lines = [
        what,
        "",
        "| way | seconds (each round) | times one | processor seconds |",
        "| --- | --- | --- | --- |",
    ]
    for name, runs in found.items():
        walls = [wall for wall, _ in runs]
        median = statistics.median(walls)
        rounds = ", ".join(f"{wall:.1f}" for wall in walls)
        cpu = statistics.median(cpu for _, cpu in runs)
        lines.append(f"| {name} | {median:.1f} ({rounds}) | {first / median:.2f} | {cpu:.1f} |")
    each = ", ".join(f"{gain:.2f}" for gain in gains)
    lines += ["", f"Two empty loops at once, times one after the other, in the same rounds: {each}."]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(f"# Two processes beside one\n\n`python benchmarks/many_files.py`\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
