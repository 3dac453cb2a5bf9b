"""Compress a recording, restore it, and see for yourself what was lost.

Usage: ``python examples/compress_and_read_back.py [RECORDING.edf]``

PRD says how much is lost, in percent: the root-mean-square error over that of the signal. The file carries the figures
that were measured while it was written; here they are measured once more, on the restored file, read by pyedflib.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pyedflib

import eegzip

RECORDING = Path(__file__).parent / "data" / "eegmat_subject18_arithmetic.edf"


def samples(path: Path) -> dict[str, np.ndarray]:
    """Digital values of every channel of an EDF file, by label."""
    with pyedflib.EdfReader(str(path)) as reader:
        return {label: reader.readSignal(i, digital=True) for i, label in enumerate(reader.getSignalLabels())}


def main(recording: Path) -> None:
    """Compress, restore, compare."""
    with tempfile.TemporaryDirectory() as folder:
        small, back = Path(folder) / "small.eegz", Path(folder) / "back.edf"
        report = eegzip.compress(recording, small)
        print(report.sentence())
        print(eegzip.decompress(small, back).sentence())
        print(f"same size as the original: {back.stat().st_size == recording.stat().st_size}")

        before, after = samples(recording), samples(back)
        print(f"\n{'channel':<16}{'coding':<8}{'bit/s':>7}{'PRD %':>8}{'measured again':>16}")
        for signal in report.signals:
            if signal.label not in before:
                continue  # annotations are no channel; they came back exactly
            x, y = before[signal.label].astype(float), after[signal.label].astype(float)
            again = 100 * np.sqrt(np.sum((x - y) ** 2) / np.sum((x - x.mean()) ** 2))
            print(f"{signal.label:<16}{signal.coding:<8}{signal.bits_per_second:>7.0f}{signal.prd:>8.2f}{again:>16.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING)
