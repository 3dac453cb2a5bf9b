"""Signals whose errors have bounds: all layer sets of a recording, a few chunks at a time, in the order of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from eegzip.encoding.bounded_chunk import BoundedCoder, CodedChunk, SetSynthesis
from eegzip.encoding.stage import ChunkStreams, SignalFidelity
from eegzip.encoding.tokens import TokenStage, TokenSynthesis
from eegzip.evaluation.fidelity import EegPartMeter, FidelityMeter
from eegzip.evaluation.metrics import prd
from eegzip.formats.edf import EdfFile
from eegzip.formats.eegz.header import FileHeader, LayerSet
from eegzip.formats.eegz.layers import LayeredChunk
from eegzip.formats.parallel import begun_ahead

if TYPE_CHECKING:
    from eegzip.encoding.lines.removal import LinesRemoved

_MAX_THREADS = 4
"""Each holds a chunk of a layer set, some hundred megabytes where there are many channels."""


def _of_set(found: dict[int, TokenSynthesis], entry: LayerSet) -> SetSynthesis | None:
    """Of all signals of a set; ``None`` where one has no tokens, as then none has."""
    if not all(signal in found for signal in entry.signals):
        return None
    return SetSynthesis(
        np.stack([found[signal].samples for signal in entry.signals]),
        np.array([found[signal].tolerance for signal in entry.signals]),
    )


class _Counts:
    """How the signals of a layer set were coded, chunk by chunk, and the worst of them.

    Attributes
    ----------
    ways : list of Counter of str
        How many chunks store a signal in which way.
    worst : list of float or None
        Largest error (PRD) of a single chunk, in percent, its own mean removed; ``None`` where all are constant.
    """

    def __init__(self, signals: int) -> None:
        self.ways = [Counter[str]() for _ in range(signals)]
        self.worst: list[float | None] = [None] * signals

    def add(self, original: np.ndarray, restored: np.ndarray, ways: list[str]) -> None:
        """Take note of a chunk; samples are int32 of shape (signals, samples)."""
        for place, (row, back, way) in enumerate(zip(original, restored, ways, strict=True)):
            self.ways[place][way] += 1
            power = float(row.var())
            if power > 0:
                error = float(prd(float(np.mean((row - back.astype(np.float64)) ** 2)), power))
                self.worst[place] = max(error, self.worst[place] or 0.0)


class BoundedStage:
    """Codes the signals of all layer sets of a recording.

    Parameters
    ----------
    file : EdfFile
    header : FileHeader
    tokens : TokenStage, optional
        Codes the same signals as tokens, on which layers may build.
    lines : LinesRemoved, optional
        The recording without its lines, which is what is coded.
    """

    def __init__(
        self,
        file: EdfFile,
        header: FileHeader,
        tokens: TokenStage | None = None,
        lines: LinesRemoved | None = None,
    ) -> None:
        self._file = file
        self._lines = lines
        self._header = header
        self._tokens = tokens
        signals = file.header.signals
        self._coders = [
            BoundedCoder(header, number, [signals[index].microvolts_per_digit for index in entry.signals])
            for number, entry in enumerate(header.layer_sets)
        ]
        # The middle of the range will do: a meter only wants to be spared large offsets.
        self._meters = [
            FidelityMeter((np.array(entry.lowest) + np.array(entry.highest)) / 2) for entry in header.layer_sets
        ]
        self._eeg_meters = [
            EegPartMeter(len(entry.signals), header.signals[entry.signals[0]].sample_rate or 1.0)
            for entry in header.layer_sets
        ]
        self._counts = [_Counts(len(entry.signals)) for entry in header.layer_sets]
        self._ahead = self._chunks()

    def encode(self, chunk: int) -> ChunkStreams:  # noqa: ARG002 - they come in the order of the file
        """Streams of the next chunk; those after it are being coded meanwhile."""
        return ChunkStreams(bounded=next(self._ahead))

    def _chunks(self) -> Iterator[LayeredChunk]:
        chunks = range(self._header.n_chunks)
        for chunk, sets in zip(chunks, begun_ahead(chunks, self._begin, _MAX_THREADS), strict=True):
            yield self._finish(chunk, sets)

    def _begin(self, pool: ThreadPoolExecutor, chunk: int) -> list[tuple[np.ndarray, np.ndarray, Future[CodedChunk]]]:
        found = {} if self._tokens is None else self._tokens.synthesised(chunk)
        return [
            (original, rows, pool.submit(coder.code, rows, _of_set(found, entry)))
            for coder, entry in zip(self._coders, self._header.layer_sets, strict=True)
            for original, rows in [self._values(chunk, entry)]
        ]

    def _values(self, chunk: int, entry: LayerSet) -> tuple[np.ndarray, np.ndarray]:
        """Samples of a set's signals, and what of them is coded."""
        records = self._header.records_of_chunk(chunk)
        original = self._file.digital(*records, entry.signals)
        return original, original if self._lines is None else self._lines.digital(*records, entry.signals)

    def _finish(self, chunk: int, sets: list[tuple[np.ndarray, np.ndarray, Future[CodedChunk]]]) -> LayeredChunk:
        result = LayeredChunk()
        first = self._header.records_of_chunk(chunk)[0]
        entries = self._header.layer_sets
        for (values, rows, future), entry, meter, eeg_meter, counts in zip(
            sets, entries, self._meters, self._eeg_meters, self._counts, strict=True
        ):
            coded = future.result()
            restored = coded.restored
            # Of what is left without lines: a tone beside the mains is no EEG, and must not pay for an error of it.
            eeg_meter.update(rows, restored)
            if self._lines is not None:
                restored = self._lines.put_back(first, entry.signals, restored)
            meter.update(values, restored)
            counts.add(values, restored, coded.ways)
            result.layers.update(coded.streams.layers)
            result.residuals.update(coded.streams.residuals)
            result.exact.update(coded.streams.exact)
        return result

    def fidelities(self) -> dict[int, SignalFidelity]:
        """Measured on what a decoder makes of each chunk."""
        return {
            signal: SignalFidelity(fidelity, worst, dict(sorted(ways.items())), *eeg)
            for entry, meter, eeg_meter, counts in zip(
                self._header.layer_sets, self._meters, self._eeg_meters, self._counts, strict=True
            )
            for signal, fidelity, worst, ways, eeg in zip(
                entry.signals, meter.results(), counts.worst, counts.ways, eeg_meter.results(), strict=True
            )
        }
