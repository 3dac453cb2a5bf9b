"""Signals that are kept exactly, sample by sample."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.decoding.stage import Check, ChunkSamples, rows_of
from eegzip.formats.eegz.lossless_ahead import lossless_chunks
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError


class LosslessStage:
    """Decodes signals that are kept exactly, some chunks ahead.

    Parameters
    ----------
    reader : EegzReader
    wanted : collection of int
        Signals to restore.
    losses : Losses
        What is left out: samples there become 0.
    """

    def __init__(self, reader: EegzReader, wanted: Collection[int], losses: Losses = NO_LOSSES) -> None:
        self._reader = reader
        self._signals = [index for index in reader.header.exact_signals() if index in wanted]
        self._losses = losses

    def restore(self, chunks: Sequence[int]) -> Iterator[ChunkSamples]:
        """Samples of chunk after chunk."""

        def lost(chunk: int) -> frozenset[int]:
            return self._losses.among(self._signals, chunk)

        for found in lossless_chunks(self._reader, chunks, self._signals, lost):
            yield rows_of(found)

    def verify(self, chunk: int) -> Iterator[Check]:
        """Decode each signal."""
        for signal in self._signals:
            try:
                yield Check("exact", int(self._reader.chunk_exact(chunk, signal).size))
            except ContainerError as error:
                yield Check("exact", 0, str(error))
