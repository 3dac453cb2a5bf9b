"""Read ten seconds of three channels out of a compressed recording, without decoding the rest.

Usage: ``python examples/read_ten_seconds.py [RECORDING.edf]``
"""

import sys
import tempfile
import time
from pathlib import Path

import eegzip

RECORDING = Path(__file__).parent / "data" / "eegmat_subject18_arithmetic.edf"
CHANNELS = ["C3", "C4", "Cz"]  # electrode names will do: "EEG C3", "C3-REF" and "c3" are all found


def main(recording: Path) -> None:
    """Compress a recording and read a part of it."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.eegz"
        eegzip.compress(recording, small)

        with eegzip.open(small) as opened:
            print(f"{len(opened.channels)} channels, {opened.duration:g} s, {len(opened.annotations)} annotations")
            started = time.perf_counter()
            microvolts = opened.read(CHANNELS, start=20, stop=30)
            print(f"array {microvolts.shape} in uV, read in {time.perf_counter() - started:.2f} s (model included)")
        for name, values in zip(CHANNELS, microvolts, strict=True):
            print(f"{name}: {values.min():.1f} to {values.max():.1f} uV, standard deviation {values.std():.1f} uV")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING)
