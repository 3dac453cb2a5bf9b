"""Recordings of people whom no bundled model's training saw, for every benchmark that says "unseen".

Who they are stands here and in the configs of ``recipes/``. The neonatal set is one recording of one
child: its last third, which training did not see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import eegzip
from eegzip.formats.edf import EdfFile

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "eeg"
# Subjects whose recordings no training sees. The neonatal set is one recording of one child: its last third.
HELD_OUT = {
    "eegmat": ("Subject16", "Subject17", "Subject18", "Subject19"),
    "ssvep_exo": ("sub07", "sub08"),
    "adhd": (
        "ADHD_v15p", "ADHD_v25p", "ADHD_v286", "ADHD_v288", "CTRL_v110", "CTRL_v111", "CTRL_v121",
        "CTRL_v305", "CTRL_v310", "CTRL_v45p",
    ),
    "vep": ("co2a0000372", "co2c0000344"),
    "neonatal": (),
}  # fmt: skip
SETS = tuple(HELD_OUT)


def is_held_out(group: str, name: str) -> bool:
    """Return whether a recording belongs to a subject that no training saw."""
    return name.startswith(HELD_OUT[group]) if HELD_OUT[group] else False


def unseen_recordings(
    data: Path, per_set: int, scratch: Path, sets: Sequence[str] | None = None
) -> Iterator[tuple[str, Path]]:
    """Yield set and file of what training did not see, at most `per_set` recordings of each set, spread over people.

    Of the `sets` named, all by default.
    """
    for group in chosen_sets(sets):
        files = sorted((data / group).glob("*.edf"))
        if HELD_OUT[group]:
            files = [path for path in files if is_held_out(group, path.stem)]
            step = max(len(files) // per_set, 1)
            for path in files[::step][:per_set]:
                yield group, path
        elif files:
            yield group, cut(files[0], scratch, share=(2 / 3, 1.0))


def cut(path: Path, scratch: Path, *, share: tuple[float, float] = (0.0, 1.0), seconds: float | None = None) -> Path:
    """Cut a share of a recording, or of that the middle `seconds`, into a recording of its own, exactly."""
    with EdfFile.open(path) as file:
        duration = file.n_records * file.header.record_duration
    start, stop = share[0] * duration, share[1] * duration
    if seconds is not None and stop - start > seconds:
        start = float(int(start + (stop - start - seconds) / 2))
        stop = start + seconds
    whole, part = scratch / f"{path.stem}.eegz", scratch / f"{path.stem}-from-{start:.0f}s.edf"
    eegzip.compress(path, whole, exact=["*"], overwrite=True)
    eegzip.decompress(whole, part, start=start, stop=stop, overwrite=True)
    whole.unlink()
    return part


def chosen_sets(names: Sequence[str] | None) -> tuple[str, ...]:
    """The sets asked for, all by default."""
    unknown = set(names or ()) - set(SETS)
    if unknown:
        raise SystemExit(f"there is no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    return tuple(name for name in SETS if not names or name in names)
