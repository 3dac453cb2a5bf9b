"""A remote ``.eegz`` file read in parts: few requests, as each costs what half a megabyte does."""

from __future__ import annotations

from threading import RLock

from eegzip.formats.eegz import layout
from eegzip.formats.errors import BadInputError
from eegzip.formats.remote.path import RemotePath

_END_BYTES = 1 << 16
"""Read of the start and of the end when a file is opened: header, summary and index of most files."""

_MIN_AHEAD, _MAX_AHEAD = 1 << 18, 1 << 23
"""Bytes asked for at least; and at most beyond what is wanted, where one read follows the other."""

_KEPT_BYTES = 1 << 26
_EXPECTED_BYTES = 1 << 24


class RangedFile:
    """An open remote file, read at given places as :class:`~eegzip.formats.shared_file.SharedFile` is.

    Parameters
    ----------
    path : RemotePath

    Attributes
    ----------
    path : RemotePath
    size : int
        Bytes when it was opened.

    Raises
    ------
    BadInputError, UsageError
        It can't be read.
    """

    def __init__(self, path: RemotePath) -> None:
        self.path = path
        # Shared by threads; held by one while another process is forked, it would be held there for ever, so forks
        # should open remote files anew.
        self._lock = RLock()
        self._kept: list[tuple[int, bytes]] = []
        self._ahead = _MIN_AHEAD
        start = path.read(0, _END_BYTES)
        if len(start) != _END_BYTES:  # all of it: it is short, or the server gives no parts
            self.size, self._whole = len(start), start
            return
        self._whole = b""
        end = self._end()
        self.size = _size_told_by(end) or path.status().size or 0
        if not self.size:
            raise BadInputError(f"{path} can't be read in parts, as the server does not say its size; fetch it first.")
        self._keep(0, start)
        if end:
            self._keep(self.size - len(end), end)

    def _end(self) -> bytes:
        try:
            end = self.path.read_last(_END_BYTES)
        except BadInputError:  # some servers give no last bytes
            return b""
        return end if len(end) == _END_BYTES else b""

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on: `size` of them, or fewer where the file ends.

        Raises
        ------
        BadInputError
            The server does not give them.
        """
        if self._whole:
            return self._whole[offset : offset + size]
        size = min(size, max(self.size - offset, 0))
        if not size:
            return b""
        with self._lock:
            return self._find(offset, size) or self._fetch(offset, size)

    def expect(self, offset: int, size: int) -> None:
        """Ask for bytes at once that are going to be read bit by bit; too many are left to whoever reads them."""
        with self._lock:
            if not self._whole and 0 < size <= _EXPECTED_BYTES and self._find(offset, size) is None:
                self._ask(offset, min(size, self.size - offset))

    def _find(self, offset: int, size: int) -> bytes | None:
        for number, (start, data) in enumerate(self._kept):
            if start <= offset and offset + size <= start + len(data):
                self._kept.append(self._kept.pop(number))
                return data[offset - start : offset - start + size]
        return None

    def _fetch(self, offset: int, size: int) -> bytes:
        # Reads that follow one another fetch more and more ahead.
        follows = any(start <= offset <= start + len(data) for start, data in self._kept[-1:])
        self._ahead = min(2 * self._ahead, _MAX_AHEAD) if follows else _MIN_AHEAD
        return self._ask(offset, min(max(size, self._ahead), self.size - offset))[:size]

    def _ask(self, offset: int, size: int) -> bytes:
        data = self.path.read(offset, offset + size)
        if len(data) != size:
            raise BadInputError(
                f"{self.path} gave {len(data)} of {size} bytes at byte {offset}; it may be another file by now: open "
                "it again."
            )
        self._keep(offset, data)
        return data

    def _keep(self, offset: int, data: bytes) -> None:
        self._kept.append((offset, data))
        while len(self._kept) > 2 and sum(len(kept) for _, kept in self._kept) > _KEPT_BYTES:
            self._kept.pop(0)

    def close(self) -> None:
        """Forget what was read."""
        self._kept, self._whole = [], b""


def _size_told_by(end: bytes) -> int | None:
    """The size of a file by its last bytes: the trailer says where the index begins, which is there to be seen."""
    offset = layout.unpack_trailer(end[-layout.TRAILER_BYTES :])
    if offset is None:
        return None
    stop = len(end) - layout.TRAILER_BYTES
    place = end.rfind(layout.SYNC + layout.INDEX)
    if place < 0 or place + layout.BLOCK_HEADER_BYTES > stop:
        return None
    length = int.from_bytes(end[place + 16 : place + 24], "little")
    if place + layout.BLOCK_HEADER_BYTES + length != stop:
        return None
    return offset + len(end) - place
