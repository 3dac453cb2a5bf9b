"""Whatever holds an ``.eegz`` file, read at given places: a file here, one at a URL, bytes, or a file object."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol

from eegzip.formats.eegz.ranged_file import RangedFile
from eegzip.formats.errors import BadInputError, UsageError
from eegzip.formats.remote.path import RemotePath, place_of
from eegzip.formats.remote.spooled import Source, name_of
from eegzip.formats.shared_file import SharedFile


class PositionedFile(Protocol):
    """An open file that is read at given places, by any number of threads.

    Attributes
    ----------
    path : Path or RemotePath
        What to call it.
    size : int
        Bytes when it was opened.
    """

    @property
    def path(self) -> Path | RemotePath:
        """What to call it."""

    @property
    def size(self) -> int:
        """Bytes when it was opened."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on: `size` of them, or fewer where the file ends."""

    def expect(self, offset: int, size: int) -> None:
        """Hear what is going to be read bit by bit."""

    def close(self) -> None:
        """Close it."""


def positioned(source: Source) -> PositionedFile:
    """Open a source.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        Of a file, whose position is moved and which is not closed, all counts, wherever it stands.

    Raises
    ------
    BadInputError, UsageError
        It can't be opened.
    """
    if isinstance(source, str | os.PathLike | RemotePath):
        place = place_of(source)
        return RangedFile(place) if isinstance(place, RemotePath) else SharedFile(place)
    return HeldFile(BytesIO(source) if isinstance(source, bytes) else source, name_of(source))


class HeldFile:
    """A file object of the caller's, read at given places.

    Parameters
    ----------
    file : binary file
    name : str
        What to call it.

    Raises
    ------
    BadInputError
        It can't seek, or holds text.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.path = Path(name)
        self._file, self._lock, self._open = file, Lock(), True
        try:
            self.size = file.seek(0, os.SEEK_END)
            if not isinstance(self.read_at(0, 1), bytes):
                raise BadInputError(f"{name} gives text; open it in binary mode.")
        except (OSError, ValueError, AttributeError) as error:
            if isinstance(error, BadInputError):
                raise
            raise BadInputError(f"{name} can't be read at any place ({error}); read it into bytes first.") from error

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on: `size` of them, or fewer where the file ends.

        Raises
        ------
        BadInputError
            The file does not give them.
        UsageError
            It was closed.
        """
        if not self._open:
            raise UsageError(f"{self.path} was closed; open it again.")
        size = min(size, max(self.size - offset, 0))
        try:
            with self._lock:
                self._file.seek(offset)
                data = self._file.read(size)
                while len(data) < size and (more := self._file.read(size - len(data))):
                    data += more
        except (OSError, ValueError) as error:
            raise BadInputError(f"{self.path} can't be read at byte {offset} ({error}).") from error
        return data

    def expect(self, offset: int, size: int) -> None:
        """Nothing: reads cost little."""

    def close(self) -> None:
        """Read no more; the file is the caller's to close."""
        self._open = False
