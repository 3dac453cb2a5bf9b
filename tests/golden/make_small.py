"""Write the golden file of version 1.4, a small exact recording, once: ``python tests/golden/make_small.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from make_streams import EXAMPLES, HERE, cut, once

import eegzip


def main(folder: Path) -> None:
    """Write the file into a new folder."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 4, ["Cz", "Pz"])
        eegzip.compress(edf, folder / "small.eegz", lossless=True, chunk_seconds=2)
    print(f"{folder / 'small.eegz'}: {(folder / 'small.eegz').stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.4")
