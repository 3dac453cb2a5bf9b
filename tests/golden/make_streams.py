"""Write the golden files of version 1.2's streams, once: ``python tests/golden/make_streams.py``.

Unlike those of ``make.py`` these are real recordings, cut to a few channels and seconds, through the public functions.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import eegzip

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
EXAMPLES = HERE.parents[1] / "examples" / "data"
CHANNELS = ["Fp1", "F3", "C3", "P3", "O1", "Cz"]


def cut(source: Path, target: Path, seconds: float, channels: list[str]) -> Path:
    """Cut a few channels and seconds out of a recording."""
    whole = target.with_name(f"{target.name}.whole.eegz")
    eegzip.compress(source, whole, lossless=True)
    eegzip.decompress(whole, target, stop=seconds, channels=channels)
    return target


def once(write: Callable[[Path], None], folder: Path) -> None:
    """Write into a folder of golden files, and end with a sentence where they are there already."""
    try:
        write(folder)
    except FileExistsError as error:
        sys.exit(f"{error.filename} exists already: golden files are written once.")


def main(folder: Path) -> None:
    """Write all files into a new folder."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 6, CHANNELS)
        bdf = cut(DATA / "edf" / "test_subsecond.bdf", Path(work) / "cut.bdf", 3, ["*"])
        eegzip.compress(edf, folder / "exact.eegz", lossless=True, chunk_seconds=4)
        eegzip.compress(bdf, folder / "exact24.eegz", lossless=True, chunk_seconds=2)
        eegzip.compress(edf, folder / "error.eegz", max_error="1uV", chunk_seconds=4)
        eegzip.compress(edf, folder / "prd.eegz", max_prd=9, chunk_seconds=4)
        eegzip.compress(edf, folder / "tokens.eegz", chunk_seconds=4)
        eegzip.compress(edf, folder / "both.eegz", max_prd=9, keep_tokens=True, chunk_seconds=4)
    content: dict[str, np.ndarray] = {}
    for name in ("error", "prd", "both", "tokens"):
        with eegzip.open(folder / f"{name}.eegz") as recording:
            content[f"{name}_values"] = recording.read().astype(np.float32)
    for name in ("both", "tokens"):
        with eegzip.open(folder / f"{name}.eegz") as recording:
            content[f"{name}_codes"] = np.stack([stream.codes for stream in recording.tokens()])
    with (folder / "streams.npz").open("xb") as file:
        np.savez_compressed(file, **content)
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.2")
