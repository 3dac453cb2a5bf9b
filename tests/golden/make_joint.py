"""Write the golden file of version 1.5, once: ``python tests/golden/make_joint.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from make_streams import CHANNELS, EXAMPLES, HERE, cut, once

import eegzip


def main(folder: Path) -> None:
    """Write a file, and what it gives."""
    folder.mkdir(exist_ok=True)
    target = folder / "joint.eegz"
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 6, CHANNELS)
        with (folder / "joint.npz").open("xb") as file:
            eegzip.compress(edf, target, model="eegz-sc-2", codebooks=6, chunk_seconds=4)
            with eegzip.open(target) as recording, eegzip.open(target, alone=True) as alone:
                values, own = (one.read().astype(np.float32) for one in (recording, alone))
                codes = np.stack([stream.codes for stream in recording.tokens()])
                refined = np.array([index for part in recording.info["joint"] for index in part["refined"]])
            np.savez_compressed(file, values=values, alone=own, codes=codes, refined=refined)
    print(f"{target}: {target.stat().st_size} bytes, refined {refined}")


if __name__ == "__main__":
    once(main, HERE / "v1.5")
