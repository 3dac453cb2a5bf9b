"""What a sample costs in lossless mode, of few channels and of many: processor time and bytes.

Usage: ``python benchmarks/many_channels.py [--before CHECKOUT] [--out benchmarks/results]``

Recordings are mixtures of the real channels that ship in ``examples/data``, brought to the rate asked for, with an
amplifier's noise. Each is compressed and restored in a process of its own that has done both before, so that loading
and compiling are not counted, as processor time of all threads together. With ``--before`` the same is done with the
eegzip of another checkout, by turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from synthetic import real_minute

from eegzip.formats.edf import EdfWriter

ROOT = Path(__file__).parents[1]
CASES = ((21, 2048, 1), (512, 2048, 1), (21, 64, 4), (640, 64, 4))
"""Channels, Hz, seconds."""
_CODE = """
import json, sys, time
import eegzip
source, target, back = sys.argv[1:]
found = []
for turn in range(2):
    began = time.process_time()
    report = eegzip.compress(source, target, lossless=True, overwrite=True)
    coded = time.process_time()
    eegzip.decompress(target, back, overwrite=True)
    found = [coded - began, time.process_time() - coded, report.exact_bytes]
assert open(source, "rb").read() == open(back, "rb").read()
print(json.dumps(found))
"""


def write(path: Path, channels: int, rate: int, seconds: int) -> None:
    """Write a recording in records of a second, in steps of 0.1 uV."""
    rng = np.random.default_rng([channels, rate, seconds])
    real = real_minute()[:, : 256 * (seconds + 2)]
    mixed = resample_poly(rng.standard_normal((channels, len(real))) / 4 @ real, rate, 256, axis=1)
    values = mixed[:, rate : rate * (seconds + 1)] + 0.5 * rng.standard_normal((channels, rate * seconds))
    digits = np.clip(np.rint(10 * values), -32768, 32767).astype("<i2").reshape(channels, seconds, rate)
    head = f"{0:<8}{'X X X X':<80}{'Startdate X X X X':<80}01.01.8500.00.00{256 * (channels + 1):<8}{'':<44}"
    head += f"{seconds:<8}{1:<8}{channels:<4}"
    fields = (("EEG {}", 16), ("", 80), ("uV", 8), (-3276.8, 8), (3276.7, 8), (-32768, 8), (32767, 8), ("", 80))
    for value, width in (*fields, (rate, 8), ("", 32)):
        head += "".join(str(value).format(number + 1).ljust(width) for number in range(channels))
    with path.open("wb") as file:
        writer = EdfWriter(file)
        writer.write_header(head.encode())
        writer.write_records(np.ascontiguousarray(digits.transpose(1, 0, 2)).view(np.uint8).reshape(seconds, -1))


def measure(checkout: Path, source: Path, folder: Path) -> tuple[float, float, int]:
    """Seconds of compressing and of restoring, and bytes, with the eegzip of a checkout."""
    words = [sys.executable, "-c", _CODE, str(source), str(folder / "a.eegz"), str(folder / "back.edf")]
    done = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(checkout)}, cwd=folder, capture_output=True, check=True, text=True
    )
    compressing, restoring, size = json.loads(done.stdout)
    return compressing, restoring, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout to measure beside this one")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the quickest counts")
    parser.add_argument("--out", type=Path, help="folder for many_channels.md")
    arguments = parser.parse_args()
    checkouts = {"before": arguments.before} if arguments.before else {}
    checkouts["now"] = ROOT
    lines = ["# Lossless coding of many channels", "", __doc__.split("\n\n")[2].replace("\n", " "), ""]
    lines += ["| channels | Hz | s | version | us a sample, compressing | restoring | bits a sample |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    print("\n".join(lines), flush=True)
    for channels, rate, seconds in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder / "source.edf", channels, rate, seconds)
            rounds = {version: [] for version in checkouts}
            for _ in range(arguments.repeat):
                for version, checkout in checkouts.items():
                    rounds[version].append(measure(checkout.resolve(), folder / "source.edf", folder))
            for version, found in rounds.items():
                samples = channels * rate * seconds
                coding, restoring = (1e6 * min(row[place] for row in found) / samples for place in (0, 1))
                lines.append(
                    f"| {channels} | {rate} | {seconds} | {version} | {coding:.1f} | {restoring:.1f} | "
                    f"{8 * found[0][2] / samples:.3f} |"
                )
                print(lines[-1], flush=True)
    if arguments.out:
        (arguments.out / "many_channels.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
