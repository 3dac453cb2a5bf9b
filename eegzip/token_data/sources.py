"""Sources of tokens: recordings, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eegzip.batches.files import COMPRESSED, RECORDINGS, Job, Place, find
from eegzip.batches.manifest import read_manifest
from eegzip.formats.errors import UsageError
from eegzip.formats.remote.path import place_of
from eegzip.token_data.labels import Labels
from eegzip.training.data.subjects import subject_of


@dataclass(frozen=True)
class Source:
    """A recording.

    Parameters
    ----------
    path : Path or RemotePath
    subject : str
    label : str or None
        ``None`` where no labels were given.
    """

    path: Place
    subject: str
    label: str | None


def found(paths: Iterable[str | Path], labels: Labels | None, subject: str, *, recordings: bool) -> list[Source]:
    """Find recordings, each once, in an order that stays the same.

    Parameters
    ----------
    paths : iterable of path-like
        Files; folders, of which all ``.eegz`` files are taken (both may be URLs); manifests of ``eegzip archive``
        (``.jsonl``), which name their results.
    labels : Labels or None
    subject : str
        Regular expression whose first group is the subject in a path; empty for what names of files usually say.
    recordings : bool
        Whether to take EDF and BDF files of folders, too, but those beside which lies the ``.eegz`` file of their name;
        and what is not here, but at a URL.

    Raises
    ------
    UsageError
        There is none, a label is missing, or the pattern finds no subject.
    BadInputError
        A manifest can't be read.
    """
    named: list[str | Path] = []
    for path in paths:
        named += _of_manifest(Path(path)) if str(path).endswith(".jsonl") else [path]
    job = Job.INFO if recordings else Job.VERIFY
    files = [each.source for each in find(named, job, recursive=True)]
    elsewhere = next((path for path in files if not isinstance(path, Path)), None)
    if elsewhere is not None and not recordings:
        raise UsageError(f"{elsewhere} is not here, where windows of tokens are read from; fetch it first.")
    stated = {place_of(path) for path in named}
    known = {path.name for path in files if path.suffix.lower() in COMPRESSED}
    chosen = [path for path in files if path in stated or not _is_compressed_beside(path, known)]
    if not chosen:
        raise UsageError(f"there is no recording in {', '.join(map(str, paths))}; name .eegz files or folders of them.")
    sources = []
    for place in chosen:
        name = place if isinstance(place, Path) else PurePosixPath(place.url.split("://", 1)[1])
        who = None if labels is None else labels.subject_of(name)
        who = subject_of(name, subject) if who is None else who
        sources.append(Source(place, who, None if labels is None else labels.of(name, who)))
    return sources


def _is_compressed_beside(path: Place, known: set[str]) -> bool:
    names = {f"{path.name}{COMPRESSED[0]}", f"{path.stem}{COMPRESSED[0]}"}
    return path.suffix.lower() in RECORDINGS and not known.isdisjoint(names)


def _of_manifest(path: Path) -> Sequence[Path]:
    """Results that a manifest calls done."""
    done = [
        path.parent / line["target"]
        for line in read_manifest(path)
        if line["job"] == "compress" and line["state"] in ("done", "removed") and line.get("target")
    ]
    if not done:
        raise UsageError(f"{path} names no .eegz file that is done.")
    return done
