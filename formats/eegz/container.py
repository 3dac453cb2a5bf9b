"""The container: opens an ``.eegz`` file, finds its blocks, and reads and checks any of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import PREFIX_BYTES, ChunkDirectory, directory_size, unpack_directory
from eegzip.formats.eegz.header import Coding, FileHeader
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.identity import LOCK, PIECE, Identity, lock_of, opened_identity
from eegzip.formats.eegz.index import BlockPlace
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.positioned import positioned
from eegzip.formats.eegz.scan import BlockMap, map_blocks, unsealed
from eegzip.formats.eegz.sealed_file import SealedFile
from eegzip.formats.eegz.seals import TAIL, Seals
from eegzip.formats.eegz.summary import FileSummary, unpack_summary
from eegzip.formats.eegz.tail import unpack_tail
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_HEADER_BYTES, MIN_CHUNKS, MIN_RECORDS, RECORDS_A_BYTE
from eegzip.formats.remote.path import RemotePath
from eegzip.formats.remote.spooled import Source

_Self = TypeVar("_Self", bound="Container")

_COPIES = 3
"""Blocks of a type of which a file has one and a copy that are looked into at most: each may take half a second."""


class Container:
    """An open ``.eegz`` file as blocks, whatever their streams hold; threads and forked processes may share it.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        The file.
    key : str, bytes, path-like or Key, optional
        What opens what is sealed; see :class:`~eegzip.formats.eegz.keys.Key`.

    Attributes
    ----------
    path : Path or RemotePath
    size : int
        Bytes of the file.
    sealed : {'identity', 'all'} or None
        What of it is sealed.
    seals : Seals or None
        What opens the sealed parts; ``None`` where none are, or without a key.
    identity : Identity or None
        What tells whose the recording is, where that was sealed and there is a key.
    header : FileHeader
        With the sealed identity in it, where there is a key; else, of such a file, of the recording without it.
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
    max_memory : int or None
        Bytes that decoding a chunk may take; ``None`` for what a file of its size is believed to need. Whoever opened
        the file sets it.

    Raises
    ------
    ContainerError
        Not an ``.eegz`` file, of an unknown version, without an intact header, or with unknown critical parts; or what
        is sealed was changed.
    SealedError
        It is sealed as a whole and there is no key, or the key is not its own.
    BadInputError
        The file can't be opened.
    """

    def __init__(self, source: Source, key: AnyKey | None = None) -> None:
        self._file = positioned(source)
        self.path = self._file.path
        self.max_memory: int | None = None
        try:
            self._open(key)
        except ContainerError as error:
            self._file.close()
            raise ContainerError(_named(self.path, error)) from error
        except BaseException:
            self._file.close()
            raise

    def _open(self, key: AnyKey | None) -> None:
        self.size = self._file.size
        self.minor_version = layout.check_signature(self._file.read_at(0, layout.SIGNATURE_BYTES), str(self.path))
        self.sealed: str | None = None
        self.seals: Seals | None = None
        self.identity: Identity | None = None
        self._file = unsealed(self._file, key)
        self.problems: list[str] = []
        if isinstance(self._file, SealedFile):
            self.sealed, self.seals, self.problems = "all", self._file.seals, self._file.problems
        self.blocks: BlockMap = map_blocks(self._file, self._file.size)
        self._refuse_unknown_critical()
        head = self.payload(self.blocks.head)
        self.header: FileHeader = unpack_header(head)
        self.problems += self.blocks.problems
        if self.header.sealed:
            self._open_identity(head, key)
        self.summary = self._read_summary()
        if self._refinable() and self.summary is None:
            self.problems.append("what the joint decoder restores is lost with the summary; signals are decoded alone")
        self.chunks = self._number_chunks()
        missing = self.header.n_chunks - len(self.chunks)
        if missing:
            self.problems.append(f"{missing} of {self.header.n_chunks} chunks are missing")
        self.complete = self.blocks.complete and not missing

    def _open_identity(self, head: bytes, key: AnyKey | None) -> None:
        """Open what tells whose the recording is, where there is a key, and put it into its place."""
        self.sealed, found = "identity", None
        tried = 0
        for place in self.blocks.places:
            if place.type == layout.SEAL and found is None and tried < _COPIES:
                with suppress(ContainerError):  # the copy may be intact
                    payload = self.payload(place)
                    tried += payload[:1] == LOCK
                    found = lock_of(payload)
        if key is None:
            if found is None:
                self.problems.append("the sealed identity is missing or damaged")
            return
        if found is None:
            raise ContainerError(
                "the sealed identity is missing or damaged; without the key, the rest can be read as of nobody."
            )
        lock, sealed = found
        self.seals = lock.opened(key, self.path)
        identity = self.identity = opened_identity(self.seals, sealed, head, self.header)
        self.header = replace(
            self.header,
            edf_header=identity.edf_header,
            source_sha256=identity.source_sha256,
            deviations=identity.deviations,
            trailing_bytes=identity.trailing_bytes,
        )

    @property
    def locked(self) -> bool:
        """Whether what tells whose the recording is is sealed, and there is no key."""
        return self.header.sealed and self.identity is None

    def _read_summary(self) -> FileSummary | None:
        found = None
        summaries = [place for place in self.blocks.places if place.type == layout.SUMMARY]
        for place in summaries[-_COPIES:]:
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
        if found is not None and self.identity is not None:
            found = replace(found, original_bytes=self._original_bytes())
        return found

    def _original_bytes(self) -> int:
        header = self.header
        return len(header.edf_header) + header.n_records * header.record_bytes + header.trailing_bytes

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
        most = MIN_RECORDS + RECORDS_A_BYTE * self.size
        if records > most or chunks > MIN_CHUNKS + self.size or (records and not self.header.record_bytes):
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
        try:
            for offset, piece in map(unpack_tail, self._pieces()):
                if offset == position and position + len(piece) <= total:
                    yield piece
                    position += len(piece)
        except ContainerError as error:
            raise ContainerError(_named(self.path, error)) from error
        if position != total:
            raise ContainerError(f"{self.path}: {total - position} trailing bytes of the original are missing.")

    def _pieces(self) -> Iterator[bytes]:
        """Payloads of TAIL blocks, or those that are sealed in their place, in order."""
        number = 0
        for place in self.blocks.places:
            if self.identity is None and place.type == layout.TAIL:
                yield self.payload(place)
            if self.identity is not None and place.type == layout.SEAL:
                try:
                    sealed = self.payload(place)
                except ContainerError:  # perhaps a lock, of which there is a copy; a piece will be missed
                    continue
                if sealed[:1] == PIECE and self.seals is not None:
                    yield self.seals.open(TAIL, number, sealed[1:])
                    number += 1

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
