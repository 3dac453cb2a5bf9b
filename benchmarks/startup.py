"""How long short commands take: a recording of ten seconds, warm and right after an installation, beside other coders.

Usage: ``python benchmarks/startup.py [--repeat 7] [--package FOLDER] [--json FILE]``

Warm: the commands of this environment, each in a process of its own, in turns with ``xz``, ``gzip``, ``bzip2``,
``zstd`` and ``flac`` where they are installed, on the same file. First calls: of a package as a wheel has it, compiled
ahead, copied afresh for each command, by a user without a home; and of the same without what was compiled ahead.
``--package`` names a folder that ``python setup.py build_py --build-lib FOLDER`` made; by default that is done here and
timed. Seconds are elapsed time, and processor time in brackets: on a busy machine the latter says more.
"""

from __future__ import annotations

import argparse
import json
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
from typing import Any, NamedTuple

import eegzip

ROOT = Path(__file__).resolve().parents[1]
RECORDING = ROOT / "tests" / "data" / "eegmat" / "Subject16_rest_70s.edf"
SECONDS = 10
LIMITS = {
    "compress": 1.5, "decompress": 0.8, "compress --lossless": 0.8, "decompress (lossless)": 0.8,
}  # fmt: skip
"""What the project asks of itself."""
FIRST_LIMIT = 5.0


class Taken(NamedTuple):
    """Seconds of one run."""

    elapsed: float
    processor: float


def run(words: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> Taken:
    """Time a command in a process of its own, one that keeps what Python compiles, as an installation has it."""
    environment = {k: v for k, v in (environment or os.environ).items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, capture_output=True, check=False, env=environment, cwd=folder)
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr[-500:].decode(errors='replace')}")
    return Taken(elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def commands(folder: Path) -> dict[str, list[str]]:
    """Arguments of eegzip, by what each line is called."""
    edf, tokens, exact, back = (str(folder / name) for name in ("in.edf", "t.eegz", "x.eegz", "back.edf"))
    return {
        "compress": ["compress", "-qf", edf, tokens],
        "decompress": ["decompress", "-qf", tokens, back],
        "compress --lossless": ["compress", "-qf", "--lossless", edf, exact],
        "decompress (lossless)": ["decompress", "-qf", exact, back],
        "compress --max-prd 9": ["compress", "-qf", "--max-prd", "9", edf, str(folder / "b.eegz")],
        "compress --model eegz-sc-2 -k 8": ["compress", "-qf", "--model", "eegz-sc-2", "-k", "8", edf, tokens + "2"],
        "verify": ["verify", "-q", exact],
        "info": ["info", exact],
        "--help": ["--help"],
    }


def rivals(folder: Path) -> dict[str, list[str]]:
    """Other coders as commands, those that are here."""
    edf = str(folder / "in.edf")
    known = {
        "xz": ["xz", "-kf", edf],
        "xz -d": ["xz", "-dkfc", edf + ".xz"],
        "gzip": ["gzip", "-kf", edf],
        "bzip2": ["bzip2", "-kf", edf],
        "zstd -19": ["zstd", "-19", "-qkf", edf],
        "flac -8": [
            "flac", "-8", "-sf", "--force-raw-format", "--endian=little", "--sign=signed", "--channels=1", "--bps=16",
            "--sample-rate=500", edf, "-o", str(folder / "in.flac"),
        ],
    }  # fmt: skip
    return {name: words for name, words in known.items() if shutil.which(words[0])}


def warm(folder: Path, repeat: int) -> dict[str, list[Taken]]:
    """All commands in turns, after one round that does not count."""
    tasks = {name: [sys.executable, "-m", "eegzip", *words] for name, words in commands(folder).items()}
    tasks |= {"(python and numpy)": [sys.executable, "-c", "import numpy"]}
    tasks |= {"(python and numba)": [sys.executable, "-c", "import numba"]}
    tasks |= rivals(folder)
    taken: dict[str, list[Taken]] = {name: [] for name in tasks}
    for number in range(repeat + 1):
        for name, words in tasks.items():
            found = run(words)
            if number:
                taken[name].append(found)
    return taken


def first(folder: Path, package: Path, *, ahead: bool) -> dict[str, Taken]:
    """First calls of a package that nobody called before."""
    taken = {}
    for name in ("compress --lossless", "decompress (lossless)", "compress", "decompress"):
        installed = folder / "installed"
        shutil.copytree(package, installed, ignore=None if ahead else shutil.ignore_patterns("compiled"))
        environment = {
            **os.environ, "PYTHONPATH": str(installed), "HOME": os.devnull, "XDG_CACHE_HOME": os.devnull,
        }  # fmt: skip
        taken[name] = run([sys.executable, "-m", "eegzip", *commands(folder)[name]], environment, folder)
        shutil.rmtree(installed)
    return taken


def built(folder: Path) -> tuple[Path, Taken]:
    """The package as a wheel has it, and what making it takes."""
    target = folder / "built"
    return target, run([sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(target)], folder=ROOT)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        eegzip.compress(RECORDING, folder / "whole.eegz", lossless=True)
        eegzip.decompress(folder / "whole.eegz", folder / "in.edf", start=30, stop=30 + SECONDS)
        print(f"{(folder / 'in.edf').stat().st_size} bytes, {SECONDS} s; {platform.machine()}, {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}\n")  # fmt: skip
        print("| warm, median | seconds | (processor) | wanted |\n| --- | --- | --- | --- |")
        for label, runs in warm(folder, options.repeat).items():
            elapsed, processor = (statistics.median(column) for column in zip(*runs, strict=True))
            rows[label] = [elapsed, processor]
            print(f"| `{label}` | {elapsed:.2f} | ({processor:.2f}) | {LIMITS.get(label, '')} |")
        package = options.package
        if package is None:
            package, cost = built(folder)
            rows["building"] = list(cost)
            print(f"\nCompiling ahead: {cost.elapsed:.0f} s ({cost.processor:.0f} s of processor time).")
        ahead, without = first(folder, package, ahead=True), first(folder, package, ahead=False)
        print("\n| first call | compiled ahead | (processor) | not | (processor) | wanted |\n" + "| --- " * 6 + "|")
        for label, found in ahead.items():
            other = without[label]
            rows[f"first {label}"] = [*found, *other]
            print(f"| `{label}` | {found.elapsed:.2f} | ({found.processor:.2f}) | {other.elapsed:.1f} | "
                  f"({other.processor:.1f}) | {FIRST_LIMIT} |")  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
