"""Files that a batch is of, and where the result of each goes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath, PurePosixPath

from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.errors import UsageError
from eegzip.formats.remote.path import RemotePath, RemoteStatus, is_url, place_of

RECORDINGS = (".edf", ".bdf")
COMPRESSED = (".eegz",)


class Job(str, Enum):
    """What is done to each file of a batch."""

    COMPRESS = "compress"
    DECOMPRESS = "decompress"
    VERIFY = "verify"
    INFO = "info"
    EVALUATE = "evaluate"
    REPORT = "report"

    @property
    def writes(self) -> bool:
        """Whether it makes a file of each."""
        return self in (Job.COMPRESS, Job.DECOMPRESS)

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of the files that are taken from folders."""
        if self in (Job.COMPRESS, Job.EVALUATE):
            return RECORDINGS
        return COMPRESSED if self is not Job.INFO else RECORDINGS + COMPRESSED


Place = Path | RemotePath

Named = str | Path | RemotePath


@dataclass(frozen=True)
class Found:
    """A file of a batch.

    Parameters
    ----------
    source : Path or RemotePath
    place : PurePath
        Where below the folder of results its result belongs, by the name of the source.
    root : Path or RemotePath
        The folder whose tree is mirrored there.
    status : RemoteStatus, optional
        What a list of remote files says of it, which saves asking for each.
    """

    source: Place
    place: PurePath
    root: Place
    status: RemoteStatus | None = None


def is_pattern(path: str) -> bool:
    """Whether a PATH is a pattern for names, and not itself the name of a file."""
    if is_url(path):
        return any(letter in path for letter in "*[")  # a question mark begins a query
    return glob.has_magic(path) and not os.path.lexists(path)


def find(paths: Iterable[Named], job: Job, *, recursive: bool, listed: Iterable[Named] = ()) -> Iterator[Found]:
    """Find the files of a batch, each once, in an order that stays the same.

    Parameters
    ----------
    paths : iterable of path-like or URLs
        Files, whatever their names; folders, of which with `recursive` all files of the job's endings are taken, hidden
        ones aside; patterns as of a shell, with ``**`` for folders below.
    job : Job
    recursive : bool
    listed : iterable of path-like
        Files by name, whose folders are kept below the folder of results.

    Raises
    ------
    UsageError
        A pattern matches nothing.
    """
    known: set[str] = set()
    for found in _all(paths, job, recursive=recursive, listed=listed):
        name = str(found.source)
        if isinstance(found.source, Path):
            name = os.path.abspath(name)  # noqa: PTH100 - not resolved: links are files of their own
        if name not in known:
            known.add(name)
            yield found


def _all(paths: Iterable[Named], job: Job, *, recursive: bool, listed: Iterable[Named]) -> Iterator[Found]:
    for path in map(str, paths):
        remote = place_of(path)
        if isinstance(remote, RemotePath):
            yield from _elsewhere(remote, job, recursive=recursive)
        elif is_pattern(path):
            yield from _matching(path, job, recursive=recursive)
        elif recursive and Path(path).is_dir():
            yield from _below(Path(path), Path(path), job)
        else:
            # A folder without -r as well: whoever opens it says what is wrong with it.
            yield Found(Path(path), Path(Path(path).name), Path(path).parent)
    for path in map(str, listed):
        remote = place_of(path)
        if isinstance(remote, RemotePath):
            parts = [part for part in remote.parent.url.split("://", 1)[1].split("/") if part]
            yield Found(remote, PurePosixPath(*parts, remote.name), remote.parent)
            continue
        place, root = Path(os.path.normpath(path)), Path()
        if place.is_absolute() or ".." in place.parts:
            whole = Path(os.path.abspath(path))  # noqa: PTH100
            place, root = whole.relative_to(whole.anchor), Path(whole.anchor)
        yield Found(Path(path), place, root)


