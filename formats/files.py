"""Opening files, and writing them so that they appear whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from operator import and_
from pathlib import Path
from typing import BinaryIO

from eegzip.formats.errors import BadInputError, EegzipError, OutputError, OutputExistsError, UsageError
from eegzip.formats.remote.path import RemotePath, place_of
from eegzip.formats.remote.spooled import Source, Target, path_of

if sys.platform != "win32":  # where a file that somebody writes can't be removed anyway
    import fcntl

_BLOCK_BYTES = 1 << 20


def open_for_reading(path: str | Path) -> BinaryIO:
    """Open a file in binary mode.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    binary file

    Raises
    ------
    BadInputError
        It does not exist, is a folder or a pipe, or may not be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInputError(f"{path} is a folder, not a file; name a file in it.")
        file = path.open("rb")
    except FileNotFoundError:
        raise BadInputError(f"{path} does not exist; check the name.") from None
    except PermissionError:
        raise BadInputError(f"{path} may not be read (permission denied); change its permissions or user.") from None
    except OSError as error:
        raise BadInputError(f"{path} can't be opened ({error.strerror or error}).") from error
    if not file.seekable():
        file.close()
        raise BadInputError(f"{path} is a pipe or a device, not a file; save it to a file first.")
    return file


def begins_as_eegz(start: bytes) -> bool:
    """Whether bytes are the first of an ``.eegz`` file; the very first, which a transfer "as text" damages, may be any.

    Parameters
    ----------
    start : bytes
        Five of them at least.
    """
    return start[1:5] == b"EEGZ"


def is_eegz(path: str | Path | RemotePath) -> bool:
    """Whether a file begins as an ``.eegz`` file does.

    Parameters
    ----------
    path : path-like or URL

    Raises
    ------
    BadInputError
        It does not exist, is a folder or a pipe, or may not be read.
    """
    place = place_of(path)
    if isinstance(place, RemotePath):
        return begins_as_eegz(place.read(0, 5)[:5])
    with open_for_reading(place) as file:
        return begins_as_eegz(file.read(5))


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal, without holding all of it.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    OSError
        It can't be read.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_output(
    path: Path,
    *,
    overwrite: bool,
    source: str | Path | None = None,
    also: Iterable[str | Path] = (),
    check: Callable[[Path], object] | None = None,
) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its name once everything is written and synced.

    Parameters
    ----------
    path : Path
        The file to make. Where it is a link, what it leads to; a pipe or a device is never replaced.
    overwrite : bool
        Whether an existing file may be replaced.
    source : path-like, optional
        What the file is made of: who may not read that may not read the file either, and the file keeps its time of
        modification and, where root writes it, its owner and group. Until it is complete, only its owner may read it.
    also : iterable of path-like
        Other files that it is made of, or tells of: who may not read one of them may not read the file either.
    check : callable, optional
        Called with the temporary file when all of it is on the disk; when it raises, the file never appears.

    Yields
    ------
    binary file
        Open for writing and seeking. When the block raises, the temporary file is removed and `path` is as before.

    Raises
    ------
    OutputExistsError
        `path` exists and `overwrite` is false (also when it appeared meanwhile).
    OutputError
        The folder does not exist, can't be written, or is full.
    """
    named, path = Path(path), _real_place(Path(path), overwrite=overwrite)
    remove_leftovers(path)
    try:
        origin = None if source is None else Path(source).stat()
        origins = [*([] if origin is None else [origin]), *(Path(other).stat() for other in also)]
        temporary, descriptor, lock = _temporary(path, reduce(and_, (each.st_mode for each in origins), 0o666))
    except OSError as error:
        raise _cannot_write(named, error) from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if origin is not None:
                _keep_owner(temporary, origin)
            created = os.fstat(descriptor)
            if origins:
                _set_mode(temporary, 0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        if origins:
            _set_mode(temporary, reduce(and_, (_mode_like(each, created) for each in origins)))
        if origin is not None:
            os.utime(temporary, ns=(origin.st_atime_ns, origin.st_mtime_ns))
        _take_name(temporary, path, overwrite=overwrite)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise _cannot_write(named, error) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if lock is not None:
            os.close(lock)


def _real_place(path: Path, *, overwrite: bool) -> Path:
    """Where an output really goes: a link is followed, so that it stays one.

    Raises
    ------
    OutputError, OutputExistsError
        What is there can't be replaced, or may not.
    """
    try:
        there = _status_of(path)
        place = Path(os.path.realpath(path)) if path.is_symlink() else path
    except OSError as error:
        raise _cannot_write(path, error) from error
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise OutputError(f"{path} is a folder; name a file to write.")
    if (there is not None or path.is_symlink()) and not overwrite:
        raise _exists(path)
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise OutputError(f"{path} is a pipe or a device, which no option replaces; name a file, or - for a pipe.")
    return place


def _status_of(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _temporary(path: Path, mode: int) -> tuple[Path, int, int | None]:
    """Make a temporary file beside a path: its name, a descriptor, and one that keeps it locked while it is open.

    By the lock others know that somebody writes the file, until its writer dies, however that happens.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        # Names may have 255 bytes, and a letter up to four of them.
        temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
        # Exclusive creation; the mode follows the user's umask as for any new file.
        descriptor = os.open(temporary, flags, mode)
        if sys.platform == "win32":
            return temporary, descriptor, None
        with suppress(OSError):  # some file systems know no locks; there nobody takes the file for a leftover
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor, os.dup(descriptor)
        os.close(descriptor)  # taken for a leftover before it was locked


