"""What ECG, EOG, EMG and breathing cost: tokens of models that saw none of them, beside a bound and an MDCT coder.

Usage: ``python benchmarks/kinds.py [FILE...] [--seconds 60] [--out benchmarks/results]``

Of the signals in the project's data folder whose labels say that they are one of these, and of FILEs: EDF or BDF
recordings that people fetch by themselves, or signals in the Simple Text Format of BioSPPy. Each signal is coded by
itself, the middle of it, in bytes of its own streams (without the file's header). For each setting of a model stand
its bits a second and PRD, and in brackets what a bound (``--max-prd``) takes for the same PRD. An MDCT coder
(``rivals``) is held to 9 % of the whole in each minute; bounds hold for what lies above 0.5 Hz besides, but for
breathing. Results go to ``kinds.md``.

Public sets with such signals at PhysioNet (https://physionet.org, ODC-By), in EDF or to be converted with ``mit2edf``:
Sleep-EDF Database Expanded (EOG at 100 Hz, EMG at 100 Hz or as an envelope at 1 Hz, breathing at 1 Hz), MIT-BIH
Polysomnographic Database (ECG, breathing, some EOG and EMG, 250 Hz), St. Vincent's University Hospital / University
College Dublin Sleep Apnea Database (ECG, EOG, EMG, breathing), MIT-BIH Arrhythmia Database (ECG, 360 Hz), St.
Petersburg INCART 12-lead Arrhythmia Database (ECG, 257 Hz), Examples of Electromyograms (EMG, 4 kHz). The examples of
BioSPPy (https://github.com/PIA-Group/BioSPPy) hold ECG, EMG and breathing at 1 kHz.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyedflib
from race.origin import origin
from race.promise import coarsest, worst_prd
from rivals.transform import MDCT
from unseen import DATA, ROOT, cut, unseen_recordings

import eegzip
from eegzip.formats.edf import EdfFile, judge_as_told
from eegzip.formats.edf.kinds import MEASURES
from eegzip.reports import SignalReport

SETTINGS = (
    ("eegz-sc-2, -k 8", {"model": "eegz-sc-2", "codebooks": 8}),
    ("-k 24", {"model": "eegz-sc-2", "codebooks": 24}),
    ("-k 24 --rate 256", {"model": "eegz-sc-2", "codebooks": 24, "rate": 256}),
    ("dac-sc-compact-1, -k 8", {"model": "dac-sc-compact-1", "codebooks": 8}),
    ("biocodec-1, -k 6", {"model": "biocodec-1", "codebooks": 6}),
)
BOUNDS = (20.0, 9.0, 5.0)
SAMPLES = ("short_psg.edf",)
"""Recordings of the folder of odd formats whose signals are real and long enough."""


def single_signals(path: Path, scratch: Path, seconds: float | None) -> Iterator[tuple[str, str, Path]]:
    """Yield label, kind and a recording of its own for every signal that is none of the brain's."""
    if path.suffix == ".txt":
        path = from_text(path, scratch)
    with EdfFile.open(path) as file:
        found = [
            (signal.label, verdict.kind.value)
            for signal, verdict in zip(file.header.signals, judge_as_told(file.header), strict=True)
            if verdict.kind in MEASURES
        ]
    part = cut(path, scratch, seconds=seconds)
    for number, (label, kind) in enumerate(found):
        whole, alone = scratch / "whole.eegz", scratch / f"{path.stem}-{number}.edf"
        eegzip.compress(part, whole, lossless=True, overwrite=True)
        eegzip.decompress(whole, alone, channels=[label], overwrite=True)
        yield label, kind, alone


