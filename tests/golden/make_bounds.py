"""Write the golden file of version 1.5, once: ``PYTHONPATH=tests python tests/golden/make_bounds.py``.

Real EEG on offset, drift and mains, with bounds on its EEG part; through the public functions.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from api.dc_recordings import drifting
from make_streams import HERE, once

import eegzip


def main(folder: Path) -> None:
    """Write the files into a new folder."""
    folder.mkdir()
    path = folder / "bounds.eegz"
    with tempfile.TemporaryDirectory() as work:
        eegzip.compress(drifting(Path(work) / "a.bdf", mains=20.0), path, max_prd=9, chunk_seconds=5)
    with eegzip.open(path) as recording, (folder / "bounds.npz").open("xb") as file:
        np.savez_compressed(file, values=recording.read().astype(np.float32))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.5")
