"""Files of a batch, here or at URLs: sizes and times, from a list where one was made. Work on the latter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip.batches.files import Found, Place
from eegzip.formats.errors import BadInputError, EegzipError
from eegzip.formats.files import sha256_of
from eegzip.formats.remote.path import RemotePath, RemoteStatus, taken
from eegzip.formats.remote.spooled import named_as

if TYPE_CHECKING:
    from eegzip.batches.work import LocalTask, Progress, Task


class Seen:
    """Sizes and times of files as they were when a batch began; those elsewhere are listed, not asked for one by one.

    Parameters
    ----------
    found : iterable of Found
        The sources.
    folder : Path or RemotePath, optional
        Where results go.
    """

    def __init__(self, found: Iterable[Found], folder: Place | None) -> None:
        # Pages of the web list names only.
        known = ((str(item.source), item.status) for item in found)
        self._sources = {name: status for name, status in known if status is not None and status.size is not None}
        self._folder = folder if isinstance(folder, RemotePath) else None
        self._targets: dict[str, RemoteStatus] | None = None

    def fields(self, path: Place) -> dict[str, Any]:
        """What the manifest says of a source, by which a change is noticed.

        Raises
        ------
        OSError, BadInputError
            It is not there.
        """
        status = self._sources.get(str(path))
        return status_fields(path) if status is None else fields_of(status)

    def size(self, path: Place) -> int:
        """Bytes; 0 where there is no such file, or nobody says."""
        try:
            if isinstance(path, Path):
                return path.stat().st_size
            status = self._status(path)
        except (OSError, EegzipError):
            return 0
        return status.size or 0 if status is not None else 0

    def exists(self, path: Place) -> bool:
        """Whether there is such a file."""
        return path.exists() if isinstance(path, Path) else self._status(path) is not None

    def _status(self, path: RemotePath) -> RemoteStatus | None:
        known = self._sources.get(path.url)
        if known is not None:
            return known
        if self._folder is not None and path.url.startswith(f"{self._folder.url.rstrip('/')}/"):
            if self._targets is None:
                self._targets = {file.url: status for _, file, status in _below(self._folder)}
            return self._targets.get(path.url)
        return path.status() if path.exists() else None


def _below(folder: RemotePath) -> Iterable[tuple[Any, RemotePath, RemoteStatus]]:
    try:
        return list(folder.below())
    except BadInputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return []
        raise


def status_fields(path: Place) -> dict[str, Any]:
    """Size and time of a file, by which a change is noticed."""
    if isinstance(path, RemotePath):
        return fields_of(path.status())
    status = path.stat()
    return {"source_bytes": status.st_size, "source_mtime_ns": status.st_mtime_ns}


def fields_of(status: RemoteStatus) -> dict[str, Any]:
    """Return the same of a file elsewhere, and the name of its version where it has one."""
    fields = {"source_bytes": status.size, "source_mtime_ns": status.mtime_ns}
    return fields if status.etag is None else {**fields, "source_etag": status.etag}


def work_elsewhere(
    task: Task, progress: Progress, work: Callable[[LocalTask, Progress], dict[str, Any]]
) -> dict[str, Any]:
    """Do a job whose files are not all here: fetch what it reads, work here, put the result there.

    The result is checked before it is put there; then what lies there is fetched once more and must be the same bytes.
    """
    from eegzip.batches.work import LocalTask

    with tempfile.TemporaryDirectory(prefix="eegzip-") as name:
        folder, fields = Path(name), {}
        source, target, writes = task.source, task.target, task.job.writes
        read, written = _here(folder / "source", source), None if target is None else _here(folder / "target", target)
        if isinstance(source, RemotePath):
            fields = fields_of(source.fetch(read))
        if isinstance(target, RemotePath) and written is not None:
            if not writes or task.made is not None:
                target.fetch(written)
            elif not task.overwrite and target.exists():
                raise taken(target)
        with named_as(read, str(source)), named_as(written or folder, str(target)):
            fields = {**work(LocalTask(**{**vars(task), "source": read, "target": written}), progress), **fields}
        if "error" in fields:
            fields["error"] = fields["error"].replace(str(read), str(source)).replace(str(written), str(target))
        if isinstance(source, RemotePath) and writes and status_fields(source) != fields_in(fields):
            raise BadInputError(f"{source} changed while it was read; run the same command again.")
        if isinstance(target, RemotePath) and written is not None and writes and task.made is None:
            target.put(written, overwrite=task.overwrite)
            if task.check:
                _check_put(target, folder / "back", fields["target_sha256"])
        return fields


def fields_in(line: dict[str, Any]) -> dict[str, Any]:
    """Those fields of a line of the manifest that :func:`status_fields` gives."""
    return {key: line[key] for key in ("source_bytes", "source_mtime_ns", "source_etag") if key in line}


def _here(folder: Path, path: Place) -> Path:
    """Where to work on a file: where it is, or in a folder under its name."""
    if isinstance(path, Path):
        return path
    folder.mkdir()
    return folder / Path(path.name).name


def _check_put(target: RemotePath, back: Path, digest: str) -> None:
    target.fetch(back)
    if sha256_of(back) != digest:
        target.unlink()
        raise BadInputError(f"{target} did not come back as it was put there; run the same command again.")
