"""From what a user names to a list of files: folders, globs, files, manifests."""

from __future__ import annotations

import csv
import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eegzip.formats.errors import BadInputError, UsageError
from eegzip.training.data.subjects import subject_of

ENDINGS = {"eeg": (".edf", ".bdf", ".rec", ".eegz"), "audio": (".flac", ".wav")}
SYNTHETIC = "synthetic"
_MANIFESTS = (".csv", ".tsv")
SPLITS = ("", "train", "validation")


@dataclass(frozen=True)
class SourceFile:
    """A file to train on.

    Attributes
    ----------
    path : Path
    subject : str
        Whose it is.
    dataset : str
        What it was found through, as the user named it.
    split : str
        ``train``, ``validation``, or empty: not said.
    """

    path: Path
    subject: str
    dataset: str
    split: str = ""


def find_sources(names: Sequence[str], domain: str = "eeg", pattern: str = "") -> list[SourceFile]:
    """Return the files that names stand for, each once, in a fixed order.

    Parameters
    ----------
    names
        Folders (searched through), globs, files, or manifests: ``.csv`` or ``.tsv`` tables with a column ``path``
        (relative to the table) and optionally ``person`` and ``split`` (``train`` or ``validation``).
    domain
        ``eeg`` (EDF, BDF, .eegz) or ``audio`` (FLAC, WAV).
    pattern
        As in :func:`~eegzip.training.data.subjects.person_of`.

    Raises
    ------
    BadInputError
        A name stands for nothing, or a manifest can't be read.
    """
    found: dict[Path, SourceFile] = {}
    for name in names:
        path = Path(name)
        if path.is_file() and path.suffix.lower() in _MANIFESTS:
            files = _manifest(path, pattern)
        else:
            files = [SourceFile(p, subject_of(p, pattern), name) for p in _paths(name, domain)]
        if not files:
            endings = ", ".join(ENDINGS[domain])
            raise BadInputError(f"'{name}' stands for no recordings: there are no files ending in {endings}.")
        for file in files:
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _paths(name: str, domain: str) -> list[Path]:
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(_recordings(path.rglob("*"), domain))
    # The pattern may be absolute, which Path.glob refuses.
    matching = glob.glob(name, recursive=True)  # noqa: PTH207
    return sorted(_recordings((Path(p) for p in matching), domain))


def _recordings(paths: Iterable[Path], domain: str) -> list[Path]:
    return [p for p in paths if p.suffix.lower() in ENDINGS[domain] and p.is_file() and not p.name.startswith(".")]


def _manifest(path: Path, pattern: str) -> list[SourceFile]:
    """Read a table of files."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"the manifest {path} can't be read: {error}.") from error
    files = []
    for line, row in enumerate(rows, 2):
        if not row.get("path"):
            raise UsageError(f"{path}, line {line}, names no file; a manifest needs a column 'path'.")
        target = path.parent / row["path"]
        split = (row.get("split") or "").strip().lower()
        if split not in SPLITS:
            raise UsageError(f"{path}, line {line}: the split is '{split}', not 'train' or 'validation'.")
        subject = (row.get("person") or "").strip() or subject_of(target, pattern)
        files.append(SourceFile(target, subject, str(path), split))
    return files
