"""Write the golden files of exact signals predicted by blocks (1.7), once: ``python tests/golden/make_levels.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from make_streams import DATA, EXAMPLES, HERE, cut, once

import eegzip


def main(folder: Path) -> None:
    """Write the files into a new folder."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 6, ["Fp1", "F3", "Cz"])
        bdf = cut(DATA / "edf" / "test.bdf", Path(work) / "cut.bdf", 1, ["Fp1", "AF7", "F1"])
        eegzip.compress(edf, folder / "exact-1.eegz", lossless=True, level=1, chunk_seconds=4)
        eegzip.compress(edf, folder / "exact-5.eegz", lossless=True, level=5, chunk_seconds=4)
        eegzip.compress(bdf, folder / "exact24-3.eegz", lossless=True, level=3, chunk_seconds=2)
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.7" / "levels")
