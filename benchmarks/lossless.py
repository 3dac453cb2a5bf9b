"""Bytes and speed of exact compression at all levels, beside FLAC, WavPack, xz, zstd, bz2 and MEF3's RED, in one run.

Usage: ``python benchmarks/lossless.py [--data ../shared/data/eeg] [--per-set 0] [--sets eegmat vep] [--levels 1 6 9]``

Ours is the whole ``.eegz`` file that ``eegzip.compress(..., lossless=True, level=...)`` makes, with header,
annotations, checksums and index; it is decompressed and compared with the original byte by byte. The others get bare
samples, without EDF header and annotations, which flatters them a little:

- FLAC ``-8 --no-padding --no-seektable``, each channel alone and in groups of 8, its maximum; the smaller counts;
- WavPack ``-hh -x4``, all channels in one file;
- ``xz -9``, ``zstd -19`` and ``bz2 -9`` over the samples channel by channel, and as in the file; the smaller counts;
- MEF3's RED by pymef: the data files, a block a minute.

What is not installed is left out, and the report says so. Saved is 1 - ours / the smallest of the others, at the
ordinary level. Speeds are of whole recordings from file to file, after a first call that compiled, in processor
seconds of all threads and children, as these don't depend on what else the machine does; "x" is how much faster than
21 channels at 256 Hz come in on one core (samples / s / 5376). FLAC counts with the faster of its two ways. Results
go to NAME.csv, a line a recording, NAME.md and NAME.png in benchmarks/results (--name, lossless), all written as the
run goes on; recordings of the sets take turns.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import filecmp
import itertools
import lzma
import os
import shutil
import statistics
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import eegzip
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals, decode_signal

try:
    from pymef.mef_session import MefSession
except ImportError:
    MefSession = None

ROOT = Path(__file__).parents[1]
SETS = ("adhd", "eegmat", "neonatal", "ssvep_exo", "vep")
RIVALS = ("flac", "wavpack", "xz", "zstd", "bz2", "red")
ORDINARY = 6
LEVELS = tuple(range(1, 10))
OURS = [f"level_{level}" for level in LEVELS]
COLUMNS = ["set", "recording", "channels", "rate", "samples", "original", *OURS, *RIVALS, "best", "saved",
           *[f"{ours}_{way}_s" for ours in OURS for way in ("compress", "decompress")],
           *[f"{rival}_s" for rival in RIVALS]]  # fmt: skip
REAL_TIME = 21 * 256


def processor_seconds() -> float:
    """What this process and its children have used so far."""
    return sum(os.times()[:4])


def samples_of(path: Path) -> tuple[list[np.ndarray], int]:
    """Samples of all signals but annotations, signals of one rate together as [signals, n], and the highest rate."""
    with EdfFile.open(path) as file:
        block = file.read_records(0, file.n_records)
        kinds = classify_signals(file.header)
        by_length: dict[int, list[np.ndarray]] = {}
        rate = 0.0
        for index, kind in enumerate(kinds):
            values = decode_signal(block, file.header, index).reshape(-1)
            if kind is not SignalKind.ANNOTATIONS and len(values):
                by_length.setdefault(len(values), []).append(values)
                rate = max(rate, float(file.header.sample_rate_exact(index) or 0))
        return [np.stack(rows) for rows in by_length.values()], round(rate)


def write_wav(path: Path, values: np.ndarray, rate: int) -> None:
    """Write 16-bit samples [channels, n] as a WAV file, 24-bit where they need it."""
    width = 2 if np.abs(values.astype(np.int64) + 0.5).max() < 1 << 15 else 3
    channels = len(values)
    data = np.ascontiguousarray(values.T.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * width, channels * width, 8 * width)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
    path.write_bytes(head + b"data" + struct.pack("<I", len(data)) + data)


def by_program(command: list[str], groups: list[np.ndarray], rate: int, scratch: Path) -> int:
    """Total size of what a program makes of a WAV file of each group."""
    total = 0
    for group in groups:
        write_wav(scratch / "in.wav", group, rate)
        target = scratch / "out.wv"  # WavPack insists on the ending
        subprocess.run([*command, str(scratch / "in.wav"), "-o", str(target)], check=True, capture_output=True)
        total += target.stat().st_size
    return total


def flac(parts: list[np.ndarray], rate: int, scratch: Path) -> int:
    command = ["flac", "-8", "--no-padding", "--no-seektable", "--lax", "--channel-map=none", "-s", "-f"]
    alone = [part[i : i + 1] for part in parts for i in range(len(part))]
    return by_program(command, alone, rate, scratch)


def flac_of_eight(parts: list[np.ndarray], rate: int, scratch: Path) -> int:
    command = ["flac", "-8", "--no-padding", "--no-seektable", "--lax", "--channel-map=none", "-s", "-f"]
    eights = [part[i : i + 8] for part in parts for i in range(0, len(part), 8)]
    return by_program(command, eights, rate, scratch)


def wavpack(parts: list[np.ndarray], rate: int, scratch: Path) -> int:
    return by_program(["wavpack", "-hh", "-x4", "-q", "-y"], parts, rate, scratch)


def packed(pack: Callable[[bytes], bytes], parts: list[np.ndarray]) -> int:
    """Smaller of the sizes over samples channel by channel and over samples as they come in."""
    total = 0
    for part in parts:
        kind = "<i2" if np.abs(part.astype(np.int64) + 0.5).max() < 1 << 15 else "<i4"
        total += min(len(pack(part.astype(kind).tobytes())), len(pack(part.T.astype(kind).tobytes())))
    return total


def red(parts: list[np.ndarray], rate: int, scratch: Path) -> int:
    """Size of the data files of a MEF3 session."""
    folder = scratch / "red.mefd"
    shutil.rmtree(folder, ignore_errors=True)
    session = MefSession(f"{folder}/", None, read_metadata=False, new_session=True)
    for number, values in enumerate(values for part in parts for values in part):
        channel, span = f"c{number}", round(len(values) / rate * 1e6)
        about = {"channel_description": "", "session_description": "", "recording_duration": span,
                 "reference_description": "", "acquisition_channel_number": number + 1, "sampling_frequency": rate,
                 "notch_filter_frequency_setting": 0.0, "low_frequency_filter_setting": 0.0,
                 "high_frequency_filter_setting": 0.0, "AC_line_frequency": 0.0, "units_conversion_factor": 1.0,
                 "units_description": "uV", "maximum_native_sample_value": 0.0, "minimum_native_sample_value": 0.0,
                 "start_sample": 0, "number_of_blocks": 0, "maximum_block_bytes": 0, "maximum_block_samples": 0,
                 "maximum_difference_bytes": 0, "block_interval": 0, "number_of_discontinuities": 1,
                 "maximum_contiguous_blocks": 0, "maximum_contiguous_block_bytes": 0,
                 "maximum_contiguous_samples": 0, "number_of_samples": len(values)}  # fmt: skip
        person = {"recording_time_offset": 0, "DST_start_time": 0, "DST_end_time": 0, "GMT_offset": 0,
                  "subject_name_1": "", "subject_name_2": "", "subject_ID": "", "recording_location": ""}  # fmt: skip
        session.write_mef_ts_segment_metadata(channel, 0, None, None, 10**15, 10**15 + span, about, person)
        session.write_mef_ts_segment_data(channel, 0, None, None, 60 * rate, values.astype(np.int32))
    session.close()
    return sum(path.stat().st_size for path in folder.rglob("*.tdat"))


def rivals_here() -> dict[str, Callable[[list[np.ndarray], int, Path], int]]:
    found: dict[str, Callable[[list[np.ndarray], int, Path], int]] = {
        "xz": lambda parts, *_: packed(lambda data: lzma.compress(data, preset=9), parts),
        "zstd": lambda parts, *_: packed(zstandard.ZstdCompressor(level=19).compress, parts),
        "bz2": lambda parts, *_: packed(bz2.compress, parts),
    }
    if shutil.which("flac"):
        found["flac"] = flac
    if shutil.which("wavpack"):
        found["wavpack"] = wavpack
    if MefSession is not None:
        found["red"] = red
    return found


def measure(group: str, path: Path, levels: Sequence[int], scratch: Path) -> dict[str, Any]:
    """Compress one recording in every way; return its row."""
    parts, rate = samples_of(path)
    row: dict[str, Any] = {
        "set": group, "recording": path.stem, "channels": sum(map(len, parts)), "rate": rate,
        "samples": sum(part.size for part in parts), "original": path.stat().st_size,
    }  # fmt: skip
    coded, back = scratch / "coded.eegz", scratch / f"back{path.suffix}"
    for level in levels:
        started = processor_seconds()
        eegzip.compress(path, coded, lossless=True, level=level, overwrite=True)
        row[f"level_{level}_compress_s"] = processor_seconds() - started
        row[f"level_{level}"] = coded.stat().st_size
        started = processor_seconds()
        eegzip.decompress(coded, back, overwrite=True)
        row[f"level_{level}_decompress_s"] = processor_seconds() - started
        if not filecmp.cmp(path, back, shallow=False):
            raise SystemExit(f"{path} does not come back at level {level}")
    for name, code in rivals_here().items():
        started = processor_seconds()
        row[name] = code(parts, rate, scratch)
        row[f"{name}_s"] = processor_seconds() - started
    if "flac" in row:
        started = processor_seconds()
        other = flac_of_eight(parts, rate, scratch)
        row["flac"], row["flac_s"] = min(row["flac"], other), min(row["flac_s"], processor_seconds() - started)
    sizes = {name: row[name] for name in RIVALS if name in row}
    row["best"] = min(sizes, key=lambda name: sizes[name])
    row["saved"] = 1 - row[f"level_{ORDINARY}"] / sizes[row["best"]]
    return row


Rows = list[dict[str, Any]]


def bits(rows: Rows, name: str) -> float:
    """Bits a sample, the median over recordings."""
    return statistics.median(8 * row[name] / row["samples"] for row in rows)


def speed(rows: Rows, name: str) -> float:
    """How many times as fast as recorded one core is."""
    seconds = sum(row[name] for row in rows)
    return sum(row["samples"] for row in rows) / max(seconds, 1e-9) / REAL_TIME


def change(rows: Rows, name: str, other: str) -> float:
    """By how many percent one way is larger than another, the median over recordings."""
    return statistics.median(100 * row[name] / row[other] - 100 for row in rows)


def by_set(rows: Rows) -> list[tuple[str, Rows]]:
    """Recordings of each set, those of all but EEGMAT, and all."""
    parts = [(name, [row for row in rows if row["set"] == name]) for name in SETS]
    parts += [("all but eegmat", [row for row in rows if row["set"] != "eegmat"]), ("all", rows)]
    return [(name, part) for name, part in parts if part]


def table(rows: Rows, levels: Sequence[int], picture: str) -> list[str]:
    """Lines of the report: medians and the worst of each set, then of all; then the levels."""
    here = [name for name in RIVALS if any(name in row for row in rows)]
    missing = [name for name in RIVALS if name not in here]
    ordinary = f"level_{ORDINARY}"
    lines = [
        "# Exact compression",
        "",
        "Bits a sample, medians over recordings; command: `python benchmarks/lossless.py`. Speeds: times as fast as 21",
        f"channels at 256 Hz come in, on one core, in processor seconds; load when it ended: {os.getloadavg()[0]:.0f}.",
        "",
    ]
    if missing:
        lines += [f"Not installed here, so not compared: {', '.join(missing)}.", ""]
    lines += [
        f"| set | recordings | eegzip | {' | '.join(here)} | saved: median | least | compress, x | decompress, x |",
        f"| --- | --- | --- | {' | '.join('---' for _ in here)} | --- | --- | --- | --- |",
    ]
    for name, part in by_set(rows):
        saved = [100 * row["saved"] for row in part]
        sizes = " | ".join(f"{bits(part, key):.2f}" for key in (ordinary, *here))
        lines.append(
            f"| {name} | {len(part)} | {sizes} | {statistics.median(saved):.1f} % | {min(saved):.1f} % "
            f"| {speed(part, f'{ordinary}_compress_s'):.0f} | {speed(part, f'{ordinary}_decompress_s'):.0f} |"
        )
    below = [f"{row['set']}/{row['recording']} ({100 * row['saved']:.1f} %)" for row in rows if row["saved"] < 0.05]
    lines += ["", f"Recordings with less than 5 % saved: {', '.join(below) or 'none'}.", "", "## Levels", ""]
    names = [name for name, _ in by_set(rows)]
    lines += [
        "Bytes against the ordinary level in percent, medians over recordings; then the median of the sets' medians,",
        "and the same against FLAC -8.",
        "",
        f"| | {' | '.join(names)} | median of sets | against FLAC | compress, x | decompress, x |",
        f"| --- | {' | '.join('---' for _ in names)} | --- | --- | --- | --- |",
    ]
    sets = [part for name, part in by_set(rows) if name in SETS]
    for level in levels:
        ours = f"level_{level}"
        each = " | ".join(f"{change(part, ours, ordinary):+.1f}" for _, part in by_set(rows))
        middle = statistics.median(change(part, ours, ordinary) for part in sets)
        flac = statistics.median(change(part, ours, "flac") for part in sets) if "flac" in here else float("nan")
        lines.append(
            f"| -{level} | {each} | {middle:+.1f} | {flac:+.1f} "
            f"| {speed(rows, f'{ours}_compress_s'):.0f} | {speed(rows, f'{ours}_decompress_s'):.0f} |"
        )
    for name in here:
        each = " | ".join(f"{change(part, name, ordinary):+.1f}" for _, part in by_set(rows))
        middle = statistics.median(change(part, name, ordinary) for part in sets)
        flac = statistics.median(change(part, name, "flac") for part in sets) if "flac" in here else float("nan")
        lines.append(f"| {name} | {each} | {middle:+.1f} | {flac:+.1f} | {speed(rows, f'{name}_s'):.0f} | |")
    return [*lines, "", f"![Bits a sample over speed, a panel a set]({picture})", ""]


def draw(rows: Rows, levels: Sequence[int], target: Path) -> None:
    """Bits a sample over speed of compressing, a panel a set."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    parts = [(name, part) for name, part in by_set(rows) if name in SETS]
    figure, axes = plt.subplots(1, len(parts), figsize=(3.3 * len(parts), 3.9), squeeze=False, layout="constrained")
    for axis, (name, part) in zip(axes[0], parts, strict=True):
        x = [speed(part, f"level_{level}_compress_s") for level in levels]
        y = [bits(part, f"level_{level}") for level in levels]
        axis.plot(x, y, "o-", color="tab:blue", markersize=4, label="eegzip")
        for level, across, up in zip(levels, x, y, strict=True):
            if level in (levels[0], ORDINARY, levels[-1]):
                axis.annotate(f"-{level}", (across, up), textcoords="offset points", xytext=(0, 6), ha="center")
        for rival in RIVALS:
            if rival in part[0]:
                across, up = speed(part, f"{rival}_s"), bits(part, rival)
                axis.plot(across, up, "x", color="tab:red")
                axis.annotate(rival, (across, up), textcoords="offset points", xytext=(4, 4), fontsize=8)
        axis.set_xscale("log")
        axis.set_title(f"{name} ({len(part)})", fontsize=10)
        axis.set_xlabel("x real time, one core")
        axis.margins(0.15)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("bits a sample")
    figure.savefig(target, dpi=110)
    plt.close(figure)


