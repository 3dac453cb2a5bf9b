"""The container: opens an ``.eegz`` file, finds its blocks, and reads and checks any of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import PREFIX_BYTES, ChunkDirectory, directory_size, unpack_directory
from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.index import BlockPlace
from eegzip.formats.eegz.positioned import positioned
from eegzip.formats.eegz.scan import BlockMap, map_blocks
from eegzip.formats.eegz.summary import FileSummary, unpack_summary
from eegzip.formats.eegz.tail import unpack_tail
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import LEAST_CHUNKS, LEAST_RECORDS, MAX_HEADER_BYTES, RECORDS_A_BYTE
from eegzip.formats.remote.path import RemotePath
from eegzip.formats.remote.spooled import Source

_Self = TypeVar("_Self", bound="Container")


class Container:
    """An open ``.eegz`` file as blocks, whatever their streams hold; threads and forked processes may share it.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        The file.

    Attributes
    ----------
    path : Path or RemotePath
    size : int
        Bytes of the file.
    header : FileHeader
    summary : FileSummary or None
        ``None`` when the writer did not come that far.
    minor_version : int
        Of the format, as the file states it.
    blocks : BlockMap
        All blocks, and how they were found.
    complete : bool
        Whether the index is there and intact and every chunk is listed.
    problems : list of str
        What is wrong with the structure.
    chunks : dict of int to BlockPlace
        Chunks that are there, by number.

    Raises
    ------
    ContainerError
        Not an ``.eegz`` file, of an unknown version, without an intact header, or with unknown critical parts.
    BadInputError
        The file can't be opened.
    """

    def __init__(self, source: Source) -> None:
        self._file = positioned(source)
        self.path = self._file.path
        try:
            self._open()
        except ContainerError as error:
            self._file.close()
            raise ContainerError(_named(self.path, error)) from error
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        self.size = self._file.size
        self.minor_version = layout.check_signature(self._file.read_at(0, layout.SIGNATURE_BYTES), str(self.path))
        self.blocks: BlockMap = map_blocks(self._file, self.size)
        self._refuse_unknown_critical()
        self.header: FileHeader = unpack_header(self.payload(self.blocks.head))
        self.problems = list(self.blocks.problems)
        self.summary = self._read_summary()
        if self._refinable() and self.summary is None:
            self.problems.append("what the joint decoder restores is lost with the summary; signals are decoded alone")
        self.chunks = self._number_chunks()
        missing = self.header.n_chunks - len(self.chunks)
        if missing:
            self.problems.append(f"{missing} of {self.header.n_chunks} chunks are missing")
        self.complete = self.blocks.complete and not missing

    def _read_summary(self) -> FileSummary | None:
        found = None
        for place in self.blocks.places:
            if place.type == layout.SUMMARY:
                try:
                    summary = unpack_summary(self.payload(place))
                except ContainerError as error:
                    self.problems.append(f"the summary is damaged: {error}")
                    continue
                if summary.refined and not self._refinable().issuperset(summary.refined):
                    self.problems.append("the summary names refined signals that have no joint decoder")
                elif len(summary.signals) == len(self.header.signals):
                    found = summary
                else:
                    self.problems.append("the summary is about another number of signals than the header")
        return found

    def _refinable(self) -> frozenset[int]:
        """Signals coded as tokens, of a codec with a joint decoder."""
        header = self.header
        owners = (group.signals for group in header.groups if header.codecs[group.codec].joint)
        return frozenset(s for signals in owners for s in signals if header.signals[s].coding is Coding.TOKENS)

    @property
    def refined(self) -> frozenset[int]:
        """Signals that the joint decoder restores; none where the summary is lost."""
        return frozenset(self.summary.refined or ()) if self.summary is not None else frozenset()

    def _number_chunks(self) -> dict[int, BlockPlace]:
        places = [place for place in self.blocks.places if place.type == layout.CHUNK]
        if self.blocks.complete:
            # An intact index lists all chunks in order, so opening needs no look at each of them.
            if len(places) > self.header.n_chunks:
                raise ContainerError("the index lists more chunks than the header announces.")
            return dict(enumerate(places))
        numbered = {}
        for place in places:
            try:
                directory = self.read_directory(place)
            except ContainerError as error:
                self.problems.append(f"the chunk at byte {place.offset} is damaged: {error}")
                continue
            if directory.number < self.header.n_chunks:
                numbered[directory.number] = place
        return dict(sorted(numbered.items()))

    def require_chunks(self, first_record: int, stop_record: int) -> None:
        """Refuse a stretch of data records of which chunks are missing, before memory is taken for it.

        Raises
        ------
        ContainerError
            A chunk is not there.
        """
        if first_record >= stop_record:
            return
        header = self.header
        self.require_records()
        first, stop = first_record // header.chunk_records, -(-stop_record // header.chunk_records)
        missing = stop - first - sum(first <= number < stop for number in self.chunks)
        if missing:
            raise ContainerError(
                f"{self.path}: {missing} of {stop - first} chunks are missing. Use --salvage to get what is there."
            )

    def require_records(self) -> None:
        """Refuse a file that claims more data records than its bytes could ever stand for.

        Raises
        ------
        ContainerError
            It does.
        """
        records, chunks = self.header.n_records, self.header.n_chunks
        most = LEAST_RECORDS + RECORDS_A_BYTE * self.size
        if records > most or chunks > LEAST_CHUNKS + self.size or (records and not self.header.record_bytes):
            raise ContainerError(
                f"{self.path}: claims {records} data records in {chunks} chunks, more than {self.size} bytes can hold; "
                "nothing can be restored. Restore the file from a copy."
            )

    def _refuse_unknown_critical(self) -> None:
        for place in self.blocks.places:
            # The types that every version knows carry no flags beyond those of this version.
            if place.type in layout.KNOWN_TYPES and place.type != layout.HEAD:
                continue
            header = self._unpack_block_header(place)
            if header is None:
                continue  # Damaged: no reason to refuse the rest; a scan would not have found it at all.
            unknown_type = place.type not in layout.KNOWN_TYPES and header.flags & layout.CRITICAL
            if unknown_type or layout.unknown_critical_flags(header):
                raise ContainerError(
                    f"the block '{place.type.decode('latin-1')}' at byte {place.offset} must be understood to read "
                    "the file, and this version does not know it: install a newer eegzip."
                )

    def _unpack_block_header(self, place: BlockPlace) -> layout.BlockHeader | None:
        data = self._file.read_at(place.offset, layout.BLOCK_HEADER_BYTES)
        return layout.unpack_block_header(data, self.blocks.seed)

    def block_header(self, place: BlockPlace) -> layout.BlockHeader:
        """Read and check the 32 bytes in front of a block.

        Raises
        ------
        ContainerError
            Damaged, or not what the index says.
        """
        header = self._unpack_block_header(place)
        if header is None or header.type != place.type or header.length != place.length:
            raise ContainerError(f"the block header at byte {place.offset} is damaged.")
        if layout.unknown_critical_flags(header):
            raise ContainerError(f"the block at byte {place.offset} has flags that this version does not know.")
        return header

    def payload(self, place: BlockPlace) -> bytes:
        """Read a block's payload and check its checksum.

        Raises
        ------
        ContainerError
            Damaged or cut short.
        """
        header = self.block_header(place)
        if place.type in (layout.HEAD, layout.SUMMARY) and place.length > MAX_HEADER_BYTES:
            raise ContainerError(f"the block at byte {place.offset} is larger ({place.length} bytes) than can be.")
        data = self._file.read_at(place.payload_offset, place.length)
        if len(data) != place.length or zlib.crc32(data) != header.payload_crc:
            kind = place.type.decode("latin-1")
            raise ContainerError(f"the {kind} block at byte {place.offset} is damaged (wrong checksum).")
        return data

    def read_directory(self, place: BlockPlace) -> ChunkDirectory:
        """Read and check the directory of a chunk.

        Raises
        ------
        ContainerError
            Damaged or cut short.
        """
        self.block_header(place)
        prefix = self._file.read_at(place.payload_offset, PREFIX_BYTES)
        if len(prefix) < PREFIX_BYTES:
            raise ContainerError("a chunk is too short to hold a directory.")
        data = self._file.read_at(place.payload_offset + PREFIX_BYTES, directory_size(prefix))
        return unpack_directory(prefix, data, place.length, self.blocks.seed)

    def read_bytes(self, offset: int, length: int) -> bytes:
        """Bytes of the file from `offset`: `length` of them, or fewer where it ends."""
        return self._file.read_at(offset, length)

    def expect(self, first: int, stop: int) -> None:
        """Fetch chunks from `first` up to `stop` at once, where each request has its price."""
        places = [self.chunks[number] for number in range(first, stop) if number in self.chunks]
        if places:
            start = places[0].offset
            self._file.expect(start, places[-1].payload_offset + places[-1].length - start)

    def trailing(self) -> Iterator[bytes]:
        """What followed the last complete record in the original, piece by piece.

        Raises
        ------
        ContainerError
            A piece is missing or damaged.
        """
        position, total = 0, self.header.trailing_bytes
        for place in self.blocks.places:
            if place.type != layout.TAIL:
                continue
            try:
                offset, piece = unpack_tail(self.payload(place))
            except ContainerError as error:
                raise ContainerError(_named(self.path, error)) from error
            if offset == position and position + len(piece) <= total:
                yield piece
                position += len(piece)
        if position != total:
            raise ContainerError(f"{self.path}: {total - position} trailing bytes of the original are missing.")

    def verify_blocks(self) -> Iterator[tuple[BlockPlace, str | None]]:
        """Check header and payload of every block; yield each with a sentence about its damage, or ``None``."""
        for place in self.blocks.places:
            try:
                self.payload(place)
            except ContainerError as error:
                yield place, str(error)
            else:
                yield place, None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _named(path: Path | RemotePath, error: ContainerError) -> str:
    text = str(error)
    return text if text.startswith(str(path)) else f"{path}: {text}"
