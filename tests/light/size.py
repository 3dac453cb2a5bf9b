"""What an installation without torch takes on the disk, by package: ``python size.py``; fails where it is too much.

Counted are the files of the packages in ``constraints-light.txt`` and of eegzip, as long as they are and without what
Python compiles on its own: ``pip install --no-compile`` leaves that to the first call, which writes what it needs.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

MAX_PACKAGES = 12
MAX_MEGABYTES = 350
"""MB of 2**20 bytes, as ``du -m`` counts them."""
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints-light.txt"


def packages() -> list[str]:
    """Those that the installation takes besides eegzip."""
    return re.findall(r"^([\w-]+)==", CONSTRAINTS.read_text(), re.MULTILINE)


def sizes() -> dict[str, float]:
    """MB that each of them takes where this runs, eegzip included."""
    import eegzip

    folder = Path(eegzip.__file__).parent
    found = {"eegzip": sum(_length(path) for path in folder.rglob("*")) + _linked(folder)}
    for name in packages():
        found[name] = sum(_length(Path(str(file.locate()))) for file in distribution(name).files or ())
    return {name: size / 2**20 for name, size in found.items()}


def _linked(folder: Path) -> int:
    """Of a checkout, whose folders at the top are links, which rglob does not follow."""
    return sum(_length(path) for link in folder.iterdir() if link.is_symlink() for path in link.resolve().rglob("*"))


def _length(path: Path) -> int:
    # Where this was used before, numba's own compiled functions lie there, too.
    made = "__pycache__" in path.parts
    return path.stat().st_size if not made and path.is_file() and not path.is_symlink() else 0


if __name__ == "__main__":
    taken = sizes()
    for name, size in sorted(taken.items(), key=lambda item: -item[1]):
        print(f"{size:6.1f} MB  {name}")
    total = sum(taken.values())
    print(f"{total:6.1f} MB in all, {len(taken) - 1} packages and eegzip")
    if total >= MAX_MEGABYTES or len(taken) - 1 > MAX_PACKAGES:
        sys.exit(f"More than {MAX_MEGABYTES} MB, or more than {MAX_PACKAGES} packages.")
