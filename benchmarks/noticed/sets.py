"""The labelled sets: pieces of their recordings, the class of each window, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cutting import cut_middle

from eegzip.formats.edf import EdfFile, read_timeline

TEN_TWENTY = (
    "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8", "Fz", "Cz", "Pz",
)  # fmt: skip
"""Of 64 channels these are kept, whose features would be too many to learn from 14 people."""


@dataclass(frozen=True)
class LabelledSet:
    """A set of recordings with classes.

    Parameters
    ----------
    name : str
        Folder.
    what : str
        Its classes, in words.
    channels : tuple of str
        Electrodes kept; empty for all.
    trials : bool
        Whether classes are of trials, which begin at annotations; else a recording has one class.
    folds : int
    """

    name: str
    what: str
    channels: tuple[str, ...] = ()
    trials: bool = False
    folds: int = 5


SETS = {
    "adhd": LabelledSet("adhd", "children with ADHD or without"),
    "eegmat": LabelledSet("eegmat", "rest or mental arithmetic"),
    "ssvep_exo": LabelledSet("ssvep_exo", "which of three lights flickers, or none", trials=True, folds=4),
    "vep": LabelledSet("vep", "alcoholic or control", channels=TEN_TWENTY),
}


@dataclass(frozen=True)
class Piece:
    """A piece of a recording.

    Parameters
    ----------
    path : Path
        EDF.
    subject : str
    labels : tuple of str
        Of the windows, or one of the whole.
    starts : tuple of float or None
        Seconds at which windows begin, where they are trials.
    """

    path: Path
    subject: str
    labels: tuple[str, ...]
    starts: tuple[float, ...] | None = None


def pieces(of: LabelledSet, data: Path, cache: Path, seconds: float) -> list[Piece]:
    """Cut the middle `seconds` of every recording of a set; of trials: all of the first recording of each person."""
    files = sorted((data / of.name).glob("*.edf"))
    if of.trials:
        first = {path.stem.split("_")[0]: path for path in reversed(files)}
        return [_trials(path, subject) for subject, path in sorted(first.items())]
    return [
        Piece(
            cut_middle(path, cache / f"{path.stem}-{seconds:g}s.edf", seconds, of.channels),
            _subject(of.name, path),
            (_label(of.name, path),),
        )
        for path in files
    ]


def _label(group: str, path: Path) -> str:
    if group == "adhd":
        return path.stem.split("_")[0]
    if group == "eegmat":
        return {"1": "rest", "2": "arithmetic"}[path.stem.split("_")[1]]
    return {"a": "alcoholic", "c": "control"}[path.stem[3]]


def _subject(group: str, path: Path) -> str:
    return path.stem.split("_")[0] if group == "eegmat" else path.stem


def _trials(path: Path, subject: str) -> Piece:
    with EdfFile.open(path) as file:
        notes = read_timeline(file).annotations
        length = file.n_records * (file.header.record_duration or 0.0)
    inside = [(note.onset, note.text) for note in notes if note.text.startswith("cls") and note.onset + 6 <= length]
    onsets, labels = zip(*inside, strict=True)
    return Piece(path, subject, tuple(labels), tuple(onsets))
