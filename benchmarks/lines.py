"""What a tone beside the EEG (mains, a screen) costs: a sweep of its frequency and size, and the data sets as they are.

Usage: ``python benchmarks/lines.py [--full] [--sets eegmat vep] [--no-sets] [--out benchmarks/results]``

The sweep adds a tone to the recording that ships in ``examples/data`` (30 s, 10 channels, digits of 0.02 uV so that
nothing is clipped), at a multiple of each channel's size, compresses and restores it, and says how much of the EEG from
1 to 40 Hz is lost, over what is lost of the same file without the tone; and how far the tone that comes back is off.
*common*: the same tone in all channels. *own*: a size (0.3 to 1.7 times) and a phase for each channel. *drift*: own,
and its frequency wanders by 0.1 Hz within 40 s. *switched*: own, from the middle on.

"before" is the same code with the search for lines left out, which is what versions before 1.5 of the format did.
Results go to lines.csv, lines.md and lines.png.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl
import numpy as np
from scipy.signal import butter, sosfiltfilt
from unseen import DATA, ROOT, chosen_sets, cut, unseen_recordings

import eegzip
from eegzip.formats.edf import EdfFile
from eegzip.formats.edf.samples import encode_signal

mpl.use("Agg")
import matplotlib.pyplot as plt

EXAMPLE = ROOT / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
SECONDS, CHANNELS, DIGIT = 30, 10, 0.02
BAND = (1.0, 40.0)
FREQUENCIES = (10.0, 16.7, 31.0, 50.0, 57.3, 60.0, 85.0, 115.0)
SIZES = (0.3, 1.5, 5.0)
MODELS = ("eegz-mc-2", "eegz-sc-1", "dac-sc-compact-1")
SETTINGS: dict[str, dict[str, Any]] = {
    **{
        f"{model}{name}": {"model": model, **depth}
        for model in MODELS
        for name, depth in (("", {}), (" -k 8", {"codebooks": 8}))
    },
    "--max-prd 9": {"max_prd": 9},
}
COLUMNS = ["setting", "when", "kind", "hz", "size", "bytes", "prd", "ratio", "tone", "line_bits"]


@contextmanager
def before() -> Iterator[None]:
    """Without the search for lines."""
    with mock.patch("eegzip.encoding.plan.without_lines", lambda _file, statistics, _signals: (None, statistics)):
        yield


def example() -> tuple[np.ndarray, float]:
    """EEG of the shipped recording in uV, [channels, samples], and its sample rate."""
    with EdfFile.open(EXAMPLE) as file:
        header = file.header
        signals = [s for s in header.signals if s.label.startswith("EEG")][:CHANNELS]
        values = file.digital(0, SECONDS, [s.index for s in signals])
        units = np.array([s.microvolts_per_digit for s in signals], np.float64)
        return values * units[:, None], signals[0].samples_per_record / float(header.record_duration)


def tone(kind: str, hz: float, size: float, eeg: np.ndarray, rate: float) -> np.ndarray:
    """A tone for each channel, in uV."""
    random = np.random.default_rng(7)
    time = np.arange(eeg.shape[1]) / rate
    level = float(np.median(eeg.std(axis=1)))
    sizes, phases = np.full(len(eeg), level), np.full(len(eeg), 0.7)
    if kind != "common":
        sizes, phases = level * random.uniform(0.3, 1.7, len(eeg)), random.uniform(0, 2 * np.pi, len(eeg))
    turns = hz * time
    if kind == "drift":
        turns += 0.1 * 40 / (2 * np.pi) * np.sin(2 * np.pi * time / 40)
    waves = np.sqrt(2) * size * sizes[:, None] * np.cos(2 * np.pi * turns + phases[:, None])
    return waves * (time >= time[-1] / 2) if kind == "switched" else waves


def write(path: Path, microvolts: np.ndarray, rate: float) -> np.ndarray:
    """Write signals as EDF; return what it holds, in uV."""
    digital = np.rint(microvolts / DIGIT).astype(np.int64)
    limit = 1 << 15
    assert np.abs(digital).max() < limit, "the tone would be clipped"
    count = len(digital)
    with EdfFile.open(EXAMPLE) as file:
        labels = [s.label for s in file.header.signals if s.label.startswith("EEG")][:count]
    fixed = f"{'0':8}{'X X X X':80}{'Startdate X X X X':80}{'01.01.24'}{'00.00.00'}{256 * (count + 1):<8}{'':44}"
    columns = [
        (16, labels), (80, [""] * count), (8, ["uV"] * count), (8, [f"{-limit * DIGIT:g}"] * count),
        (8, [f"{(limit - 1) * DIGIT:g}"] * count), (8, [str(-limit)] * count), (8, [str(limit - 1)] * count),
        (80, [""] * count), (8, [str(round(rate))] * count), (32, [""] * count),
    ]  # fmt: skip
    seconds = digital.shape[1] // round(rate)
    header = fixed + f"{seconds:<8}{'1':8}{count:<4}" + "".join(f"{text:{w}}" for w, row in columns for text in row)
    records = digital.reshape(count, seconds, -1).transpose(1, 0, 2).reshape(seconds, -1)
    path.write_bytes(header.encode("ascii") + encode_signal(records, 2).tobytes())
    return digital * DIGIT


def restored(path: Path, folder: Path, **options: Any) -> tuple[eegzip.CompressionReport, np.ndarray, float]:
    """Compress and restore a file: the report, all signals that were coded lossily in uV, bit/s a channel of lines."""
    report = eegzip.compress(path, folder / "a.eegz", overwrite=True, **options)
    with eegzip.open(folder / "a.eegz") as recording:
        coded = [signal.label for signal in report.coded]
        info = recording.info
        values = recording.read(coded)
    return report, values, info["line_bits_per_second"] or 0.0


def lost(original: np.ndarray, back: np.ndarray, eeg: np.ndarray, rate: float) -> float:
    """Error from 1 to 40 Hz over the EEG there, in percent; the median channel."""
    sos = butter(4, (BAND[0], min(BAND[1], 0.45 * rate)), "bandpass", fs=rate, output="sos")
    error, clean = sosfiltfilt(sos, back - original), sosfiltfilt(sos, eeg)
    return float(np.median(100 * np.sqrt(np.square(error).sum(axis=1) / np.square(clean).sum(axis=1))))


def tone_error(wave: np.ndarray, original: np.ndarray, back: np.ndarray, eeg: np.ndarray) -> float:
    """What of the error is like the tone, in percent of it, in the worst channel."""
    # A tone and its quarter-turn, by the analytic signal.
    spectrum = np.fft.fft(wave, axis=1)
    spectrum[:, wave.shape[1] // 2 :] = 0
    analytic = np.fft.ifft(2 * spectrum, axis=1)
    off = np.abs(((back - original) * analytic.conj()).sum(axis=1)) * 2 / np.square(np.abs(analytic)).sum(axis=1)
    return float(100 * off.max()) if len(eeg) else 0.0


def sweep(frequencies: Sequence[float], sizes: Sequence[float], *, full: bool) -> list[dict[str, Any]]:
    """Every tone in every setting."""
    eeg, rate = example()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for setting, options in SETTINGS.items():
            path = folder / "recording.edf"
            clean = write(path, eeg, rate)
            report, back, _ = restored(path, folder, **options)
            plain = lost(clean, back, clean, rate)
            rows.append(
                {"setting": setting, "when": "after", "kind": "none", "bytes": report.compressed_bytes, "prd": plain}
            )
            first = setting == MODELS[0]
            cases = [("common", hz, size) for hz, size in itertools.product(frequencies, sizes)]
            if first or full:
                cases += [
                    (kind, hz, size)
                    for kind in ("own", "drift", "switched")
                    for hz in (50.0, 60.0, 57.3)
                    for size in sizes
                ]
            else:
                cases += [("own", 57.3, sizes[-1])]
            for kind, hz, size in cases:
                wave = tone(kind, hz, size, eeg, rate)
                original = write(path, eeg + wave, rate)
                for when in ("after", "before") if first and kind == "common" else ("after",):
                    with before() if when == "before" else mock.MagicMock():
                        report, back, bits = restored(path, folder, **options)
                    prd = lost(original, back, clean, rate)
                    row = {
                        "setting": setting, "when": when, "kind": kind, "hz": hz, "size": size,
                        "bytes": report.compressed_bytes, "prd": prd, "ratio": prd / plain,
                        "tone": tone_error(wave, original, back, eeg), "line_bits": bits,
                    }  # fmt: skip
                    rows.append(row)
                    print(
                        " ".join(
                            f"{row[name]:.4g}" if isinstance(row[name], float) else str(row[name]) for name in COLUMNS
                        ),
                        flush=True,
                    )
    return rows


def sets(names: Sequence[str], per_set: int) -> list[dict[str, Any]]:
    """Recordings that no model saw, with and without the search for lines."""
    rows = []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for group, source in unseen_recordings(DATA, per_set, folder, names):
            path = cut(source, folder, seconds=60)
            for name in (MODELS[0], f"{MODELS[0]} -k 8", "--max-prd 9"):
                found: dict[str, tuple[int, float, float, float]] = {}
                for when in ("before", "after"):
                    with before() if when == "before" else mock.MagicMock():
                        report, back, bits = restored(path, folder, **SETTINGS[name])
                    original, rate = _read(path, [signal.label for signal in report.coded])
                    prd = float(np.median([signal.prd for signal in report.coded if signal.prd is not None]))
                    found[when] = (report.compressed_bytes, prd, lost(original, back, original, rate), bits)
                rows.append({"set": group, "recording": source.stem, "setting": name, **found})
                print(rows[-1], flush=True)
    return rows


def _read(path: Path, labels: Sequence[str]) -> tuple[np.ndarray, float]:
    with EdfFile.open(path) as file:
        chosen = [signal for signal in file.header.signals if signal.label in labels]
        units = np.array(
            [[signal.microvolts_per_digit or 1.0, signal.gain or 1.0, signal.offset or 0.0] for signal in chosen]
        )
        values = file.digital(0, file.n_records, [signal.index for signal in chosen])
        offset = units[:, 2] * units[:, 0] / units[:, 1]
        return values * units[:, :1] + offset[:, None], chosen[0].samples_per_record / float(
            file.header.record_duration or 1
        )


def _table(heads: Sequence[str], texts: int, rows: Iterable[Sequence[object]]) -> list[str]:
    """Markdown; of the columns, the first `texts` hold words."""
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * texts + " --: |" * (len(heads) - texts)]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def tables(rows: Sequence[dict[str, Any]], of_sets: Sequence[dict[str, Any]]) -> str:
    """All results as Markdown."""
    lines = [
        "# A tone beside the EEG",
        "",
        "`python benchmarks/lines.py` wrote this page; it says what is measured.",
        "",
        f"The shipped recording, {SECONDS} s of {CHANNELS} channels, and a tone of 0.3 to 5 times the EEG's size at 10",
        "to 115 Hz. Ratio: what is lost of the EEG from 1 to 40 Hz over what is lost without the tone. Tone off: how",
        "far what comes back of it is off, in the worst channel. Bytes: over those of the file without the tone.",
        "",
        "![Ratio over the frequency, a panel a setting](lines.png)",
        "",
    ]
    heads = ["setting", "", "kind", "EEG lost without, %", "ratio, median", "worst", "where", "tone off, worst, %"]
    heads += ["bytes, worst", "lines, bit/s a channel, worst"]
    plain = {row["setting"]: row for row in rows if row["kind"] == "none"}
    found = []
    for key in dict.fromkeys((row["setting"], row["when"], row["kind"]) for row in rows if row["kind"] != "none"):
        chosen = [row for row in rows if (row["setting"], row["when"], row["kind"]) == key]
        worst = max(chosen, key=lambda row: row["ratio"])
        found.append(
            [
                *key,
                f"{plain[key[0]]['prd']:.1f}",
                f"{np.median([row['ratio'] for row in chosen]):.2f}",
                f"{worst['ratio']:.2f}",
                f"{worst['size']:g} x at {worst['hz']:g} Hz",
                f"{max(row['tone'] for row in chosen):.1f}",
                f"{max(row['bytes'] for row in chosen) / plain[key[0]]['bytes']:.2f}",
                f"{max(row['line_bits'] for row in chosen):.1f}",
            ]
        )
    lines += _table(heads, 3, found)
    if of_sets:
        lines += [
            "## Recordings as they are",
            "",
            "Of people whom no model saw, 60 s each, without the search for lines (before) and with it: bytes of the",
            "whole file, PRD as the file states it (mains included, if any), and EEG lost from 1 to 40 Hz. Where no",
            "line is found the file is the same to the byte.",
            "",
        ]
        heads = ["set", "recording", "setting", "bytes before", "after", "PRD before, %", "after"]
        heads += ["EEG lost before, %", "after", "lines, bit/s a channel"]
        found = []
        for row in of_sets:
            b, a = row["before"], row["after"]
            figures = [b[0], a[0], f"{b[1]:.2f}", f"{a[1]:.2f}", f"{b[2]:.2f}", f"{a[2]:.2f}"]
            found.append([row["set"], row["recording"], row["setting"], *figures, f"{a[3]:.2f}" if a[3] else "none"])
        lines += _table(heads, 3, found)
    return "\n".join(lines)


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """A panel a setting: the ratio over the frequency, a curve for each size."""
    figure, axes = plt.subplots(2, 4, figsize=(15, 6.5), sharex=True, layout="constrained")
    for axis, setting in zip(axes.flat, SETTINGS, strict=False):
        for when, style in (("after", "-"), ("before", ":")):
            for colour, size in zip(
                ("#1f77b4", "#ff7f0e", "#d62728", "#8c1aff", "#555555"), _sizes(rows), strict=False
            ):
                points = [
                    (row["hz"], row["ratio"]) for row in rows
                    if (row["setting"], row["when"], row["kind"], row.get("size")) == (setting, when, "common", size)
                ]  # fmt: skip
                if points:
                    label = f"{size:g} x the EEG" + (", before" if when == "before" else "")
                    axis.plot(*zip(*sorted(points), strict=True), style, color=colour, marker=".", label=label)
        axis.axhline(1.2, color="#999999", linewidth=0.8)
        axis.set(title=setting, yscale="log", yticks=[1, 1.2, 2, 5, 10, 20], ylim=(0.8, None), xlabel="tone, Hz")
        axis.set_yticklabels(["1", "1.2", "2", "5", "10", "20"])
        axis.minorticks_off()
    axes[0, 0].set_ylabel("EEG lost, 1-40 Hz, over that without the tone")
    axes[0, 0].legend(fontsize=7)
    axes.flat[-1].axis("off")
    figure.savefig(path, dpi=90)


def _sizes(rows: Sequence[dict[str, Any]]) -> list[float]:
    return sorted({row["size"] for row in rows if row["kind"] == "common"})


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--full", action="store_true", help="a finer sweep, every kind in every setting (an hour or more)"
    )
    parser.add_argument("--sets", nargs="*", help="data sets to look at; all by default")
    parser.add_argument("--no-sets", action="store_true")
    parser.add_argument("--per-set", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    frequencies: Sequence[float] = [*np.arange(10, 116, 5.0).tolist(), 16.7, 57.3] if options.full else FREQUENCIES
    sizes: Sequence[float] = (0.3, 0.7, 1.5, 3.0, 5.0) if options.full else SIZES
    rows = sweep(frequencies, sizes, full=options.full)
    of_sets = [] if options.no_sets else sets(chosen_sets(options.sets), options.per_set)
    with (options.out / "lines.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    (options.out / "lines.md").write_text(tables(rows, of_sets))
    draw(rows, options.out / "lines.png")


if __name__ == "__main__":
    main()
