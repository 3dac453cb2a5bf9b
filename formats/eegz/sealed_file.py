"""A file sealed as a whole: an ``.eegz`` file within an ``.eegz`` file, in segments (SPEC.md, section 15.2).

What reads and writes the one within knows nothing of it.
"""

from __future__ import annotations

import zlib
from copy import copy
from pathlib import Path
from typing import BinaryIO

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.fields import Fields
from eegzip.formats.eegz.index import BlockPlace
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.positioned import PositionedFile
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.eegz.seals import FILE, TAG_BYTES, Lock, Seals
from eegzip.formats.errors import ContainerError, SealedError
from eegzip.formats.limits import MAX_HEADER_BYTES
from eegzip.formats.packing import pack_map, unpack_map
from eegzip.formats.remote.path import RemotePath

SEGMENT_BYTES = 1 << 16
_STORED = SEGMENT_BYTES + TAG_BYTES
_KEPT_SEGMENTS = 64
_VERSION = 7


def sealed_head(file: PositionedFile, head: BlockPlace) -> bool:
    """Whether a header block says that all of its file is sealed."""
    found = layout.unpack_block_header(file.read_at(head.offset, layout.BLOCK_HEADER_BYTES), 0)
    return found is not None and bool(found.flags & layout.SEALED)


class SealedFile:
    """What is within a file that is sealed as a whole, read at given places.

    Parameters
    ----------
    file : PositionedFile
        The file; it is closed with this.
    head : BlockPlace
        Its header block, or the copy at its end.
    key : str, bytes, path-like, Key or None

    Attributes
    ----------
    path : Path or RemotePath
    size : int
        Bytes within.
    seals : Seals
    problems : list of str
        What is wrong with the file around.

    Raises
    ------
    SealedError
        There is no key, or not the right one.
    ContainerError
        The lock is damaged.
    """

    def __init__(self, file: PositionedFile, head: BlockPlace, key: AnyKey | None) -> None:
        self.path: Path | RemotePath = file.path
        payload = file.read_at(head.payload_offset, min(head.length, MAX_HEADER_BYTES))
        lock = Lock.read(Fields(unpack_map(payload, "the lock"), "lock"))
        if key is None:
            raise SealedError(
                f"{file.path} is sealed as a whole and opens with a key only: name it with --key-file, "
                "--passphrase-file or --ask-passphrase (key=); where a command has none of these, decompress the file "
                "first."
            )
        self.seals = lock.opened(key, file.path)
        self._file, self._holes = file, False
        block = layout.BLOCK_HEADER_BYTES + head.length
        self._start = layout.SIGNATURE_BYTES + block
        self._stored = file.size - block - self._start
        self.problems = [] if head.offset == layout.SIGNATURE_BYTES else ["the lock at the beginning is damaged"]
        copied = file.read_at(self._start + max(self._stored, 0), block)
        if (
            self._stored < TAG_BYTES
            or copied
            != layout.BlockHeader(
                layout.HEAD, layout.CRITICAL | layout.SEALED, 1, len(payload), zlib.crc32(payload)
            ).pack(0)
            + payload
        ):
            self.problems.append("the end of the file, the copy of the lock, is missing or damaged")
        self._count = max(1, -(-self._stored // _STORED))
        self.size = max(0, self._stored - TAG_BYTES * self._count)
        self._segments: Recent[int, bytes] = Recent(_KEPT_SEGMENTS)

    def with_holes(self) -> SealedFile:
        """Return the same file, in which segments that can't be opened are zeros: to look for what lies around them."""
        other = copy(self)
        other._holes = True
        return other

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from `offset` on: `size` of them, or fewer where the file ends.

        Raises
        ------
        ContainerError
            They were changed, or are damaged.
        """
        stop = min(offset + size, self.size)
        if offset >= stop:
            return b""
        first = offset // SEGMENT_BYTES
        parts = [self._segment(number) for number in range(first, -(-stop // SEGMENT_BYTES))]
        begin = offset - first * SEGMENT_BYTES
        return b"".join(parts)[begin : begin + stop - offset]

    def _segment(self, number: int) -> bytes:
        try:
            return self._segments.get(number, self._opened)
        except ContainerError:
            if not self._holes:
                raise
            return bytes(min(SEGMENT_BYTES, self.size - number * SEGMENT_BYTES))

    def _opened(self, number: int) -> bytes:
        place = self._start + number * _STORED
        length = min(_STORED, self._stored - number * _STORED)
        last = bytes([number == self._count - 1])
        try:
            return self.seals.open(FILE, number, self._file.read_at(place, length), last)
        except ContainerError as error:
            begin, end = number * SEGMENT_BYTES, number * SEGMENT_BYTES + length - TAG_BYTES - 1
            raise ContainerError(f"bytes {begin} to {end} within can't be opened: {error}") from error

    def expect(self, offset: int, size: int) -> None:
        """Hear what is going to be read bit by bit."""
        first, stop = offset // SEGMENT_BYTES, -(-(offset + size) // SEGMENT_BYTES)
        self._file.expect(self._start + first * _STORED, (stop - first) * _STORED)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SealingWriter:
    """Seals all that is written to it.

    Parameters
    ----------
    file : binary file
        Open for writing, at its beginning.
    seals : Seals
        Of a new file.
    """

    def __init__(self, file: BinaryIO, seals: Seals) -> None:
        self._file, self._seals = file, seals
        self._payload = pack_map(seals.lock.fields())
        self._pending, self._segments = bytearray(), 0
        file.write(layout.pack_signature(_VERSION))
        self._write_lock(0)

    def _write_lock(self, sequence: int) -> None:
        flags = layout.CRITICAL | layout.SEALED
        header = layout.BlockHeader(layout.HEAD, flags, sequence, len(self._payload), zlib.crc32(self._payload))
        self._file.write(header.pack(0) + self._payload)

    def write(self, data: bytes) -> int:
        """Take bytes, and write whole segments of them."""
        self._pending += data
        while len(self._pending) > SEGMENT_BYTES:
            self._write_segment(bytes(self._pending[:SEGMENT_BYTES]), last=False)
            del self._pending[:SEGMENT_BYTES]
        return len(data)

    def _write_segment(self, data: bytes, *, last: bool) -> None:
        self._file.write(self._seals.seal(FILE, self._segments, data, bytes([last])))
        self._segments += 1

    def finish(self) -> None:
        """Write the last segment and the copy of the lock."""
        self._write_segment(bytes(self._pending), last=True)
        self._write_lock(1)
