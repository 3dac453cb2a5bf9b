"""Reads an ``.eegz`` file: any chunk, any stream, every checksum; tokens as arrays, without a network."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import (
    PREFIX_BYTES,
    ChunkDirectory,
    StreamEntry,
    StreamKind,
    directory_size,
    unpack_directory,
)
from eegzip.formats.eegz.context_tokens import PriorSource, no_priors, stored_stream
from eegzip.formats.eegz.header import ADAPTIVE, TOKENS, FileHeader
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.index import BlockPlace
from eegzip.formats.eegz.knots import decode_knots
from eegzip.formats.eegz.scan import BlockMap, map_blocks, read_at
from eegzip.formats.eegz.summary import FileSummary, unpack_summary
from eegzip.formats.eegz.tail import unpack_tail
from eegzip.formats.eegz.token_chains import StoredStream, TokenChains
from eegzip.formats.errors import ContainerError
from eegzip.formats.files import open_for_reading
from eegzip.formats.limits import MAX_HEADER_BYTES
from eegzip.formats.predictive.chunk import ExactDecoder

_Content = TypeVar("_Content")

# A decoder asks for the same chunk and its neighbours again and again; a few megabytes hold them all.
_CACHED_STREAMS = 4096
_CACHED_BYTES = 64 << 20
_CACHED_DIRECTORIES = 16
# Signals of a chunk are predicted from each other, so what was decoded serves the next; a chunk may take 128 MiB.
_CACHED_EXACT_CHUNKS = 1


@dataclass(frozen=True)
class KnotOwner:
    """A signal that has scaling knots: its group and its place there."""

    group: int
    member: int
    signal: int


class EegzReader:
    """An open ``.eegz`` file.

    Parameters
    ----------
    path : path-like
        The file.
    priors : callable, optional
        Gives the prior that a codec names (:data:`~eegzip.formats.eegz.context_tokens.PriorSource`). Asked when tokens
        are read that are coded in context; all else goes without.

    Attributes
    ----------
    header : FileHeader
    summary : FileSummary or None
        ``None`` when the writer did not come that far.
    minor_version : int
        Of the format, as the file states it.
    complete : bool
        Whether the index is there and intact and every chunk is listed.
    problems : list of str
        What is wrong with the structure.
    chunks : dict of int to BlockPlace
        Chunks that are there, by number.
    directory : callable
        ``directory(chunk)``: the chunk's :class:`ChunkDirectory`.
    chunk_tokens : callable
        ``chunk_tokens(chunk, group)``: tokens, uint16, shape (codebooks, frames); 65535 where a frame has fewer.
        Raises :class:`ModelError` where it takes a prior that is not at hand.
    chunk_knots : callable
        ``chunk_knots(chunk)``: one array of shape (knots, 2) for each of :meth:`knot_owners`.
    exact_decoder : callable
        ``exact_decoder(chunk)``: the chunk's :class:`ExactDecoder`.
        All four remember what was read last and raise :class:`ContainerError`, naming the chunk's place and
        time, where it is missing or damaged.

    Raises
    ------
    ContainerError
        Not an ``.eegz`` file, of an unknown version, without an intact header, or with unknown critical parts.
    BadInputError
        The file can't be opened.
    """

    def __init__(self, path: str | Path, priors: PriorSource = no_priors) -> None:
        self.path = Path(path)
        self._priors = priors
        self._file = open_for_reading(self.path)
        try:
            self._open()
        except ContainerError as error:
            self._file.close()
            raise ContainerError(_named(self.path, error)) from error
        except BaseException:
            self._file.close()
            raise
        self.directory = lru_cache(_CACHED_DIRECTORIES)(self._load_directory)
        self.chunk_tokens = TokenChains(self._load_tokens, self._damaged, self._cached_streams())
        self.chunk_knots = lru_cache(_CACHED_DIRECTORIES)(self._load_knots)
        self.exact_decoder = lru_cache(_CACHED_EXACT_CHUNKS)(self._make_exact_decoder)

    def _cached_streams(self) -> int:
        """Token streams worth keeping: as many as fit into a fixed amount of memory."""
        largest = 1
        for number, group in enumerate(self.header.groups):
            first, stop = self.header.grid(number).frames_of_records(*self.header.records_of_chunk(0))
            largest = max(largest, 2 * (stop - first) * group.codebooks)
        return max(4, min(_CACHED_STREAMS, _CACHED_BYTES // largest))

    def _open(self) -> None:
        self.size = self._file.seek(0, 2)
        self.minor_version = layout.check_signature(read_at(self._file, 0, layout.SIGNATURE_BYTES), str(self.path))
        self.blocks: BlockMap = map_blocks(self._file, self.size)
        self._refuse_unknown_critical()
        self.header: FileHeader = unpack_header(self.payload(self.blocks.head))
        self.problems = list(self.blocks.problems)
        self.summary = self._read_summary()
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
                if len(summary.signals) == len(self.header.signals):
                    found = summary
                else:
                    self.problems.append("the summary is about another number of signals than the header")
        return found

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
                directory = self._read_directory(place)
            except ContainerError as error:
                self.problems.append(f"the chunk at byte {place.offset} is damaged: {error}")
                continue
            if directory.number < self.header.n_chunks:
                numbered[directory.number] = place
        return dict(sorted(numbered.items()))

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
        data = read_at(self._file, place.offset, layout.BLOCK_HEADER_BYTES)
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
        data = read_at(self._file, place.payload_offset, place.length)
        if len(data) != place.length or zlib.crc32(data) != header.payload_crc:
            kind = place.type.decode("latin-1")
            raise ContainerError(f"the {kind} block at byte {place.offset} is damaged (wrong checksum).")
        return data

    def _read_directory(self, place: BlockPlace) -> ChunkDirectory:
        self.block_header(place)
        prefix = read_at(self._file, place.payload_offset, PREFIX_BYTES)
        if len(prefix) < PREFIX_BYTES:
            raise ContainerError("a chunk is too short to hold a directory.")
        data = read_at(self._file, place.payload_offset + PREFIX_BYTES, directory_size(prefix))
        return unpack_directory(prefix, data, place.length, self.blocks.seed)

    def _load_directory(self, chunk: int) -> ChunkDirectory:
        place = self.chunks.get(chunk)
        if place is None:
            raise ContainerError(self._chunk_sentence(chunk, "missing"))
        try:
            directory = self._read_directory(place)
        except ContainerError as error:
            raise ContainerError(self._chunk_sentence(chunk, f"damaged: {error}")) from error
        first, stop = self.header.records_of_chunk(chunk)
        if (directory.number, directory.first_record, directory.n_records) != (chunk, first, stop - first):
            raise ContainerError(self._chunk_sentence(chunk, "out of place"))
        return directory

    def _chunk_sentence(self, chunk: int, state: str) -> str:
        first, stop = self.header.records_of_chunk(chunk)
        place = self.chunks.get(chunk)
        where = "" if place is None else f", byte {place.offset}"
        duration = self.header.record_duration
        when = f"; seconds {first * duration:g} to {stop * duration:g}" if duration else ""
        return (
            f"{self.path}: chunk {chunk} (data records {first} to {stop - 1}{when}{where}) is {state.rstrip('.')}. "
            "Restore the file from a copy, or use --salvage to get the rest."
        )

    def _stream(self, chunk: int, kind: StreamKind, stream_id: int) -> bytes:
        directory = self.directory(chunk)
        entry: StreamEntry | None = directory.streams.get((kind, stream_id))
        if entry is None:
            raise ContainerError(self._chunk_sentence(chunk, f"without its {kind.name.lower()} stream {stream_id}"))
        data = read_at(self._file, self.chunks[chunk].payload_offset + entry.offset, entry.length)
        if len(data) != entry.length or zlib.crc32(data) != entry.crc:
            raise ContainerError(
                self._chunk_sentence(chunk, f"damaged: wrong checksum of {kind.name.lower()} stream {stream_id}")
            )
        return data

    def has_stream(self, chunk: int, kind: StreamKind, stream_id: int) -> bool:
        """Whether a chunk holds a stream; raises :class:`ContainerError` where its directory can't be read."""
        return (kind, stream_id) in self.directory(chunk).streams

    def decoded(self, chunk: int, kind: StreamKind, stream_id: int, decode: Callable[[bytes], _Content]) -> _Content:
        """Decode a stream of a chunk, and name the chunk's place and time where that fails.

        Raises
        ------
        ContainerError
            The stream is missing, fails its checksum, or `decode` refuses it.
        """
        data = self._stream(chunk, kind, stream_id)
        try:
            return decode(data)
        except ContainerError as error:
            raise self._damaged(chunk, error) from error

    def _load_tokens(self, chunk: int, group: int) -> StoredStream:
        first, stop = self.header.grid(group).frames_of_records(*self.header.records_of_chunk(chunk))
        stream = self.decoded(
            chunk,
            StreamKind.TOKENS,
            group,
            lambda data: stored_stream(self.header, group, stop - first, data, self._priors),
        )

        def decode(known: Mapping[int, np.ndarray]) -> np.ndarray:
            try:
                return stream.decode(known)
            except ContainerError as error:
                raise self._damaged(chunk, error) from error

        return stream._replace(decode=decode)

    def _damaged(self, chunk: int, what: object) -> ContainerError:
        return ContainerError(self._chunk_sentence(chunk, f"damaged: {what}"))

    def tokens(self, group: int, start: int, stop: int, lost: frozenset[int] = frozenset()) -> np.ndarray:
        """Tokens of a group's frames from `start` up to `stop`, across chunks.

        Parameters
        ----------
        group, start, stop : int
            The frames must be among the recording's.
        lost : frozenset of int
            Chunks not to be read: their tokens count as 0.

        Returns
        -------
        ndarray of uint16, shape (codebooks, frames)

        Raises
        ------
        ContainerError
            A chunk that is not among `lost` is missing or damaged.
        """
        header, grid = self.header, self.header.grid(group)
        codes = np.zeros((header.groups[group].codebooks, stop - start), np.uint16)
        if stop <= start:
            return codes
        for chunk in range(header.chunk_of_frame(group, start), header.chunk_of_frame(group, stop - 1) + 1):
            first, end = grid.frames_of_records(*header.records_of_chunk(chunk))
            low, high = max(start, first), min(stop, end)
            if chunk not in lost:
                codes[:, low - start : high - start] = self.chunk_tokens(chunk, group)[:, low - first : high - first]
        return codes

    def knot_owners(self) -> list[KnotOwner]:
        """Signals with adaptive scaling, in the order of the knots stream."""
        return [
            KnotOwner(number, member, signal)
            for number, group in enumerate(self.header.groups)
            if self.header.codecs[group.codec].scaling == ADAPTIVE
            for member, signal in enumerate(group.signals)
        ]

    def chunk_knot_range(self, chunk: int, group: int) -> tuple[int, int]:
        """First scaling knot of a group that a chunk stores, and one past the last."""
        return chunk_knot_range(self.header, chunk, group)

    def _load_knots(self, chunk: int) -> list[np.ndarray]:
        ranges = [self.chunk_knot_range(chunk, owner.group) for owner in self.knot_owners()]
        data = self._stream(chunk, StreamKind.KNOTS, 0)
        try:
            knots = decode_knots(data, [stop - first for first, stop in ranges])
        except ContainerError as error:
            raise ContainerError(self._chunk_sentence(chunk, f"damaged: {error}")) from error
        for codes in knots:
            codes.setflags(write=False)
        return knots

    def chunk_exact(self, chunk: int, signal: int) -> np.ndarray:
        """Samples of an exact signal in one chunk, shape (records, samples_per_record), int32, not to be written to."""
        return self.exact_decoder(chunk).decode(signal)

    def _make_exact_decoder(self, chunk: int) -> ExactDecoder:
        header = self.header
        first, stop = header.records_of_chunk(chunk)
        shapes = {
            index: (stop - first, signal.samples_per_record)
            for index, signal in enumerate(header.signals)
            if signal.coding != TOKENS and signal.samples_per_record
        }
        return ExactDecoder(
            lambda signal: self._stream(chunk, StreamKind.EXACT, signal),
            shapes,
            header.sample_bytes,
            lambda error: ContainerError(self._chunk_sentence(chunk, f"damaged: {error}")),
        )

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

    def __enter__(self) -> EegzReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def chunk_knot_range(header: FileHeader, chunk: int, group: int) -> tuple[int, int]:
    """First scaling knot of a group that a chunk stores, and one past the last."""
    grid = header.grid(group)
    frames = grid.frames_of_records(*header.records_of_chunk(chunk))
    return grid.knots_of_frames(*frames, header.codecs[header.groups[group].codec].knot_spacing)


def _named(path: Path, error: ContainerError) -> str:
    text = str(error)
    return text if text.startswith(str(path)) else f"{path}: {text}"
