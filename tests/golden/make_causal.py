"""Write the golden file of a causal model, once: ``python tests/golden/make_causal.py``."""

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
    """Write a file of a small random model, its tokens, and the scales of its signals."""
    folder.mkdir(exist_ok=True)
    target = folder / "causal.eegz"
    with tempfile.TemporaryDirectory() as work:
        model = checkpoint_maker.make_causal(Path(work), resolve("dac-sc-compact-1"))
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 6, ["Fp1", "O1"])
        with (folder / "causal.npz").open("xb") as file:
            eegzip.compress(edf, target, model=model, codebooks=3, chunk_seconds=4)
            with eegzip.open(target) as recording:
                codes = np.stack([stream.codes for stream in recording.tokens()])
                groups = recording.info["groups"]
            scales = {name: np.array([group[name] for group in groups]) for name in ("centres", "ranges")}
            np.savez_compressed(file, codes=codes, **scales)
    print(f"{target}: {target.stat().st_size} bytes, codes {codes.shape}")


if __name__ == "__main__":
    once(main, HERE / "v1.6")