def _elsewhere(path: RemotePath, job: Job, *, recursive: bool) -> Iterator[Found]:
    """Files at a URL, which may be a pattern, or with `recursive` a folder."""
    if is_pattern(path.url):
        start = min(path.url.find(letter) for letter in "*[" if letter in path.url)
        cut = path.url.rfind("/", 0, start) + 1
        folder, pattern = RemotePath(path.url[:cut]), path.url[cut:]
        files = [(place, file, status) for place, file, status in folder.matching(pattern) if _wanted(place, None)]
        if not files:
            raise UsageError(f"no file matches '{path}'; check the pattern and the folder.")
    elif recursive and not path.suffix.lower().endswith(job.endings):
        folder = path
        files = [(place, file, status) for place, file, status in path.below() if _wanted(place, job)]
    else:
        yield Found(path, PurePosixPath(path.name), path.parent)
        return
    for place, file, status in files:
        yield Found(file, place, folder, status)


def _wanted(place: PurePosixPath, job: Job | None) -> bool:
    """Whether a file below a folder is one to take: not hidden, and of the endings of a job, where one is named."""
    ours = job is None or place.name.lower().endswith(job.endings)
    return ours and not any(part.startswith(".") and part != ".." for part in place.parts)


def _matching(pattern: str, job: Job, *, recursive: bool) -> Iterator[Found]:
    parts = Path(pattern).parts
    fixed = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - as typed
    if not found:
        raise UsageError(f"no file matches '{pattern}'; check the pattern and the folder.")
    for path in found:
        if not path.is_dir():
            yield Found(path, path.relative_to(fixed), fixed)
        elif recursive:
            yield from _below(path, fixed, job)


def _below(folder: Path, root: Path, job: Job) -> Iterator[Found]:
    """Files below a folder; links to files count, links to folders don't, as they may lead in circles."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            # Hidden files are what other systems and unfinished work leave beside recordings ("._night.edf").
            if name.lower().endswith(job.endings) and not name.startswith("."):
                path = Path(place, name)
                yield Found(path, path.relative_to(root), root)


def target_of(found: Found, job: Job, folder: Place | None, key: AnyKey | None = None) -> Place | None:
    """Where the result of a file goes: beside it, or to its place below a folder.

    The name of a recording is kept whole (``night.edf.eegz``), so that ``night.bdf`` beside it makes another; of an
    ``.eegz`` file's name the ending goes, and that of a recording comes where it is missing.

    Raises
    ------
    ContainerError, SealedError
        The file has to be opened for the ending of its recording, and can't be read.
    UsageError
        The name of a remote file leads out of the folder.
    """
    if not job.writes:
        return None
    if ".." in found.place.parts:
        raise UsageError(f"{found.source} has '..' in its name, which would lead out of the folder of results.")
    place = found.source if folder is None else folder / found.place
    if job is Job.COMPRESS:
        return place.with_name(f"{place.name}.eegz")
    return place.with_name(restored_name(found.source, key))


def restored_name(source: Place, key: AnyKey | None = None) -> str:
    """The name of the recording in an ``.eegz`` file: ``night.edf`` of ``night.edf.eegz``, as of ``night.eegz``."""
    from eegzip.formats.eegz.reader import EegzReader

    name = source.stem
    if Path(name).suffix.lower() in RECORDINGS:
        return name
    with EegzReader(source, key=key) as reader:
        return name + (".edf" if reader.header.sample_bytes == 2 else ".bdf")


def restored_beside(found: Found, folder: Place | None) -> Place:
    """What a recording is evaluated with: the ``.eegz`` file of its name beside it or in a folder, or a recording."""
    place = found.source if folder is None else folder / found.place
    candidates: list[Place] = [place.with_name(f"{place.name}.eegz"), place.with_suffix(".eegz")]
    candidates += [place] if folder else []
    return next((path for path in candidates if path.exists()), candidates[0])


def make_folders(found: Found, target: Place, folder: Place | None) -> None:
    """Make the folders of a mirrored tree, no wider open than those they mirror, and as root of the same owners."""
    if not isinstance(folder, Path) or not isinstance(target, Path):
        return  # those elsewhere are made with their files
    folder.mkdir(parents=True, exist_ok=True)
    here, there = folder, Path() if isinstance(found.root, RemotePath) else found.root
    for part in target.parent.relative_to(folder).parts:
        here, there = here / part, there / part
        if here.is_dir():
            continue
        if isinstance(found.root, RemotePath):
            here.mkdir(exist_ok=True)
            continue
        status = there.stat()
        here.mkdir(mode=(status.st_mode & 0o777) | 0o700, exist_ok=True)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            with suppress(OSError):
                os.chown(here, status.st_uid, status.st_gid)