def in_turns(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Recordings, one of each set after the other."""
    chosen = []
    for group in arguments.sets:
        files = sorted((arguments.data / group).glob("*.[eb]df"))
        step = max(len(files) // arguments.per_set, 1) if arguments.per_set else 1
        chosen.append([(group, path) for path in files[::step][: arguments.per_set or None]])
    for row in itertools.zip_longest(*chosen):
        yield from (found for found in row if found is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/eeg")
    parser.add_argument("--per-set", type=int, default=0, help="recordings of each set, spread over it; 0: all")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--levels", nargs="+", type=int, default=list(LEVELS), help="the ordinary one, 6, is added")
    parser.add_argument("--name", default="lossless", help="of the results")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    levels = sorted({*arguments.levels, ORDINARY})
    rows: Rows = []
    report, picture, sheet = (arguments.out / f"{arguments.name}.{end}" for end in ("md", "png", "csv"))
    warm = ROOT / "examples/data/eegmat_subject18_arithmetic.edf"
    with (
        tempfile.TemporaryDirectory() as folder,
        sheet.open("w", newline="") as file,
    ):
        for level in (1, ORDINARY):
            eegzip.compress(warm, Path(folder) / "warm.eegz", lossless=True, level=level, overwrite=True)
            eegzip.decompress(Path(folder) / "warm.eegz", Path(folder) / "warm.edf", overwrite=True)
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for group, path in in_turns(arguments):
            row = measure(group, path, levels, Path(folder))
            rows.append(row)
            writer.writerow({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
            file.flush()
            print(f"{group}/{path.stem}: {[row[f'level_{level}'] for level in levels]} bytes, "
                  f"{row['best']} {row[row['best']]}, saved {100 * row['saved']:.1f} %", flush=True)  # fmt: skip
            lines = table(rows, levels, picture.name)
            report.write_text("\n".join(lines))
            draw(rows, levels, picture)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
