"""A file or folder at a URL: any that fsspec knows, such as ``s3://``, ``gs://``, ``https://``, ``sftp://``."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any
from urllib.parse import unquote

from eegzip.formats.errors import BadInputError, OutputError, OutputExistsError, UsageError
from eegzip.formats.remote.asking import asking, file_system

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+(?:::|://))+", re.ASCII)

_WHOLE_ONLY = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"})
"""Stores in which an object appears when it is complete, or not at all."""

_WEB = frozenset({"http", "https"})
"""Where files are read only."""

_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
"""What file systems call the time of modification."""


@dataclass(frozen=True)
class RemoteStatus:
    """What is known of a remote file without reading it.

    Parameters
    ----------
    size : int or None
        Bytes; ``None`` where a server does not say.
    mtime_ns : int or None
        Time of modification in nanoseconds since 1970, where it is known.
    etag : str or None
        What an object store or a web server calls this version of the file.
    """

    size: int | None
    mtime_ns: int | None
    etag: str | None


@dataclass(frozen=True)
class RemotePath:
    """A URL, with the parts of a :class:`pathlib.Path` that names need, and the few things that are done with files.

    Parameters
    ----------
    url : str

    Raises
    ------
    BadInputError, OutputError, UsageError
        From whatever asks the server: a sentence that names the URL.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def scheme(self) -> str:
        """What comes before ``://``, in small letters; of chained URLs the first."""
        return re.split("::|://", self.url, maxsplit=1)[0].lower()

    def _split(self) -> tuple[str, str, str]:
        """Folder with its slash, name, and what follows the name (the query of a web address)."""
        rest, tail = self.url, ""
        if self.scheme in _WEB:
            rest = re.split("[?#]", self.url, maxsplit=1)[0]
            tail = self.url[len(rest) :]
        start = rest.index("://") + 3
        rest = rest[:start] + rest[start:].rstrip("/")
        cut = max(rest.rfind("/") + 1, start)
        return rest[:cut], rest[cut:], tail

    @property
    def name(self) -> str:
        """The last part, as a file of this name could be called."""
        name = self._split()[1]
        if self.scheme in _WEB:
            plain = unquote(name)
            return name if set(plain) & set("/\\\0") or plain in ("", ".", "..") else plain
        return name

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending of the name."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> RemotePath:
        """The folder."""
        return RemotePath(self._split()[0])

    def with_name(self, name: str) -> RemotePath:
        """Another file in the same folder."""
        return RemotePath(self._split()[0] + name)

    def with_suffix(self, suffix: str) -> RemotePath:
        """The same name with another ending."""
        return self.with_name(self.stem + suffix)

    def __truediv__(self, place: str | os.PathLike[str]) -> RemotePath:
        """Return a file below this folder."""
        return RemotePath(f"{self.url.rstrip('/')}/{PurePosixPath(place).as_posix()}")

    def is_symlink(self) -> bool:
        """False: what a link at a server leads to is the server's affair."""
        return False

    def exists(self) -> bool:
        """Whether there is such a file."""
        try:
            self.status()
        except BadInputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise
        return True

    def status(self) -> RemoteStatus:
        """Ask for size and time; never from memory."""
        with asking(self.url, "read"):
            system, path = file_system(self.url)
            system.invalidate_cache()
            return _status(system.info(path))

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from `start` up to `stop`, in one request; all of the file where a server can't give a part."""
        try:
            return self._part(start, stop)
        except BadInputError as error:
            # An empty file has no part at all.
            if start or isinstance(error.__cause__, FileNotFoundError | PermissionError) or self.status().size != 0:
                raise
            return b""

    def read_last(self, count: int) -> bytes:
        """The last bytes, in one request; all of the file where a server can't give a part, or where it is shorter."""
        return self._part(-count, None)

    def _part(self, start: int, stop: int | None) -> bytes:
        with asking(self.url, "read"):
            system, path = file_system(self.url)
            return bytes(system.cat_file(path, start=start, end=stop))

    def fetch(self, target: Path) -> RemoteStatus:
        """Write the whole file to a local one, which gets its time of modification; return what it was."""
        found = self.status()
        with asking(self.url, "read"):
            system, path = file_system(self.url)
            system.get_file(path, str(target))
            size = target.stat().st_size
            if found.size is not None and size != found.size:
                raise BadInputError(f"{self.url} came with {size} of {found.size} bytes; try again.")
            if found.mtime_ns is not None:
                os.utime(target, ns=(found.mtime_ns, found.mtime_ns))
        return found

    def refuse_to_write(self) -> None:
        """Refuse what can't be written, before work is done for it."""
        if self.scheme in _WEB:
            raise OutputError(f"{self.url} can only be read; name an output elsewhere.")
        with asking(self.url, "written"):
            file_system(self.url)

    def put(self, source: Path, *, overwrite: bool) -> None:
        """Write a local file there: whole, or not at all.

        Raises
        ------
        OutputExistsError
            There is a file of this name, and `overwrite` is false.
        """
        self.refuse_to_write()
        if not overwrite and self.exists():
            raise taken(self)
        with asking(self.url, "written"):
            system, path = file_system(self.url)
            if self.scheme in _WHOLE_ONLY:
                system.put_file(str(source), path)
            else:
                _put_beside(system, source, path)
        found, size = self.status().size, source.stat().st_size
        if found != size:
            raise OutputError(f"{self.url} holds {found} of {size} bytes after it was written; write it again.")

    def unlink(self) -> None:
        """Remove the file."""
        with asking(self.url, "removed"):
            system, path = file_system(self.url)
            system.rm_file(path)

    def below(self) -> Iterator[tuple[PurePosixPath, RemotePath, RemoteStatus]]:
        """All files below this folder, in the order of their names: the name below it, the file, what is known of it.

        Costs one request a thousand objects of a store, or one a folder.
        """
        with asking(self.url, "read"):
            system, path = file_system(self.url)
            system.invalidate_cache()
            found = system.find(path, detail=True)
        yield from self._listed(found, path)

    def matching(self, pattern: str) -> Iterator[tuple[PurePosixPath, RemotePath, RemoteStatus]]:
        """Files below this folder that a pattern names, as :meth:`below` gives them; ``**`` is any folders."""
        with asking(self.url, "read"):
            system, path = file_system(self.url)
            system.invalidate_cache()
            found = system.glob(f"{path.rstrip('/')}/{pattern}", detail=True)
        yield from self._listed({name: info for name, info in found.items() if info["type"] == "file"}, path)

    def _listed(
        self, found: dict[str, dict[str, Any]], path: str
    ) -> Iterator[tuple[PurePosixPath, RemotePath, RemoteStatus]]:
        root = path.rstrip("/") + "/"
        for name in sorted(found):
            # A page may link to anywhere.
            if name.startswith(root) and len(name) > len(root):
                place = name[len(root) :]
                file = self / place
                if self.scheme in _WEB:
                    place = posixpath.join(posixpath.dirname(place), file.name)
                yield PurePosixPath(place), file, _status(found[name])


