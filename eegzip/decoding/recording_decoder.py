"""Restores the samples of an open file, in blocks of constant memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.stream_batch import Bank, banks_of, block_records, synthesis_of
from eegzip.decoding.stored_tokens import StoredTokens, load_runtime
from eegzip.formats.edf import assemble_records
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.exact_ahead import exact_chunks
from eegzip.formats.eegz.header import Coding
from eegzip.formats.eegz.layer_reader import LayerReader
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.progress import Progress

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.signal.synthesis import Synthesis


@dataclass
class Restorer:
    """Restores data records of an open file, block by block.

    Parameters
    ----------
    reader : EegzReader
    signals : sequence of int, optional
        Only these; all by default.
    model : path-like, optional
        Checkpoint to use instead of the one found by digest.
    device : str
    lost : frozenset of int
        Chunks to be left out: their samples become 0.
    runtime : CodecRuntime, optional
        The network, where it is loaded already; loaded when it is needed by default.
    tokens_only : bool
        Give the synthesis of the tokens of signals coded in layers, and nothing on top of it.
    """

    reader: EegzReader
    signals: Sequence[int] | None = None
    model: str | Path | None = None
    device: str = "cpu"
    lost: frozenset[int] = frozenset()
    runtime: CodecRuntime | None = None
    tokens_only: bool = False
    _banks: list[tuple[Bank, Synthesis]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        header = self.reader.header
        banks = banks_of(header, self.signals)
        if not banks:
            return
        runtime = self.runtime = self.runtime or load_runtime(header, self.model, self.device)
        for bank in banks:
            source = StoredTokens(self.reader, bank, self.lost)
            self._banks.append((bank, synthesis_of(header, bank, source, runtime)))

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
        wanted = frozenset(range(len(header.signals)) if self.signals is None else self.signals)
        exact = [index for index in header.exact_signals() if index in wanted]
        step = block_records(header)
        chunks = range(first // header.chunk_records, -(-stop // header.chunk_records))
        ahead = exact_chunks(self.reader, chunks, exact, self.lost)
        while first < stop:
            chunk = first // header.chunk_records
            chunk_first, chunk_stop = header.records_of_chunk(chunk)
            kept = next(ahead)
            layered = self._layered(chunk, wanted)
            end = min(stop, chunk_stop)
            for begin in range(first, end, step):
                last = min(begin + step, end)
                rows = slice(begin - chunk_first, last - chunk_first)
                samples = {index: values[rows] for index, values in kept.items()}
                samples.update(self._coded(chunk, begin, last, wanted))
                samples.update((index, values[rows]) for index, values in layered.items())
                yield begin, last, samples
            first = end

    def _layered(self, chunk: int, wanted: frozenset[int]) -> dict[int, np.ndarray]:
        """Digital values [records, samples_per_record] of a chunk's signals that are coded in layers."""
        header = self.reader.header
        if self.tokens_only or not header.layer_sets:
            return {}
        first, stop = header.records_of_chunk(chunk)
        layered = wanted.intersection(index for entry in header.layer_sets for index in entry.signals)
        tokens: dict[int, np.ndarray] = {}
        if chunk not in self.lost:
            for bank, synthesis in self._banks:
                if layered.intersection(bank.signals):
                    per_record = header.signals[bank.signals[0]].samples_per_record
                    values = synthesis.values(first * per_record, stop * per_record)
                    tokens.update(zip(bank.signals, values, strict=True))
        restored: dict[int, np.ndarray] = {}
        for number, entry in enumerate(header.layer_sets):
            signals = wanted.intersection(entry.signals)
            if chunk in self.lost:
                samples = header.signals[entry.signals[0]].samples_per_record
                restored.update((index, np.zeros((stop - first, samples), np.int32)) for index in signals)
            elif signals:
                found = LayerReader(self.reader, chunk, number, tokens).restore(signals)
                restored.update((index, row.reshape(stop - first, -1)) for index, row in found.items())
        return restored

    def _coded(self, chunk: int, begin: int, last: int, wanted: frozenset[int]) -> dict[int, np.ndarray]:
        header = self.reader.header
        samples = {}
        for bank, synthesis in self._banks:
            if not self.tokens_only and all(header.signals[index].coding is Coding.LAYERS for index in bank.signals):
                continue
            per_record = header.signals[bank.signals[0]].samples_per_record
            if chunk in self.lost:
                values = np.zeros((len(bank.signals), (last - begin) * per_record), np.int32)
            else:
                values = synthesis.digital(begin * per_record, last * per_record)
            for row, index in zip(values, bank.signals, strict=True):
                if index in wanted:
                    samples[index] = row.reshape(last - begin, per_record)
        return samples


def damaged_chunks(reader: EegzReader) -> frozenset[int]:
    """Numbers of the chunks that are missing or fail a checksum."""
    bad = set(range(reader.header.n_chunks)) - set(reader.chunks)
    for number, place in reader.chunks.items():
        try:
            reader.payload(place)
            reader.directory(number)
        except ContainerError:
            bad.add(number)
    return frozenset(bad)


def restored_sha256(restorer: Restorer, progress: Progress) -> str:
    """Digest of the whole restored file, without writing it."""
    reader = restorer.reader
    edf = stored_edf_header(reader.header)
    digest = hashlib.sha256(reader.header.edf_header)
    for _, stop, samples in restorer.blocks(0, reader.header.n_records):
        block = assemble_records(edf, samples)
        digest.update(np.ascontiguousarray(block).reshape(-1).data)
        progress("restoring", stop, reader.header.n_records)
    for piece in reader.trailing():
        digest.update(piece)
    return digest.hexdigest()
