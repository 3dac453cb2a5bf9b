"""Write the golden file of version 1.3's layers, once: ``python tests/golden/make_layers.py``.

A real recording, cut to a few channels and seconds, and three seconds of it joined end to end in another order, so that
borders are cut; through the public functions.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from make_streams import CHANNELS, EXAMPLES, HERE, cut, once

import eegzip


def main(folder: Path) -> None:
    """Write the files into the folder."""
    folder.mkdir(exist_ok=True)
    path = folder / "layers.eegz"
    with tempfile.TemporaryDirectory() as work:
        edf = cut(EXAMPLES / "eegmat_subject18_arithmetic.edf", Path(work) / "cut.edf", 9, CHANNELS)
        data = bytearray(edf.read_bytes())
        head = int(data[184:192])
        record = (len(data) - head) // int(data[236:244])
        joined = b"".join(bytes(data[head + second * record :][:record]) for second in (7, 1, 4, 2, 8, 0, 6, 3, 5))
        edf.write_bytes(data[:head] + joined)
        if path.exists():
            raise FileExistsError(17, "exists", str(path))
        eegzip.compress(edf, path, max_prd=9, max_error="20uV", chunk_seconds=5)
    with eegzip.open(path) as recording, (folder / "layers.npz").open("xb") as file:
        np.savez_compressed(file, values=recording.read().astype(np.float32))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.3")
