"""Write the golden file of a model behind a high-pass, once: ``python tests/golden/make_highpass.py``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from make_streams import EXAMPLES, HERE, cut, once

import eegzip
from eegzip.models import resolve

sys.path.insert(0, str(HERE.parent / "spec"))
import checkpoint_maker


def main(folder: Path) -> None:
    """Write a file of a small random model, and its tokens."""
    target = folder / "highpass.eegz"
    with tempfile.TemporaryDirectory() as work:
        model = checkpoint_maker.make(Path(work), resolve("dac-sc-compact-1"), highpass=0.1)
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 6, ["Fp1", "O1"])
        with (folder / "highpass.npz").open("xb") as file:
            eegzip.compress(edf, target, model=model, chunk_seconds=4)
            with eegzip.open(target) as recording:
                codes = np.stack([stream.codes for stream in recording.tokens()])
                centres = np.array([group["centres"] for group in recording.info["groups"]])
            np.savez_compressed(file, codes=codes, centres=centres)
    print(f"{target}: {target.stat().st_size} bytes, codes {codes.shape}")


if __name__ == "__main__":
    once(main, HERE / "v1.5")
