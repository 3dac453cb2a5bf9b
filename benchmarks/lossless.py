"""Bytes and speed of exact compression, beside FLAC, WavPack, xz, zstd, bz2 and MEF3's RED, in the same run.

Usage: ``python benchmarks/lossless.py [--data ../shared/data/eeg] [--per-set 0] [--sets eegmat vep]``

Ours is the whole ``.eegz`` file that ``eegzip.compress(..., lossless=True)`` makes, with header, annotations,
checksums and index; it is decompressed and compared with the original byte by byte. The others get bare samples,
without EDF header and annotations, which flatters them a little:

- FLAC ``-8 --no-padding --no-seektable``, each channel alone and in groups of 8, its maximum; the smaller counts;
- WavPack ``-hh -x4``, all channels in one file;
- ``xz -9``, ``zstd -19`` and ``bz2 -9`` over the samples channel by channel, and as in the file; the smaller counts;
- MEF3's RED by pymef: the data files, a block a minute.

What is not installed is left out, and the report says so. Saved is 1 - ours / the smallest of the others. Speeds are
of whole recordings on the wall clock, after a first call that compiled; "x" is how much faster than 21 channels
at 256 Hz come in (samples / s / 5376). Results go to benchmarks/results/lossless.csv, a line a recording, and
lossless.md, both written as the run goes on.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import filecmp
import lzma
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
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
COLUMNS = ["set", "recording", "channels", "rate", "samples", "original", "eegzip", *RIVALS, "best", "saved",
           "eegzip_compress_s", "eegzip_decompress_s", *[f"{rival}_s" for rival in RIVALS]]  # fmt: skip
REAL_TIME = 21 * 256


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
    eights = [part[i : i + 8] for part in parts for i in range(0, len(part), 8)]
    return min(by_program(command, groups, rate, scratch) for groups in (alone, eights))


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


def measure(group: str, path: Path, scratch: Path) -> dict[str, Any]:
    """Compress one recording in every way; return its row."""
    parts, rate = samples_of(path)
    row: dict[str, Any] = {
        "set": group, "recording": path.stem, "channels": sum(map(len, parts)), "rate": rate,
        "samples": sum(part.size for part in parts), "original": path.stat().st_size,
    }  # fmt: skip
    coded, back = scratch / "coded.eegz", scratch / f"back{path.suffix}"
    started = time.perf_counter()
    eegzip.compress(path, coded, lossless=True, overwrite=True)
    row["eegzip_compress_s"] = time.perf_counter() - started
    row["eegzip"] = coded.stat().st_size
    started = time.perf_counter()
    eegzip.decompress(coded, back, overwrite=True)
    row["eegzip_decompress_s"] = time.perf_counter() - started
    if not filecmp.cmp(path, back, shallow=False):
        raise SystemExit(f"{path} does not come back")
    for name, code in rivals_here().items():
        started = time.perf_counter()
        row[name] = code(parts, rate, scratch)
        row[f"{name}_s"] = time.perf_counter() - started
    sizes = {name: row[name] for name in RIVALS if name in row}
    row["best"] = min(sizes, key=lambda name: sizes[name])
    row["saved"] = 1 - row["eegzip"] / sizes[row["best"]]
    return row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of the report: medians and the worst of each set, then of all."""
    here = [name for name in RIVALS if any(name in row for row in rows)]
    missing = [name for name in RIVALS if name not in here]
    lines = [
        "# Exact compression",
        "",
        "Bits a sample, medians over recordings; command: `python benchmarks/lossless.py`",
        "",
    ]
    if missing:
        lines += [f"Not installed here, so not compared: {', '.join(missing)}.", ""]
    lines += [
        f"| set | recordings | eegzip | {' | '.join(here)} | saved: median | least | compress, x | decompress, x |",
        f"| --- | --- | --- | {' | '.join('---' for _ in here)} | --- | --- | --- | --- |",
    ]
    sets = [name for name in SETS if any(row["set"] == name for row in rows)]
    for name, part in [(name, [row for row in rows if row["set"] == name]) for name in sets] + [
        ("all but eegmat", [row for row in rows if row["set"] != "eegmat"]),
        ("all", rows),
    ]:
        if not part:
            continue

        def middle(value: Callable[[dict[str, Any]], float], part: list[dict[str, Any]] = part) -> float:
            return statistics.median(value(row) for row in part)

        bits = [middle(lambda row, key=key: 8 * row[key] / row["samples"]) for key in ("eegzip", *here)]
        saved = [row["saved"] for row in part]
        speed = [
            sum(row["samples"] for row in part) / sum(row[key] for row in part) / REAL_TIME
            for key in ("eegzip_compress_s", "eegzip_decompress_s")
        ]
        least, median = 100 * min(saved), 100 * statistics.median(saved)
        lines.append(
            f"| {name} | {len(part)} | {' | '.join(f'{value:.2f}' for value in bits)} | {median:.1f} % "
            f"| {least:.1f} % | {speed[0]:.0f} | {speed[1]:.0f} |"
        )
    below = [f"{row['set']}/{row['recording']} ({100 * row['saved']:.1f} %)" for row in rows if row["saved"] < 0.05]
    lines += ["", f"Recordings with less than 5 % saved: {', '.join(below) or 'none'}.", ""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/eeg")
    parser.add_argument("--per-set", type=int, default=0, help="recordings of each set, spread over it; 0: all")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    warm = ROOT / "examples/data/eegmat_subject18_arithmetic.edf"
    with (
        tempfile.TemporaryDirectory() as folder,
        (arguments.out / "lossless.csv").open("w", newline="") as file,
    ):
        eegzip.compress(warm, Path(folder) / "warm.eegz", lossless=True)
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for group in arguments.sets:
            files = sorted((arguments.data / group).glob("*.[eb]df"))
            step = max(len(files) // arguments.per_set, 1) if arguments.per_set else 1
            for path in files[::step][: arguments.per_set or None]:
                row = measure(group, path, Path(folder))
                rows.append(row)
                writer.writerow(
                    {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
                )
                file.flush()
                print(f"{group}/{path.stem}: {row['eegzip']} bytes, {row['best']} {row[row['best']]}, "
                      f"saved {100 * row['saved']:.1f} %", flush=True)  # fmt: skip
                lines = table(rows)
                (arguments.out / "lossless.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
