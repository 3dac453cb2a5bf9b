"""Restores the samples of an open file, in blocks of constant memory."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np

from eegzip.codecs.stream_batch import block_records
from eegzip.decoding.bounded import BoundedStage
from eegzip.decoding.lines import StoredLines
from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.decoding.lossless import LosslessStage
from eegzip.decoding.memory import refuse_more_memory
from eegzip.decoding.stage import Stage
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.decoding.tokens import TokenStage
from eegzip.formats.edf import assemble_records
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.reader import EegzReader
from eegzip.progress import Progress

_REACH = 30.0
"""Seconds of tokens on either side that may be wanted."""


def stages_of(
    reader: EegzReader,
    network: StoredNetwork,
    signals: Sequence[int] | None = None,
    losses: Losses = NO_LOSSES,
    *,
    tokens_only: bool = False,
    alone: bool = False,
) -> tuple[Stage, ...]:
    """The ways in which an open file's signals are coded; parameters are those of :class:`RecordingDecoder`."""
    wanted = range(len(reader.header.signals)) if signals is None else signals
    tokens = TokenStage(reader, network, wanted, losses, tokens_only=tokens_only, alone=alone)
    lossless = LosslessStage(reader, wanted, losses)
    if tokens_only:
        return tokens, lossless
    return tokens, lossless, BoundedStage(reader, tokens, wanted, losses)


class RecordingDecoder:
    """Restores data records of an open file, block by block.

    Parameters
    ----------
    reader : EegzReader
    network : StoredNetwork
        Loaded when it is needed.
    signals : sequence of int, optional
        Only these; all by default.
    losses : Losses
        What is left out: samples there become 0.
    tokens_only : bool
        Give the synthesis of the tokens of signals coded in layers, and nothing on top of it.
    alone : bool
        Decode every signal from its own tokens, though a joint decoder would refine it.

    Raises
    ------
    OutOfMemoryError
        A chunk takes more memory than the reader may take.
    """

    def __init__(
        self,
        reader: EegzReader,
        network: StoredNetwork,
        signals: Sequence[int] | None = None,
        losses: Losses = NO_LOSSES,
        *,
        tokens_only: bool = False,
        alone: bool = False,
    ) -> None:
        refuse_more_memory(reader)
        self.reader = reader
        self._stages = stages_of(reader, network, signals, losses, tokens_only=tokens_only, alone=alone)
        self._lines = StoredLines(reader, losses)

    def blocks(self, first: int, stop: int) -> Iterator[tuple[int, int, dict[int, np.ndarray]]]:
        """Restore the records from `first` up to `stop`.

        Yields
        ------
        first, stop : int
            First record of the block, and the one after its last; no block goes beyond its chunk.
        samples : dict of int to ndarray of int32, shape (records, samples_per_record)
            Digital values of every wanted signal.
        """
        header = self.reader.header
        if first >= stop:
            return
        step = block_records(header)
        chunks = range(first // header.chunk_records, -(-stop // header.chunk_records))
        beyond = _chunks_within_reach(header) if header.groups else 0
        self.reader.expect(max(chunks.start - beyond, 0), min(chunks.stop + beyond, header.n_chunks))
        for chunk, *parts in zip(chunks, *(stage.restore(chunks) for stage in self._stages), strict=True):
            chunk_first, chunk_stop = header.records_of_chunk(chunk)
            end = min(stop, chunk_stop)
            for begin in range(max(first, chunk_first), end, step):
                last = min(begin + step, end)
                samples: dict[int, np.ndarray] = {}
                for part in parts:
                    samples.update(part(begin - chunk_first, last - chunk_first))
                self._lines.put_back(chunk, begin - chunk_first, samples)
                yield begin, last, samples


def _chunks_within_reach(header: FileHeader) -> int:
    """Chunks to either side whose tokens the network looks at, at the edges of one."""
    seconds = header.chunk_records * (header.record_duration or _REACH)
    # Of records so short that the quotient would be beyond all numbers it is all chunks there are.
    return header.n_chunks if seconds * header.n_chunks <= _REACH else math.ceil(_REACH / seconds)


def restored_sha256(decoder: RecordingDecoder, progress: Progress) -> str:
    """Digest of the whole restored file, without writing it."""
    reader = decoder.reader
    edf = stored_edf_header(reader.header)
    digest = hashlib.sha256(reader.header.edf_header)
    for _, stop, samples in decoder.blocks(0, reader.header.n_records):
        block = assemble_records(edf, samples)
        digest.update(np.ascontiguousarray(block).reshape(-1).data)
        progress("restoring", stop, reader.header.n_records)
    for piece in reader.trailing():
        digest.update(piece)
    return digest.hexdigest()
