"""Reads an ``.eegz`` file: any chunk, any stream, every checksum; tokens as arrays, without a network."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from eegzip.formats.eegz.chunk import ChunkDirectory, StreamKind
from eegzip.formats.eegz.container import Container
from eegzip.formats.eegz.context_tokens import PriorSource, no_priors, stored_stream
from eegzip.formats.eegz.embedded import priors_or_embedded
from eegzip.formats.eegz.header import Coding, FileHeader, ScalingKind
from eegzip.formats.eegz.identity import place_of_text
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.knots import decode_knots
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.eegz.seals import TEXT
from eegzip.formats.eegz.token_chains import StoredStream, TokenChains
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_LEVEL, MAX_SCALE_CODE
from eegzip.formats.predictive.chunk import ExactDecoder
from eegzip.formats.remote.spooled import Source

_Content = TypeVar("_Content")

# A decoder asks for the same chunk and its neighbours again and again; a few megabytes hold them all.
_CACHED_STREAMS = 4096
_CACHED_BYTES = 64 << 20
_CACHED_DIRECTORIES = 16
# Signals of a chunk are predicted from each other, so what was decoded serves the next; a chunk may take 128 MiB.
_CACHED_EXACT_CHUNKS = 1

if TYPE_CHECKING:
    from eegzip.formats.eegz.layers import StoredLayer


@dataclass(frozen=True)
class KnotOwner:
    """A signal that has scaling knots: its group and its place there."""

    group: int
    member: int
    signal: int


class EegzReader(Container):
    """An open ``.eegz`` file whose streams can be read, chunk by chunk; what was read last is remembered.

    Every method that reads a chunk raises :class:`ContainerError`, naming the chunk's place and time, where it is
    missing or damaged.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        The file.
    priors : callable, optional
        Gives the prior that a codec names (:data:`~eegzip.formats.eegz.context_tokens.PriorSource`). Asked when tokens
        are read that are coded in context; all else goes without. Where it has none the file itself may carry it.
    key : str, bytes, path-like or Key, optional
        What opens what is sealed.

    Attributes
    ----------
    layers : Recent
        Layers decoded last, for :func:`~eegzip.formats.eegz.layers.chunk_layer`.
    streams_kept : int
        Token streams that are remembered.

    Raises
    ------
    ContainerError
        Not an ``.eegz`` file, of an unknown version, without an intact header, or with unknown critical parts.
    BadInputError
        The file can't be opened.
    """

    def __init__(self, source: Source, priors: PriorSource = no_priors, key: AnyKey | None = None) -> None:
        super().__init__(source, key)
        self._priors = priors_or_embedded(self, priors)
        self._directories: Recent[int, ChunkDirectory] = Recent(_CACHED_DIRECTORIES)
        self._knots: Recent[int, list[np.ndarray]] = Recent(_CACHED_DIRECTORIES)
        self._exact: Recent[int, ExactDecoder] = Recent(_CACHED_EXACT_CHUNKS)
        # By chunk and layer set, of one chunk: reading a few seconds here and there then decodes each layer once.
        self.layers: Recent[tuple[int, int], dict[int, StoredLayer]] = Recent(max(1, len(self.header.layer_sets)))
        self.streams_kept = self._cached_streams()
        self._tokens = TokenChains(self._load_tokens, self._damaged, self.streams_kept)

    def _cached_streams(self) -> int:
        """Token streams worth keeping: as many as fit into a fixed amount of memory."""
        largest = 1
        for number, group in enumerate(self.header.groups):
            first, stop = self.header.grid(number).frames_of_records(*self.header.records_of_chunk(0))
            largest = max(largest, 2 * (stop - first) * group.codebooks)
        return max(4, min(_CACHED_STREAMS, _CACHED_BYTES // largest))

    def directory(self, chunk: int) -> ChunkDirectory:
        """What streams a chunk holds, and where."""
        return self._directories.get(chunk, self._load_directory)

    def _load_directory(self, chunk: int) -> ChunkDirectory:
        place = self.chunks.get(chunk)
        if place is None:
            raise ContainerError(self._chunk_sentence(chunk, "missing"))
        try:
            directory = self.read_directory(place)
        except ContainerError as error:
            raise self._damaged(chunk, error) from error
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
        if self.identity is None or kind is not StreamKind.EXACT or stream_id not in self.identity.signals:
            return self._stored(chunk, kind, stream_id)
        return self._sealed(chunk, stream_id)

    def _sealed(self, chunk: int, signal: int) -> bytes:
        """The exact stream of a signal whose text is sealed."""
        sealed = self._stored(chunk, StreamKind.SEALED_EXACT, signal)
        assert self.seals is not None  # noqa: S101 - as there is an identity
        try:
            return self.seals.open(TEXT, place_of_text(chunk, signal), sealed)
        except ContainerError as error:
            raise self._damaged(chunk, error) from error

    def open_sealed(self, chunk: int) -> None:
        """Open all that is sealed of a chunk, for who wants to know that it can be; nothing without a key.

        Raises
        ------
        ContainerError
            It is missing or was changed.
        """
        for signal in () if self.identity is None else self.identity.signals:
            self._sealed(chunk, signal)

    def _stored(self, chunk: int, kind: StreamKind, stream_id: int) -> bytes:
        entry = self.directory(chunk).streams.get((kind, stream_id))
        if entry is None:
            raise ContainerError(self._chunk_sentence(chunk, f"without its {kind.name.lower()} stream {stream_id}"))
        data = self.read_bytes(self.chunks[chunk].payload_offset + entry.offset, entry.length)
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

    def chunk_tokens(self, chunk: int, group: int) -> np.ndarray:
        """Tokens of a group in one chunk, not to be written to.

        Returns
        -------
        ndarray of uint16, shape (codebooks, frames)
            65535 where a frame has fewer.

        Raises
        ------
        ModelError
            It takes a prior that is not at hand.
        """
        return self._tokens(chunk, group)

    def begin_tokens(self, chunk: int, groups: Sequence[int], pool: ThreadPoolExecutor) -> None:
        """Decode tokens of a chunk in a thread of a pool, before :meth:`chunk_tokens` is asked for them."""
        self._tokens.begin(chunk, groups, pool)

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
        if stop > start and not lost:
            chunks = header.chunk_of_frame(group, start), header.chunk_of_frame(group, stop - 1) + 1
            self.require_chunks(*(chunk * header.chunk_records for chunk in chunks))
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
            if self.header.codecs[group.codec].scaling is ScalingKind.ADAPTIVE
            for member, signal in enumerate(group.signals)
        ]

    def chunk_knot_range(self, chunk: int, group: int) -> tuple[int, int]:
        """First scaling knot of a group that a chunk stores, and one past the last."""
        return chunk_knot_range(self.header, chunk, group)

    def chunk_knots(self, chunk: int) -> list[np.ndarray]:
        """Scaling knots of a chunk: of each of :meth:`knot_owners` an array [knots, 2], not to be written to."""
        return self._knots.get(chunk, self._load_knots)

    def _load_knots(self, chunk: int) -> list[np.ndarray]:
        ranges = [self.chunk_knot_range(chunk, owner.group) for owner in self.knot_owners()]
        data = self._stream(chunk, StreamKind.KNOTS, 0)
        try:
            knots = decode_knots(data, [stop - first for first, stop in ranges])
        except ContainerError as error:
            raise self._damaged(chunk, error) from error
        for codes, owner in zip(knots, self.knot_owners(), strict=True):
            # An offset code is worth its signal's range, so that what it stands for can be anything.
            most = self.header.groups[owner.group].ranges[owner.member] * np.abs(codes[:, 1]).max(initial=0)
            if most > MAX_LEVEL or np.abs(codes[:, 0]).max(initial=0) > MAX_SCALE_CODE:
                raise self._damaged(chunk, f"a scaling knot of signal {owner.signal} is out of range")
            codes.setflags(write=False)
        return knots

    def chunk_exact(self, chunk: int, signal: int) -> np.ndarray:
        """Samples of an exact signal in one chunk, shape (records, samples_per_record), int32, not to be written to."""
        return self.exact_decoder(chunk).decode(signal)

    def exact_decoder(self, chunk: int) -> ExactDecoder:
        """Decoder of the exact signals of a chunk."""
        return self._exact.get(chunk, self._make_exact_decoder)

    def _make_exact_decoder(self, chunk: int) -> ExactDecoder:
        header = self.header
        first, stop = header.records_of_chunk(chunk)
        shapes = {
            index: (stop - first, signal.samples_per_record)
            for index, signal in enumerate(header.signals)
            if signal.coding is not Coding.TOKENS and signal.samples_per_record
        }
        return ExactDecoder(
            lambda signal: self._stream(chunk, StreamKind.EXACT, signal),
            shapes,
            header.sample_bytes,
            lambda error: self._damaged(chunk, error),
        )


def chunk_knot_range(header: FileHeader, chunk: int, group: int) -> tuple[int, int]:
    """First scaling knot of a group that a chunk stores, and one past the last."""
    grid = header.grid(group)
    frames = grid.frames_of_records(*header.records_of_chunk(chunk))
    return grid.knots_of_frames(*frames, header.codecs[header.groups[group].codec].knot_spacing)
