"""Write the golden files of version 1.5's lines, once: ``python tests/golden/make_lines.py``.

A real recording with tones put in: mains that are switched on midway, drift a little, and have another size and phase
in each channel; and a second line that is always there.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from make_streams import EXAMPLES, HERE, cut, once

import eegzip
from eegzip.formats.eegz.reader import EegzReader

sys.path.insert(0, str(HERE.parent))
from api.tones import with_tones

CHANNELS = ["Fp1", "C3", "O1"]


def main(folder: Path) -> None:
    """Write files, and what they give."""
    folder.mkdir()
    content: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 12, CHANNELS)
        noisy = with_tones(edf, Path(work) / "noisy.edf", [(50.03, 15.0, 5.5), (33.4, 6.0, 0.0)])
        eegzip.compress(noisy, folder / "tokens.eegz", model="eegz-sc-1", codebooks=12, chunk_seconds=5)
        eegzip.compress(noisy, folder / "layers.eegz", max_prd=9, chunk_seconds=5)
    from eegzip.decoding.lines import line_samples

    for name in ("tokens", "layers"):
        with eegzip.open(folder / f"{name}.eegz") as recording:
            content[f"{name}_values"] = recording.read().astype(np.float32)
        with EegzReader(folder / f"{name}.eegz") as reader:
            signals = reader.header.line_sets[0].signals
            content[f"{name}_lines"] = np.stack([line_samples(reader, signal) for signal in signals])
    with (folder / "lines.npz").open("xb") as file:
        np.savez_compressed(file, **content)
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.5")