def is_url(path: object) -> bool:
    """Whether something is a text that begins as a URL does; a drive's letter is none."""
    return isinstance(path, str) and _URL.match(path) is not None and "://" in path


def place_of(path: str | os.PathLike[str] | RemotePath) -> Path | RemotePath:
    """A path to a file here, or one elsewhere; ``file://`` is here."""
    if isinstance(path, RemotePath):
        return path
    if isinstance(path, str) and is_url(path):
        remote = RemotePath(path)
        if remote.scheme not in ("file", "local"):
            return remote
        return Path(unquote(path.split("://", 1)[1]))
    return Path(path)


def taken(path: RemotePath) -> OutputExistsError:
    """What is said of a name that is taken."""
    return OutputExistsError(f"{path} exists already; use -f (overwrite=True) to replace it, or choose another name.")


def refuse_memory_elsewhere(path: Path | RemotePath) -> None:
    """Refuse what only this process can see, where another is to work on it."""
    if isinstance(path, RemotePath) and path.scheme == "memory":
        raise UsageError(f"{path} is in the memory of this process, and no other can see it; use jobs=0 (-j 0).")


def _put_beside(system: Any, source: Path, path: str) -> None:
    """Write under another name first, as a file that is being written can be seen there."""
    folder, name = posixpath.split(path)
    with suppress(FileExistsError):
        system.makedirs(folder, exist_ok=True)
    temporary = posixpath.join(folder, f".{name[:50]}.{token_hex(4)}.part")
    try:
        system.put_file(str(source), temporary)
        system.mv(temporary, path)
    except BaseException:
        with suppress(Exception):
            system.rm_file(temporary)
        raise


def _status(info: dict[str, Any]) -> RemoteStatus:
    size = info.get("size")
    etag = info.get("ETag") or info.get("etag")
    when = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    mtime = _nanoseconds(when)
    if etag is None:
        return RemoteStatus(None if size is None else int(size), mtime, None)
    # Lists of stores have fractions of seconds, answers about one object have none; the version tells the rest.
    whole = None if mtime is None else mtime // 10**9 * 10**9
    return RemoteStatus(None if size is None else int(size), whole, str(etag))


def _nanoseconds(when: object) -> int | None:
    """Time of modification as file systems state it: seconds, a date, or a text."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when.replace("Z", "+00:00"))
        except ValueError:
            return None
    if isinstance(when, datetime):
        when = when.timestamp()
    # Microseconds are what a float of seconds has.
    return round(when * 10**6) * 1000 if isinstance(when, int | float) else None
