"""Write the golden files of sealed parts, once: ``python tests/golden/make_sealed.py``. Their keys are known to all."""

from __future__ import annotations

from pathlib import Path

from make_streams import DATA, HERE, once

import eegzip

KEY = bytes(range(32))
PASSPHRASE = "known to all: Schl\u00fcssel"


def main(folder: Path) -> None:
    """Write the files into a new folder."""
    folder.mkdir(parents=True)
    data = (DATA / "edf" / "annotation_texts.edf").read_bytes()
    named = data[:8] + b"MCH-0234567 F 02-MAY-1951 Haagse_Harry".ljust(80) + data[88:168] + b"02.08.9914.30.00"
    original = folder / "original.edf"
    original.write_bytes(named + data[184:] + b"what follows the last record")
    eegzip.compress(original, folder / "identity.eegz", lossless=True, chunk_seconds=5, encrypt="identity", key=KEY)
    eegzip.compress(original, folder / "all.eegz", lossless=True, chunk_seconds=5, encrypt="all", key=PASSPHRASE)
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    once(main, HERE / "v1.7" / "sealed")