def from_text(path: Path, scratch: Path) -> Path:
    """Make a recording of a file in BioSPPy's Simple Text Format, its integers unchanged."""
    lines = path.read_text("utf-8").splitlines()
    head = dict(line.lstrip("# ").split(":=", 1) for line in lines if line.startswith("#") and ":=" in line)
    rate, label = round(float(head["Sampling Rate (Hz)"])), head["Labels"].strip()
    values = np.array([line.split()[-1] for line in lines if line and not line.startswith("#")], float)
    digits = np.rint(values).astype(np.int32)
    target = scratch / f"{path.stem}.edf"
    with pyedflib.EdfWriter(str(target), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
        writer.setSignalHeaders([{
            "label": label, "dimension": "" if label == "Resp" else "uV", "sample_frequency": rate,
            "physical_min": -32768.0, "physical_max": 32767.0, "digital_min": -32768, "digital_max": 32767,
            "transducer": "", "prefilter": "",
        }])  # fmt: skip
        writer.writeSamples([digits[: len(digits) // rate * rate]], digital=True)
    return target


def coded(path: Path, scratch: Path, **options: Any) -> SignalReport:
    """Code the one signal of a recording; return what became of it."""
    report = eegzip.compress(path, scratch / "coded.eegz", lossy=["*"], overwrite=True, **options)
    return report.signals[0]


def mdct_at(path: Path, target: float) -> float | None:
    """Bits a second of the MDCT coder with an error of `target` percent at most in each minute."""
    with EdfFile.open(path) as file:
        rate, samples = file.header.sample_rate(0), file.read_signal(0, 0, file.n_samples(0))[None]
    sizes: dict[float, int] = {}

    def trial(step: float) -> float:
        data = MDCT.encode(samples, rate, step)
        sizes[step] = len(data)
        return worst_prd(samples, MDCT.decode(data), rate)

    if rate < 16:
        return None
    known = {step: trial(step) for step in MDCT.settings}
    return next((8 * sizes[step] * rate / samples.size for _, step in coarsest(trial, known, (target,))), None)


def row_of(path: Path, scratch: Path, ratios: dict[tuple[str, str], list[float]], kind: str) -> list[str]:
    """Cells of a signal; ratios of tokens to a bound join those of its kind."""
    exactly = eegzip.compress(path, scratch / "coded.eegz", lossless=True, overwrite=True).signals[0]
    cells = [bits(exactly)]
    for bound in BOUNDS:
        found = coded(path, scratch, max_prd=bound)
        cells.append(bits(found))
    rival = mdct_at(path, 9.0)
    cells.append("-" if rival is None else f"{rival:.0f}")
    for name, options in SETTINGS:
        found = coded(path, scratch, **options)
        if found.coding == "exact" or not found.prd:
            cells.append("-")
            continue
        same = None
        if found.prd < 95:
            same = coded(path, scratch, max_prd=found.prd)
            ratios[kind, name].append(found.stored_bytes / same.stored_bytes)
        cells.append(f"{bits(found)}: {found.prd:.1f} % ({'-' if same is None else bits(same)})")
    return cells


def bits(signal: SignalReport) -> str:
    """Bits a second as a cell."""
    return f"{signal.bits_per_second or 0.0:.0f}"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Tokens and bounds of ECG, EOG, EMG and breathing.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="recordings besides those of the project")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--per-set", type=int, default=2, help="recordings of EEGMAT at most (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="where results go")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    made = origin()
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    heads = ["signal", "Hz", "exactly", *(f"bound {bound:g} %" for bound in BOUNDS), "MDCT 9 %"]
    heads += [name for name, _ in SETTINGS]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' --: |' * (len(heads) - 1)}"]
    with tempfile.TemporaryDirectory(prefix="eegzip-kinds-") as temporary:
        scratch = Path(temporary)
        paths = [path for _, path in unseen_recordings(options.data, options.per_set, scratch, ["eegmat"])]
        paths += [options.data.parent / "formats" / name for name in SAMPLES]
        for path in [*paths, *options.files]:
            # The short one is slow, and taken whole.
            seconds = None if path.name in SAMPLES else options.seconds
            for label, kind, alone in single_signals(path, scratch, seconds):
                with EdfFile.open(alone) as file:
                    rate = file.header.sample_rate(0)
                cells = [f"{path.stem}, {label}", f"{rate:g}", *row_of(alone, scratch, ratios, kind)]
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    names = [name for name, _ in SETTINGS]
    kinds = dict.fromkeys(kind for kind, _ in ratios)
    lines += ["", "Bytes of tokens over bytes of a bound with the same PRD, medians:", ""]
    lines += [f"| kind | {' | '.join(names)} |", f"| --- |{' --: |' * len(names)}"]
    for kind in kinds:
        found = [f"{median(ratios[kind, name]):.2f}" if ratios[kind, name] else "-" for name in names]
        lines.append(f"| {kind} | {' | '.join(found)} |")
    text = [
        "# ECG, EOG, EMG and breathing",
        "",
        *made.values(),
        "",
        "Bits a second; models as `bits: PRD (bits of a bound with this PRD)`. Models were trained on EEG alone. Kinds",
        "other than EEG are coded at the signal's own rate where that is above the model's, but for `--rate 256`. '-':",
        "kept exactly, as it is under 64 Hz, or nothing to compare with.",
        "",
        *lines,
    ]
    (options.out / "kinds.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(lines[-len(kinds) - 4 :]))


if __name__ == "__main__":
    # descript-audio-codec predates torch's deprecation of weight_norm.
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    main()
