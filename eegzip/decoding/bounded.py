"""Signals whose errors have bounds: layers, residuals and corrections, on top of tokens or alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.decoding.stage import Check, ChunkSamples, rows_of
from eegzip.decoding.tokens import TokenStage
from eegzip.formats.eegz.layer_reader import LayerReader
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.errors import ContainerError


class BoundedStage:
    """Decodes the signals of layer sets.

    Parameters
    ----------
    reader : EegzReader
    tokens : TokenStage
        Synthesises what layers build on.
    wanted : collection of int
        Signals to restore.
    losses : Losses
        What is left out: samples there become 0.
    """

    def __init__(
        self, reader: EegzReader, tokens: TokenStage, wanted: Collection[int], losses: Losses = NO_LOSSES
    ) -> None:
        self._reader = reader
        self._header = reader.header
        self._tokens = tokens
        self._wanted = frozenset(wanted).intersection(
            index for entry in self._header.layer_sets for index in entry.signals
        )
        self._losses = losses
        # Of one chunk: what was restored of a signal serves the next few seconds of it.
        self._readers: Recent[tuple[int, int], LayerReader] = Recent(max(1, len(self._header.layer_sets)))

    def restore(self, chunks: Sequence[int]) -> Iterator[ChunkSamples]:
        """Samples of chunk after chunk, a whole chunk at a time."""
        for chunk in chunks:
            yield rows_of(self._restored(chunk))

    def _restored(self, chunk: int) -> dict[int, np.ndarray]:
        """Digital values [records, samples_per_record] of a chunk."""
        first, stop = self._header.records_of_chunk(chunk)
        restored: dict[int, np.ndarray] = {}
        for number, entry in enumerate(self._header.layer_sets):
            signals = self._wanted.intersection(entry.signals)
            lost = self._losses.among(signals, chunk)
            samples = self._header.signals[entry.signals[0]].samples_per_record
            restored.update((index, np.zeros((stop - first, samples), np.int32)) for index in lost)
            signals -= lost
            if signals:
                found = self._readers.get((chunk, number), self._made).restore(signals)
                restored.update((index, row.reshape(stop - first, -1)) for index, row in found.items())
        return restored

    def _made(self, key: tuple[int, int]) -> LayerReader:
        chunk, number = key
        return LayerReader(self._reader, chunk, number, self._tokens.synthesised(chunk, self._wanted))

    def verify(self, chunk: int) -> Iterator[Check]:
        """Decode each layer set, whatever its tokens give: the streams on top of them decode alike."""
        header = self._header
        with_tokens = {index for group in header.groups for index in group.signals}
        first, stop = header.records_of_chunk(chunk)
        for number, entry in enumerate(header.layer_sets):
            count = (stop - first) * header.signals[entry.signals[0]].samples_per_record
            try:
                silent = {index: np.zeros(count) for index in with_tokens.intersection(entry.signals)}
                restored = LayerReader(self._reader, chunk, number, silent).restore(entry.signals)
                yield Check("layers", sum(values.size for values in restored.values()))
            except ContainerError as error:
                yield Check("layers", 0, str(error))
