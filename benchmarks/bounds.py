"""What bounds cost and what they are worth to the EEG, beside another version of eegzip: bytes and errors of both.

Usage: ``python benchmarks/bounds.py --before ../eegzip-before [--sets eegmat vep] [--more drifting.bdf]``

`--before` is a checkout of the version to compare with, which runs in processes of its own. Recordings are of people
no model saw (`unseen.py`), the middle minute of each, of two sets also with 40 uV of mains in all channels; the example
that ships; and what `--more` names. Errors are those of the worst channel and chunk, in percent: of the whole, and of
the EEG part (SPEC.md, section 7.1).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from unseen import DATA, ROOT, cut, unseen_recordings

import eegzip
from eegzip.decoding.recording_decoder import RecordingDecoder
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.evaluation.eeg_part import eeg_energy
from eegzip.evaluation.metrics import prd
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals
from eegzip.formats.edf.samples import encode_signal
from eegzip.formats.eegz.reader import EegzReader

EXAMPLE = ROOT / "examples" / "data" / "eegmat_subject18_arithmetic.edf"
SETTINGS: dict[str, dict[str, Any]] = {
    "20 %": {"max_prd": 20.0},
    "9 %": {"max_prd": 9.0},
    "5 %": {"max_prd": 5.0},
    "2 uV": {"max_error": "2uV"},
}


def errors(original: Path, coded: Path) -> tuple[float, float]:
    """Worst error of an EEG channel in a chunk, in percent: of the whole and of its EEG part."""
    whole = part = 0.0
    with EdfFile.open(original) as file, EegzReader(coded) as reader:
        header = reader.header
        decoder = RecordingDecoder(reader, StoredNetwork(reader, None, "cpu"))
        for chunk in range(header.n_chunks):
            first, stop = header.records_of_chunk(chunk)
            blocks = [values for *_, values in decoder.blocks(first, stop)]
            for index, signal in enumerate(header.signals):
                if signal.kind != "eeg":
                    continue
                n = signal.samples_per_record
                x = file.read_signal(index, first * n, stop * n).astype(np.int64)
                e = x - np.concatenate([block[index].reshape(-1) for block in blocks])
                if x.min() < x.max():
                    whole = max(whole, float(prd(np.mean(e**2), x.var())))
                    lost, energy = eeg_energy(np.stack([e, x]), signal.sample_rate or 1.0)
                    part = max(part, float(prd(lost, energy)))
    return whole, part


def with_mains(source: Path, target: Path, microvolts: float, hertz: float) -> Path:
    """Write a recording with a wave of so many uV (root mean square) added to all its EEG channels."""
    with EdfFile.open(source) as file:
        header = file.header
        records = np.concatenate([block for _, block in file.blocks()])
        for index, signal in enumerate(header.signals):
            if classify_signals(header)[index] is not SignalKind.EEG:
                continue
            x = file.read_signal(index, 0, file.n_samples(index))
            unit = signal.microvolts_per_digit or 1.0
            wave = np.sin(2 * np.pi * hertz * np.arange(len(x)) / header.sample_rate(index))
            values = np.clip(np.rint(x + np.sqrt(2) * microvolts / unit * wave), -32768, 32767).astype(np.int32)
            records[:, header.signal_slices[index]] = encode_signal(values.reshape(len(records), -1), 2)
        target.write_bytes(header.raw + records.tobytes())
    return target


def recordings(options: argparse.Namespace, work: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of everything that is measured."""
    for name, path in unseen_recordings(options.data, options.per_set, work, options.sets):
        part = cut(path, work, seconds=options.seconds)
        yield f"{name} {path.stem.split('-from')[0]}", part
        if name in ("ssvep_exo", "neonatal"):
            yield "... with 40 uV of 50 Hz", with_mains(part, work / "mains.edf", 40.0, 50.0)
    if not options.sets:
        yield "the shipped example", EXAMPLE
    for path in options.more:
        yield path.name, path


def compress_before(checkout: Path, source: Path, target: Path, setting: dict[str, object]) -> None:
    """Compress with the other version."""
    code = f"import eegzip; eegzip.compress({str(source)!r}, {str(target)!r}, overwrite=True, **{setting!r})"
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    subprocess.run([sys.executable, "-c", code], cwd=checkout, env=environment, check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Bytes and errors under bounds, beside another version's.")
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the version to compare with")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", help="only these sets")
    parser.add_argument("--per-set", type=int, default=2, help="recordings of each set at most (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the middle of each recording, so long (60)")
    parser.add_argument("--more", type=Path, nargs="+", default=[], help="further recordings")
    options = parser.parse_args()
    print("| recording | bound | bytes before | now | ratio | whole before | now | EEG part before | now |")
    print("| --- | --- | --: | --: | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        old, new = work / "old.eegz", work / "new.eegz"
        for name, path in recordings(options, work):
            for setting, keywords in SETTINGS.items():
                compress_before(options.before.resolve(), path.resolve(), old, keywords)
                eegzip.compress(path, new, overwrite=True, **keywords)
                sizes = old.stat().st_size, new.stat().st_size
                (whole, part), (whole_now, part_now) = errors(path, old), errors(path, new)
                print(
                    f"| {name} | {setting} | {sizes[0]} | {sizes[1]} | {sizes[1] / sizes[0]:.3f} | {whole:.2f} % | "
                    f"{whole_now:.2f} % | {part:.2f} % | {part_now:.2f} % |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
