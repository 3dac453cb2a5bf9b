"""The record of an archive: a line of JSON for each step with each file, appended and synced, never changed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from eegzip.formats.errors import BadInputError, OutputError, UsageError
from eegzip.formats.files import sync_folder
from eegzip.formats.json_text import parsed
from eegzip.formats.remote.path import RemotePath, is_url, place_of

FORMAT = 1

Line = dict[str, Any]


class Manifest:
    """An open manifest; a context manager that keeps others from writing to it.

    A line begins with ``manifest`` (its format), ``time``, ``job``, ``state`` and ``source``. ``started`` is written
    before a file is touched, ``done`` or ``failed`` once its result is on the disk, ``removed`` after its source was.
    The last line of a file counts. A line that a loss of power or a kill tore is left where it is and ended, and counts
    as none. Paths below the manifest's own folder are relative to it, so an archive may be moved; others are absolute.

    Parameters
    ----------
    path : Path
        Made where it is missing, with its folder.

    Raises
    ------
    OutputError
        It can't be written.
    UsageError
        Another run writes to it.
    BadInputError
        It is no manifest.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links in it stay
        self._last: dict[tuple[str, str], Line] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise OutputError(f"{path} can't be written ({error.strerror}); choose another manifest.") from error
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows, where nothing but care keeps two runs apart
            return
        try:
            # Let go by the system when the process ends, however it ends.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another run writes to the manifest {self.path}; wait until it has ended, or use another manifest."
            ) from None
        except OSError:  # a file system without locks
            return

    def _read(self) -> None:
        content = self._file.read()
        whole, _, torn = content.rpartition(b"\n")
        lines = [line for line in map(_parsed, whole.split(b"\n")) if line is not None]
        if content and not lines and _parsed(torn) is None and not content.startswith(b'{"manifest":'):
            raise BadInputError(f"{self.path} is no manifest of eegzip; name another file.")
        for line in lines:
            self._last[line["job"], line["source"]] = line
        if torn:
            self._write(b"\n")
            mended = _parsed(torn)
            if mended is not None:  # only its end was torn off
                self._last[mended["job"], mended["source"]] = mended
        if not content:
            sync_folder(self._folder)

    def name(self, path: Path | RemotePath) -> str:
        """How the manifest names a file."""
        if isinstance(path, RemotePath):
            return path.url
        whole = Path(os.path.abspath(path))  # noqa: PTH100 - a link is a file of its own
        if whole.is_relative_to(self._folder):
            return whole.relative_to(self._folder).as_posix()
        return str(whole)

    def path_of(self, name: str) -> Path | RemotePath:
        """The file that the manifest names so."""
        return place_of(name) if is_url(name) else self._folder / name

    def last(self, job: str, source: Path | RemotePath) -> Line | None:
        """The last line about a file, if there is one."""
        return self._last.get((job, self.name(source)))

    def append(self, job: str, state: str, source: Path | RemotePath, **fields: Any) -> Line:
        """Append a line and wait until it is on the disk.

        Raises
        ------
        OutputError
            It can't be written.
        """
        time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = {"manifest": FORMAT, "time": time, "job": job, "state": state, "source": self.name(source), **fields}
        self._write(json.dumps(line, allow_nan=False).encode() + b"\n")
        self._last[job, line["source"]] = line
        return line

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) or 0 :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(
                f"the manifest {self.path} can't be written ({error.strerror}); what was done so far is recorded. Free "
                "space and run the same command again."
            ) from error


def read_manifest(path: str | Path) -> list[Line]:
    """Return the last line about each file, by which an archive is known.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    BadInputError
        It can't be read.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise BadInputError(f"the manifest {path} can't be read ({error.strerror}); check the name.") from error
    last: dict[tuple[str, str], Line] = {}
    for line in map(_parsed, content.split(b"\n")):
        if line is not None:
            last[line["job"], line["source"]] = line
    return list(last.values())


def _parsed(text: bytes) -> Line | None:
    """A line, or ``None`` where it is torn."""
    with suppress(ValueError):
        line = parsed(text)
        if isinstance(line, dict) and all(isinstance(line.get(key), str) for key in ("job", "state", "source")):
            return line
    return None
