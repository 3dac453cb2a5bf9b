"""Write the golden file of kinds of signals, once: ``python tests/golden/make_kinds.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from make_streams import DATA, HERE, cut, once

import eegzip


def main(folder: Path) -> None:
    """Write a file of two models, one of them at two rates, and what it gives."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "kinds.eegz"
    with tempfile.TemporaryDirectory() as work:
        edf = cut(DATA / "eegmat" / "Subject16_rest_70s.edf", Path(work) / "cut.edf", 6, ["Fp1", "O1", "ECG"])
        # There is no EOG in this recording, but the eyes are in Fp1.
        with (folder / "kinds.npz").open("xb") as file:
            how = {"model": {"eeg": "eegz-sc-1", "eog": "dac-sc-compact-1"}, "codebooks": 6, "chunk_seconds": 4}
            eegzip.compress(edf, target, lossy=["ECG*", "Fp1"], kinds={"Fp1": "eog"}, **how)
            with eegzip.open(target) as recording:
                content = {f"codes_{row}": stream.codes for row, stream in enumerate(recording.tokens())}
                content["values"] = recording.read().astype(np.float32)
            np.savez_compressed(file, **content)
    print(f"{target}: {target.stat().st_size} bytes, {', '.join(content)}")


if __name__ == "__main__":
    once(main, HERE / "v1.7" / "kinds")
