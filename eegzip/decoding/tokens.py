"""Signals that a network restores from tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.stream_batch import StreamBatch, batches_of, joint_latents_of, joint_set_of, synthesis_of
from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.decoding.stage import Check, ChunkSamples
from eegzip.decoding.stored_tokens import StoredNetwork, StoredTokens
from eegzip.formats.eegz.header import Coding
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError, ModelError
from eegzip.formats.parallel import begun_ahead

if TYPE_CHECKING:
    from eegzip.codecs.signal.synthesis import Synthesis

_MAX_CHUNKS = 4
"""Chunks whose tokens are decoded at a time."""

_LOOKED_AT = 8
"""Chunks whose knots are read before the network is loaded; of a file at a URL they are fetched anyway."""


class TokenStage:
    """Decodes tokens and synthesises signals with the network, which is loaded when a waveform is asked for.

    Parameters
    ----------
    reader : EegzReader
    network : StoredNetwork
    wanted : collection of int
        Signals to restore.
    losses : Losses
        What is left out: samples there become 0.
    tokens_only : bool
        Give the synthesis of signals coded in layers too, which is another stage's part else.
    alone : bool
        Decode every signal from its own tokens, though a joint decoder would refine it.
    """

    def __init__(
        self,
        reader: EegzReader,
        network: StoredNetwork,
        wanted: Collection[int],
        losses: Losses = NO_LOSSES,
        *,
        tokens_only: bool = False,
        alone: bool = False,
    ) -> None:
        self._reader = reader
        self._header = reader.header
        self._network = network
        self._wanted = frozenset(wanted)
        self._losses = losses
        self._tokens_only = tokens_only
        self._refined = frozenset[int]() if alone else reader.refined
        self._made: list[tuple[StreamBatch, Synthesis]] | None = None

    def _batches(self) -> list[tuple[StreamBatch, Synthesis]]:
        # No cached_property: before Python 3.12 it holds a lock, which a fork of another thread would hand down held.
        if self._made is None:
            self._made = [(batch, self._synthesis(batch)) for batch in batches_of(self._header, sorted(self._wanted))]
        return self._made

    def _synthesis(self, batch: StreamBatch) -> Synthesis:
        header = self._header
        runtime = self._network(header.groups[batch.groups[0]].codec)
        joint, together = None, joint_set_of(header, batch)
        if together is not None and not self._refined.isdisjoint(batch.signals):
            source = StoredTokens(self._reader, together, self._losses)
            joint = joint_latents_of(header, batch, source, runtime, self._refined)
        return synthesis_of(header, batch, StoredTokens(self._reader, batch, self._losses), runtime, joint)

    def restore(self, chunks: Sequence[int]) -> Iterator[ChunkSamples]:
        """Samples of chunk after chunk, synthesised when they are asked for."""
        groups = self._groups()
        # What was decoded must be remembered until it is asked for: the chunk before, those under way, and one more.
        most = min(_MAX_CHUNKS, self._reader.streams_kept // max(len(groups), 1) - 2)
        if len(chunks) < 2 or not groups or most < 1:
            self._look_at(chunks)
            yield from (partial(self._samples, chunk) for chunk in chunks)
            return

        def begin(pool: ThreadPoolExecutor, chunk: int) -> ChunkSamples:
            intact = [group for group in groups if chunk not in self._losses.of_group(group)]
            self._reader.begin_tokens(chunk, intact, pool)
            return partial(self._samples, chunk)

        # The end of a chunk takes tokens of the next.
        begun = begun_ahead(chunks, begin, most, spare=1)
        first = next(begun)
        self._look_at(chunks)
        yield first
        yield from begun

    def _look_at(self, chunks: Sequence[int]) -> None:
        """Read what comes first before the network is loaded, which takes seconds: damage ends without it.

        Raises
        ------
        ContainerError
            Knots or tokens are damaged.
        """
        groups, losses = self._groups(), self._losses
        intact = [chunk for chunk in chunks[:_LOOKED_AT] if chunk not in losses.chunks]
        if groups and self._reader.knot_owners():
            for chunk in intact:
                if chunk not in losses.knots:
                    self._reader.chunk_knots(chunk)
        for chunk in intact[:1]:
            for group in groups:
                if chunk not in losses.of_group(group):
                    with suppress(ModelError):  # the network's own error says which model it is
                        self._reader.chunk_tokens(chunk, group)

    def _groups(self) -> list[int]:
        """Groups whose tokens this stage takes."""
        return [
            group
            for batch in batches_of(self._header, sorted(self._wanted))
            for group in batch.groups
            if self._is_asked_for(batch)
        ]

    def _is_asked_for(self, batch: StreamBatch) -> bool:
        """Whether this stage gives the signals of a batch."""
        signals = self._header.signals
        return self._tokens_only or any(signals[index].coding is not Coding.LAYERS for index in batch.signals)

    def _samples(self, chunk: int, first: int, stop: int) -> dict[int, np.ndarray]:
        header = self._header
        start = header.records_of_chunk(chunk)[0]
        samples = {}
        for batch, synthesis in self._batches():
            if not self._is_asked_for(batch):
                continue
            per_record = header.signals[batch.signals[0]].samples_per_record
            lost = self._losses.among(batch.signals, chunk)
            if len(lost) == len(batch.signals):
                values = np.zeros((len(batch.signals), (stop - first) * per_record), np.int32)
            else:
                values = synthesis.digital((start + first) * per_record, (start + stop) * per_record)
            for row, index in zip(values, batch.signals, strict=True):
                if index in self._wanted:
                    samples[index] = (np.zeros_like(row) if index in lost else row).reshape(stop - first, per_record)
        return samples

    def synthesised(self, chunk: int, signals: Collection[int]) -> dict[int, np.ndarray]:
        """What a chunk's tokens make of signals, before rounding, float64 of shape (n,); some others may be there."""
        first, stop = self._header.records_of_chunk(chunk)
        found: dict[int, np.ndarray] = {}
        for batch, synthesis in self._batches():
            if not frozenset(batch.signals).isdisjoint(signals):
                per_record = self._header.signals[batch.signals[0]].samples_per_record
                values = synthesis.values(first * per_record, stop * per_record)
                found.update(zip(batch.signals, values, strict=True))
        return found

    def verify(self, chunk: int) -> Iterator[Check]:
        """Decode the tokens of each group, and the knots; no network is needed, but the prior of a model may be."""
        for group in range(len(self._header.groups)):
            try:
                yield Check("tokens", int(self._reader.chunk_tokens(chunk, group).size))
            except ContainerError as error:
                yield Check("tokens", 0, str(error))
            except ModelError as error:
                yield Check("tokens", 0, unchecked=str(error))
        if self._reader.knot_owners():
            try:
                self._reader.chunk_knots(chunk)
            except ContainerError as error:
                yield Check("knots", 0, str(error))
