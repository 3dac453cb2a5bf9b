"""Pack recordings for a machine that has none: lossless .eegz files in tar files of a size that travels.

Usage: ``python benchmarks/gpu/pack.py [--data ../shared/data/eeg] [--out .gpu] [--mb 24]``

Folders of the sets keep their names. EDF and BDF are compressed by ``eegzip compress --lossless``; .eegz files that
FOLDER holds already are taken as they are. ``stages.py unpack`` makes the folder again, recordings as they were.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RECORDINGS = (".edf", ".bdf", ".rec")
PART = "recordings-*.tar"


def packed(data: Path, out: Path, limit: int) -> list[Path]:
    """Write the parts, none larger than ``limit`` bytes; a recording that is by itself larger is refused."""
    import eegzip

    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(PART):
        old.unlink()
    parts: list[Path] = []
    room = 0
    found = sorted(p for p in data.rglob("*") if p.suffix.lower() in (*RECORDINGS, ".eegz") and p.is_file())
    if not found:
        raise SystemExit(f"{data} holds no recordings.")
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(found, 1):
            name = path.relative_to(data)
            if path.suffix.lower() != ".eegz":
                name = name.with_name(name.name + ".eegz")
                print(f"{number} of {len(found)}: {name}", file=sys.stderr)
                eegzip.compress(path, Path(scratch) / "recording.eegz", lossless=True, overwrite=True)
                path = Path(scratch) / "recording.eegz"
            # A tar file has a header a file, whole blocks of 512 bytes, and ends on a multiple of 10 KiB.
            size = path.stat().st_size + 1536
            if size + 20480 > limit:
                raise SystemExit(f"{name} has {size} bytes; no part of {limit} holds it.")
            if size > room:
                parts.append(out / f"recordings-{len(parts) + 1}.tar")
                room = limit - 20480
            room -= size
            with tarfile.open(parts[-1], "a", format=tarfile.USTAR_FORMAT) as tar:
                tar.add(path, str(name))
    return parts


def unpack(parts: Path, data: Path) -> int:
    """Unpack all parts in a folder, restore what was packed as EDF or BDF, and return how many recordings they held."""
    import eegzip

    data.mkdir(parents=True, exist_ok=True)
    found = sorted(parts.glob(PART))
    if not found:
        raise SystemExit(f"{parts} holds no {PART}; pack.py makes them.")
    names: list[str] = []
    for part in found:
        with tarfile.open(part) as tar:
            tar.extractall(data, filter="data")
            names += tar.getnames()

    def restored(name: str) -> None:
        packed = data / name
        original = packed.with_suffix("")
        if original.suffix.lower() in RECORDINGS:
            eegzip.decompress(packed, original, overwrite=True)
            packed.unlink()

    # In one process: the decoder is compiled once. Left to the processes that prepare recordings for training, each
    # compiled its own, which took sixteen cores five minutes.
    with ThreadPoolExecutor() as pool:
        list(pool.map(restored, names))
    return len(names)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/eeg"))
    parser.add_argument("--out", type=Path, default=Path(".gpu"))
    parser.add_argument("--mb", type=float, default=24.0, help="megabytes a part at most")
    options = parser.parse_args()
    for part in packed(options.data, options.out, int(options.mb * 1e6)):
        print(f"{part}  {part.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
