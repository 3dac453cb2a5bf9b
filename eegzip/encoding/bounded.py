"""All layer sets of a recording at work: a few chunks at a time, side by side, in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from eegzip.encoding.bounded_chunk import CodedChunk, LayerCoder, Synthesis
from eegzip.encoding.bounded_counts import LayerTally
from eegzip.evaluation.fidelity import Fidelity, FidelityMeter
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import FileHeader, LayerSet
from eegzip.formats.eegz.layers import LayeredChunk
from eegzip.formats.parallel import begun_ahead

_MOST_THREADS = 4
"""Each holds a chunk of a layer set, some hundred megabytes where there are many channels."""

Synthesiser = Callable[[int], dict[int, tuple[np.ndarray, float]]]


def _of_set(found: dict[int, tuple[np.ndarray, float]], entry: LayerSet) -> Synthesis | None:
    """Of all signals of a set; ``None`` where one has no tokens, as then none has."""
    if not all(signal in found for signal in entry.signals):
        return None
    return Synthesis(
        np.stack([found[signal][0] for signal in entry.signals]),
        np.array([found[signal][1] for signal in entry.signals]),
    )


@dataclass(frozen=True)
class LayeredFidelity:
    """What became of one signal.

    Parameters
    ----------
    fidelity : Fidelity
        Over the whole recording.
    worst_chunk_prd : float or None
    chunks : dict of str to int
        How many chunks store it in which way.
    """

    fidelity: Fidelity
    worst_chunk_prd: float | None
    chunks: dict[str, int]


class LayerWork:
    """Codes the signals of all layer sets of a recording.

    Parameters
    ----------
    file : EdfFile
    header : FileHeader
    synthesise : callable, optional
        Gives, for the number of a chunk, what its tokens make of each signal that has tokens, with the tolerance
        of another machine's.
    """

    def __init__(self, file: EdfFile, header: FileHeader, synthesise: Synthesiser | None = None) -> None:
        self._file = file
        self._header = header
        self._synthesise = synthesise
        signals = file.header.signals
        self._coders = [
            LayerCoder(header, number, [signals[index].microvolts_per_digit for index in entry.signals])
            for number, entry in enumerate(header.layer_sets)
        ]
        # The middle of the range will do: a meter only wants to be spared large offsets.
        self._meters = [
            FidelityMeter((np.array(entry.lowest) + np.array(entry.highest)) / 2) for entry in header.layer_sets
        ]
        self._tallies = [LayerTally(len(entry.signals)) for entry in header.layer_sets]

    def chunks(self) -> Iterator[LayeredChunk]:
        """Code chunk after chunk."""
        for sets in begun_ahead(range(self._header.n_chunks), self._begin, _MOST_THREADS):
            yield self._finish(sets)

    def _begin(self, pool: ThreadPoolExecutor, chunk: int) -> list[tuple[np.ndarray, Future[CodedChunk]]]:
        found = {} if self._synthesise is None else self._synthesise(chunk)
        return [
            (rows, pool.submit(coder.code, rows, _of_set(found, entry)))
            for coder, rows, entry in zip(self._coders, self._values(chunk), self._header.layer_sets, strict=True)
        ]

    def _values(self, chunk: int) -> list[np.ndarray]:
        block = self._file.read_records(*self._header.records_of_chunk(chunk))
        return [
            np.stack([decode_signal(block, self._file.header, index).reshape(-1) for index in entry.signals])
            for entry in self._header.layer_sets
        ]

    def _finish(self, sets: list[tuple[np.ndarray, Future[CodedChunk]]]) -> LayeredChunk:
        result = LayeredChunk()
        for (values, future), meter, tally in zip(sets, self._meters, self._tallies, strict=True):
            coded = future.result()
            meter.update(values, coded.restored)
            tally.add(values, coded)
            result.layers.update(coded.streams.layers)
            result.residuals.update(coded.streams.residuals)
            result.exact.update(coded.streams.exact)
        return result

    def results(self) -> dict[int, LayeredFidelity]:
        """What became of each signal, over all chunks coded so far."""
        return {
            signal: LayeredFidelity(fidelity, worst, dict(sorted(ways.items())))
            for entry, meter, tally in zip(self._header.layer_sets, self._meters, self._tallies, strict=True)
            for signal, fidelity, worst, ways in zip(
                entry.signals, meter.results(), tally.worst, tally.ways, strict=True
            )
        }
