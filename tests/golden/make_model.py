"""Write the golden file that carries its model, once: ``python tests/golden/make_model.py``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from make_streams import EXAMPLES, HERE, cut, once

import eegzip
from eegzip.formats.edf import EdfFile
from eegzip.models import resolve

sys.path.insert(0, str(HERE.parent / "spec"))
import checkpoint_maker


def main(folder: Path) -> None:
    """Write a file that carries a small random model, its tokens, and what it restores to."""
    folder.mkdir(exist_ok=True, parents=True)
    target = folder / "model.eegz"
    with tempfile.TemporaryDirectory() as work, (folder / "model.npz").open("xb") as file:
        model = checkpoint_maker.make(Path(work), resolve("dac-sc-compact-1"))
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 4, ["Fp1", "O1"])
        eegzip.compress(edf, target, model=model, chunk_seconds=4, embed_model=True)
        eegzip.decompress(target, Path(work) / "restored.edf")
        with eegzip.open(target) as recording:
            codes = np.stack([stream.codes for stream in recording.tokens()])
        with EdfFile.open(Path(work) / "restored.edf") as restored:
            samples = np.stack([restored.read_signal(index, 0, 2000) for index in range(2)])
        np.savez_compressed(file, codes=codes, samples=samples.astype(np.int16))
    print(f"{target}: {target.stat().st_size} bytes, codes {codes.shape}")


if __name__ == "__main__":
    once(main, HERE / "v1.7" / "model")
