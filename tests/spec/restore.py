"""Restore an ``.eegz`` file with nothing of eegzip: the second reader, written from SPEC.md alone, as a program.

Usage: ``python tests/spec/restore.py FILE OUT [--model FOLDER] [--salvage]``

Takes Python, numpy, zstandard and msgpack; for files with tokens also torch, scipy and safetensors, and the model:
the file's own (section 7.2), FOLDER, or the one of its digest beside it or among those that come with eegzip. Files
with bounds on the error (signals coded in layers) it does not restore. It was written to be read and is slow: tokens in
context take a second or so for each second of a channel.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from second_prior import read_tables
from second_reader import SecondReader, need

if TYPE_CHECKING:
    from second_synthesis import Network

BUNDLED = Path(__file__).resolve().parents[2] / "eegzip" / "checkpoints"


def model_folder(reader: SecondReader, stated: Path | None, place: Path, work: Path) -> Path:
    """Folder of the checkpoint that the file names (10)."""
    from second_synthesis import checkpoint_digest

    for name, content in reader.model.items():
        (work / name).write_bytes(content)
    folders = [stated] if stated else [work, *place.glob("*/"), *BUNDLED.glob("*/")]
    digest = reader.head["codecs"][0]["digest"]
    for folder in folders:
        if (folder / "config.json").is_file() and checkpoint_digest(folder) == digest:
            return folder
    raise SystemExit(f"the model {reader.head['codecs'][0]['model']} (digest {digest}) is not here; name its folder.")


def prior_in(folder: Path, digest: str) -> dict[str, np.ndarray]:
    """Tables of a checkpoint, its own or those of the one whose weights it has (10.1)."""
    other = folder / "weights-of.txt"
    path = folder / "prior.safetensors"
    if not path.exists() and other.exists():
        path = folder.parent / other.read_text("utf-8").strip() / "prior.safetensors"
    content = path.read_bytes()
    need(hashlib.sha256(content).hexdigest() == digest, "another prior")
    return read_tables(content)


def restored(data: bytes, model: Path | None, place: Path, *, salvage: bool = False) -> tuple[bytes, SecondReader]:
    """The recording, and the reader with which it was restored."""
    reader = SecondReader(data, scan=salvage)
    if reader.head.get("layer_sets"):
        raise SystemExit("signals coded in layers are not restored by this program; SPEC.md, sections 6.5 and 9.")
    if not reader.head["groups"]:
        return reader.recording(), reader
    from second_synthesis import Network

    with tempfile.TemporaryDirectory() as work:
        folder = model_folder(reader, model, place, Path(work))
        prior = reader.head["codecs"][0].get("prior")
        reader.prior = None if prior is None else prior_in(folder, prior)
        network: Network = Network(folder)
        return reader.recording(network), reader


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--salvage", action="store_true")
    options = parser.parse_args(words)
    content, reader = restored(
        options.file.read_bytes(), options.model, options.file.resolve().parent, salvage=options.salvage
    )
    exact = not reader.head["groups"] and not reader.lost
    if exact and hashlib.sha256(content).hexdigest() != reader.head["source_sha256"]:
        sys.exit("what was restored is not the original, though all of it is kept exactly; nothing was written.")
    with options.out.open("xb") as file:
        file.write(content)
    print(f"{options.out}: {len(content)} bytes" + (", the original's SHA-256" if exact else ""))


if __name__ == "__main__":
    main()
