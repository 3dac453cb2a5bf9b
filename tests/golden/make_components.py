"""Write the golden file of version 1.3's components, once: ``python tests/golden/make_components.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from make_streams import CHANNELS, EXAMPLES, HERE, cut, once

import eegzip


def main(folder: Path) -> None:
    """Write a file, and what it gives."""
    folder.mkdir(exist_ok=True)
    target = folder / "components.eegz"
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 6, CHANNELS)
        with (folder / "components.npz").open("xb") as file:
            eegzip.compress(edf, target, model="eegz-mc-2", codebooks=12, chunk_seconds=4)
            with eegzip.open(target) as recording:
                streams = recording.tokens()
                values = recording.read().astype(np.float32)
            weights = np.array([stream.weights for stream in streams])
            np.savez_compressed(file, values=values, codes=np.stack([s.codes for s in streams]), weights=weights)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.3")
