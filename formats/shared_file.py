"""A file that threads and forked processes may read at the same time: no read depends on where another one left off."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from eegzip.formats.errors import BadInputError, UsageError
from eegzip.formats.files import open_for_reading


class SharedFile:
    """An open file, read at given places.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : Path
    size : int
        Bytes when it was opened.

    Raises
    ------
    BadInputError
        As :func:`~eegzip.formats.files.open_for_reading`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = open_for_reading(self.path)
        self.size = self._file.seek(0, os.SEEK_END)
        # Where the system has no reads at a place it has no forks either, which would hand down a lock that is held.
        self._seeking = Lock()

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on: `size` of them, or fewer where the file ends.

        Raises
        ------
        BadInputError
            The system can't read it, as when a disk is gone.
        UsageError
            It was closed.
        """
        if self._file.closed:
            raise UsageError(f"{self.path} was closed; open it again.")
        try:
            if not hasattr(os, "pread"):
                with self._seeking:
                    self._file.seek(offset)
                    return self._file.read(size)
            return self._read_whole(offset, size)
        except OSError as error:
            raise BadInputError(f"{self.path} can't be read at byte {offset} ({error.strerror or error}).") from error

    def _read_whole(self, offset: int, size: int) -> bytes:
        """Read again where the system gave less than was asked for, which it may."""
        # Never more than there is: memory is taken before anything is read.
        size = min(size, max(self.size - offset, 0))
        data = os.pread(self._file.fileno(), size, offset)
        while len(data) < size:
            more = os.pread(self._file.fileno(), size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def expect(self, offset: int, size: int) -> None:
        """Nothing: reads cost little."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
