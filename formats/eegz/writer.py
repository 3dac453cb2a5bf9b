"""Writes an ``.eegz`` file front to back: signature, header, chunks, trailing bytes, summary, index, trailer."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import StreamKind, pack_chunk
from eegzip.formats.eegz.context_tokens import PriorSource, no_priors
from eegzip.formats.eegz.embedded import pack_model_file
from eegzip.formats.eegz.header import ANNOTATIONS, FileHeader
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.identity import IdentityWriter
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.knots import encode_knots
from eegzip.formats.eegz.layers import LayeredChunk
from eegzip.formats.eegz.summary import FileSummary
from eegzip.formats.eegz.tail import pack_tail
from eegzip.formats.eegz.token_writer import encode_chunk_tokens
from eegzip.formats.predictive.search.levels import exact_encoder

# One damaged byte in the only header would cost the whole file; a hundredth of it is a fair price for a copy.
_COPY_WORTH = 100


class Writable(Protocol):
    """Whatever takes bytes, one after the other."""

    def write(self, data: bytes, /) -> int:
        """Take some."""


class EegzWriter:
    """Writer of one file; the caller provides an empty binary file and sees to its name (:mod:`..atomic`).

    Parameters
    ----------
    file : Writable
        Open for writing, at its beginning.
    header : FileHeader
        Written at once.
    priors : callable, optional
        Gives the prior that a codec names, where one does
        (:data:`~eegzip.formats.eegz.context_tokens.PriorSource`).
    identity : IdentityWriter, optional
        What is sealed beside a recording without it, where the header says so.
    model : mapping of str to bytes
        Files of the model that the file is to carry, by :data:`~eegzip.formats.eegz.embedded.MODEL_FILES`.

    Attributes
    ----------
    model_bytes : int
        Of the model.
    token_bytes, exact_bytes, knot_bytes, layer_bytes, line_bytes : int
        Payload written so far, by kind.
    signal_bytes : list of float
        Payload written so far for each signal; what several signals share is shared out evenly.

    Raises
    ------
    ContainerError
        The header is one that a reader would refuse.
    """

    def __init__(
        self,
        file: Writable,
        header: FileHeader,
        priors: PriorSource = no_priors,
        identity: IdentityWriter | None = None,
        model: Mapping[str, bytes] | None = None,
    ) -> None:
        packed = header.pack()
        # What a reader would refuse must fail now, not in twenty years.
        unpack_header(packed)
        self._file = file
        self._header = header
        self._priors = priors
        self._places: list[BlockPlace] = []
        self._exact = exact_encoder(
            header.sample_bytes,
            {
                index
                for index in header.exact_signals()
                if header.predicted and header.signals[index].kind != ANNOTATIONS
            },
            header.level,
        )
        self._offset = layout.SIGNATURE_BYTES
        self._next_chunk = self._trailing_bytes = 0
        self.token_bytes = self.exact_bytes = self.knot_bytes = self.layer_bytes = self.line_bytes = 0
        self.signal_bytes = [0.0] * len(header.signals)
        file.write(layout.pack_signature(max(header.minor_version, layout.MODEL_MINOR_VERSION if model else 0)))
        self._head = packed
        self._seed = zlib.crc32(packed)
        self._identity = identity
        self._lock = b"" if identity is None else identity.lock(packed, small=header.small)
        self._write_head()
        # Next to the front, so that a file that was cut short has it still.
        begun = self._offset
        for name, content in (model or {}).items():
            self._block(layout.MODEL, pack_model_file(name, content))
        self.model_bytes = self._offset - begun

    def _write_head(self) -> None:
        dictionary = layout.DICTIONARY if self._header.small else 0
        lines = layout.LINES if self._header.line_sets else 0
        self._block(layout.HEAD, self._head, layout.CRITICAL | dictionary | lines)
        if self._lock:
            self._block(layout.SEAL, self._lock)

    def _block(self, kind: bytes, payload: bytes, flags: int = 0) -> None:
        header = layout.BlockHeader(kind, flags, len(self._places), len(payload), zlib.crc32(payload))
        self._file.write(header.pack(self._seed))
        self._file.write(payload)
        self._places.append(BlockPlace(kind, self._offset, len(payload)))
        self._offset += layout.BLOCK_HEADER_BYTES + len(payload)

    def write_chunk(
        self,
        tokens: list[np.ndarray],
        knots: list[np.ndarray],
        exact: dict[int, np.ndarray],
        layered: LayeredChunk | None = None,
        lines: Sequence[bytes] = (),
    ) -> None:
        """Write the next chunk.

        Parameters
        ----------
        tokens : list of ndarray of uint16, each of shape (codebooks, frames)
            One a group; with a prior, 65535 above a frame's depth where a frame has fewer.
        knots : list of ndarray of int, each of shape (knots, 2)
            One for each signal with adaptive scaling, in the order of groups and of signals in them.
        exact : dict of int to ndarray of int32, each of shape (n,)
            The samples of each signal that is kept exactly.
        layered : LayeredChunk, optional
            Streams of the signals coded in layers.
        lines : sequence of bytes
            Streams of the header's line sets.
        """
        header = self._header
        first, stop = header.records_of_chunk(self._next_chunk)
        streams: dict[tuple[int, int], bytes] = {}
        if knots:
            streams[StreamKind.KNOTS, 0] = encode_knots(knots)
            self.knot_bytes += len(streams[StreamKind.KNOTS, 0])
        for group, payload in enumerate(encode_chunk_tokens(header, tokens, self._priors)):
            sharing = header.sharing(group)
            streams[StreamKind.TOKENS, group] = payload
            self.token_bytes += len(payload)
            for signal in sharing:
                self.signal_bytes[signal] += len(payload) / len(sharing)
        for signal, payload in self._exact.encode(exact).items():
            streams[StreamKind.EXACT, signal] = payload
            self.exact_bytes += len(payload)
            self.signal_bytes[signal] += len(payload)
        if layered is not None:
            streams.update(self._layered(layered))
        for number, payload in enumerate(lines):
            streams[StreamKind.LINES, number] = payload
            self.line_bytes += len(payload)
            for signal in header.line_sets[number].signals:
                self.signal_bytes[signal] += len(payload) / len(header.line_sets[number].signals)
        if self._identity is not None:
            streams.update(self._identity.streams(self._next_chunk, header.sample_bytes))
        self._block(layout.CHUNK, pack_chunk(self._next_chunk, first, stop - first, streams, self._seed))
        self._next_chunk += 1

    def _layered(self, layered: LayeredChunk) -> dict[tuple[int, int], bytes]:
        """Streams of a chunk's layers, in the order of kinds and numbers, their bytes counted."""
        streams: dict[tuple[int, int], bytes] = {}
        for signal, payload in sorted(layered.exact.items()):
            streams[StreamKind.EXACT, signal] = payload
            self.exact_bytes += len(payload)
            self.signal_bytes[signal] += len(payload)
        for number, (payload, signals) in sorted(layered.layers.items()):
            streams[StreamKind.LAYER, number] = payload
            self.layer_bytes += len(payload)
            for signal in signals:
                self.signal_bytes[signal] += len(payload) / len(signals)
        for signal, payload in sorted(layered.residuals.items()):
            streams[StreamKind.RESIDUAL, signal] = payload
            self.layer_bytes += len(payload)
            self.signal_bytes[signal] += len(payload)
        return streams

    def write_trailing(self, piece: bytes) -> None:
        """Write the next piece of what follows the last complete record in the original file."""
        self._block(layout.TAIL, pack_tail(self._trailing_bytes, piece))
        self._trailing_bytes += len(piece)

    def finish(self, summary: FileSummary) -> int:
        """Write a copy of the header where it is worth it, summary, index and trailer; return the file's size."""
        for piece in () if self._identity is None else self._identity.pieces():
            self._block(layout.SEAL, piece)
        if _COPY_WORTH * (len(self._head) + layout.BLOCK_HEADER_BYTES) <= self._offset:
            self._write_head()
        self._block(layout.SUMMARY, summary.pack(self._header.small, eeg=self._header.bounds_eeg_part))
        index_offset = self._offset
        self._block(layout.INDEX, pack_index(self._places, self._header.small))
        self._file.write(layout.pack_trailer(index_offset))
        return self._offset + layout.TRAILER_BYTES