def _keep_owner(path: Path, origin: os.stat_result) -> None:
    """Give a file that root makes to the owner of what it is made of, as gzip and zstd do."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        with suppress(OSError):  # root without that right, or a file system without owners
            os.chown(path, origin.st_uid, origin.st_gid)


def _mode_like(origin: os.stat_result, created: os.stat_result) -> int:
    """Permissions of a file made of another, as the user's umask left them when it was created."""
    mode = stat.S_IMODE(created.st_mode)
    if created.st_gid != origin.st_gid:
        # To the other file this one's group are some among all others.
        mode &= ~0o070 | (stat.S_IMODE(origin.st_mode) & 0o007) << 3
    return mode


def narrow_folder(folder: Path, sources: Iterable[str | Path]) -> None:
    """Let nobody into a new folder who may not read one of the files that its content is made of."""
    created = folder.stat()
    origins = [Path(source).stat() for source in sources]
    mode = reduce(and_, (_mode_like(each, created) & each.st_mode for each in origins), 0o777)
    # Who may read a file may look for names in a folder, too.
    _set_mode(folder, stat.S_IMODE(created.st_mode) & (mode | (mode & 0o444) >> 2 | 0o700))


def _set_mode(path: Path, mode: int) -> None:
    with suppress(OSError):  # some file systems know no permissions
        path.chmod(mode)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Replace a file of the program's own, which one process writes at a time, by a whole one or not at all.

    Parameters
    ----------
    path : Path
        The file to make or to replace.

    Yields
    ------
    Path
        A file beside it to write. It takes the name of `path` at the end of the block; when the block raises, it is
        removed. Errors of the system pass as they are.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _take_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
    else:
        try:
            # A hard link fails when the name was taken meanwhile, which a rename would overwrite silently.
            os.link(temporary, path)
        except FileExistsError as error:
            raise _exists(path) from error
        except OSError:  # a file system without hard links
            if path.exists():
                raise _exists(path) from None
            temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names that came or went in a folder last through a loss of power, on systems that can."""
    with suppress(OSError):  # not every system lets a folder be synced
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(path: Path) -> None:
    """Remove what :func:`atomic_output` left of `path` where it was killed, and nothing that somebody is writing."""
    for leftover in path.parent.glob(f".{glob.escape(path.name[:50])}.????????.part"):
        with suppress(OSError):
            if not stat.S_ISREG(leftover.lstat().st_mode):
                continue
            if sys.platform == "win32":
                leftover.unlink()
                continue
            descriptor = os.open(leftover, os.O_RDONLY)
            try:
                # Fails where somebody writes it, and where there are no locks to tell.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)


def forget_cached(path: Path) -> None:
    """Ask the system to read a file from the disk the next time, and not from memory; where it can."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{path} exists already; use -f (overwrite=True) to replace it, or choose another name.")


def _cannot_write(path: Path, error: OSError) -> OutputError:
    what = error.strerror or str(error)
    return OutputError(
        f"{path} could not be written ({what}); nothing was left behind. Free space or choose another place."
    )


def refuse_own_source(source: Source, target: Target) -> None:
    """Refuse to write over what is being read, which no option makes sensible.

    Raises
    ------
    UsageError
        Both are one file, by whatever names.
    """
    read, written = path_of(source), path_of(target)
    same = read is not None and read == written
    if isinstance(read, Path) and isinstance(written, Path):
        with suppress(OSError):  # one is not there, so they are two
            same = written.samefile(read)
    if same:
        raise UsageError(f"{target} is the input itself; name another output.")


def first_bytes(target: Target, count: int) -> bytes:
    """The first bytes of a file, to see what is about to be replaced; none where there is no file to be read."""
    path = path_of(target)
    if isinstance(path, RemotePath):
        with suppress(EegzipError):
            return path.read(0, count)[:count]
        return b""
    try:
        # Looked at before it is opened: opening a pipe would wait for ever.
        if path is not None and path.is_file():
            with path.open("rb") as file:
                return file.read(count)
    except OSError:
        pass
    return b""
