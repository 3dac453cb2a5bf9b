"""Sources and targets elsewhere, worked on as local files: fetched before, put there when complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from eegzip.formats.errors import BadInputError, EegzipError, OutputError
from eegzip.formats.remote.path import RemotePath, place_of, taken

Source = str | os.PathLike[str] | RemotePath | bytes | BinaryIO
"""A path, a URL, the content itself, or a binary file open for reading."""

Target = str | os.PathLike[str] | RemotePath | BinaryIO
"""A path, a URL, or a binary file open for writing."""


def name_of(place: Source | Target) -> str:
    """What to call a source or a target."""
    if isinstance(place, str | os.PathLike | RemotePath):
        return str(place)
    name = getattr(place, "name", None)
    return name if isinstance(name, str) else f"<{type(place).__name__}>"


def path_of(place: Source | Target) -> Path | RemotePath | None:
    """Where a source or a target is; ``None`` where it is itself at hand."""
    return place_of(place) if isinstance(place, str | os.PathLike | RemotePath) else None


def files_here(*places: Source) -> list[Path]:
    """Of some sources, those that are files here, whose permissions a result takes over."""
    return [place for place in map(path_of, places) if isinstance(place, Path) and place.is_file()]


@contextmanager
def local_source(source: Source) -> Iterator[Path]:
    """Yield a local file: the source itself, or what was fetched from it, which goes at the end of the block.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        A file is read from where it stands.

    Raises
    ------
    BadInputError, UsageError
        It can't be read.
    """
    place = path_of(source)
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        spool = Path(folder) / _file_name(name_of(source))
        if isinstance(place, RemotePath):
            place.fetch(spool)
        elif not isinstance(source, str | os.PathLike | RemotePath):
            _spool(BytesIO(source) if isinstance(source, bytes) else source, spool)
        with named_as(spool, name_of(source)):
            yield spool


@contextmanager
def local_target(target: Target, *, overwrite: bool) -> Iterator[Path]:
    """Yield a local file to make: the target itself, or one that is put there at the end of the block.

    Parameters
    ----------
    target : path-like, URL or binary file
    overwrite : bool
        Whether an existing file at a URL may be replaced.

    Raises
    ------
    OutputExistsError, OutputError, UsageError
        There is a file already, or it can't be written. When the block raises, nothing was written.
    """
    place = path_of(target)
    if isinstance(place, Path):
        yield place
        return
    if isinstance(place, RemotePath):
        place.refuse_to_write()
        if not overwrite and place.exists():
            raise taken(place)
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        path = Path(folder) / _file_name(name_of(target))
        with named_as(path, name_of(target)):
            yield path
        if isinstance(place, RemotePath):
            place.put(path, overwrite=overwrite)
        if not isinstance(target, str | os.PathLike | RemotePath):
            _write_into(target, path)


@contextmanager
def named_as(path: Path, name: str) -> Iterator[None]:
    """Say `name` in errors where they say `path`, of which nobody knows."""
    try:
        yield
    except EegzipError as error:
        if str(path) not in str(error):
            raise
        raise type(error)(str(error).replace(str(path), name)) from error


def _write_into(target: BinaryIO, source: Path) -> None:
    try:
        with source.open("rb") as file:
            shutil.copyfileobj(file, target)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise OutputError(f"{name_of(target)} could not be written ({error}).") from error


def _spool(file: BinaryIO, target: Path) -> None:
    try:
        with target.open("wb") as output:
            shutil.copyfileobj(file, output)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(f"{name_of(file)} can't be read as a binary file ({error}).") from error


def _file_name(name: str) -> str:
    """A file's name as every file system bears it, with the ending that tells what it is."""
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name.rsplit("/", 1)[-1])
    return plain[-60:].lstrip(".") or "file"
