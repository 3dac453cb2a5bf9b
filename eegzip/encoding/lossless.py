"""Signals that are kept exactly, sample by sample."""

from __future__ import annotations

from eegzip.encoding.stage import ChunkStreams, SignalFidelity
from eegzip.encoding.statistics import RecordingStatistics
from eegzip.evaluation.fidelity import Fidelity
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.eegz.header import Coding, FileHeader


class LosslessStage:
    """Reads what is kept exactly; the writer has the coder, as its choices last from chunk to chunk.

    Parameters
    ----------
    file : EdfFile
    header : FileHeader
    statistics : RecordingStatistics
    """

    def __init__(self, file: EdfFile, header: FileHeader, statistics: RecordingStatistics) -> None:
        self._file = file
        self._header = header
        self._statistics = statistics
        self._signals = header.exact_signals()

    def encode(self, chunk: int) -> ChunkStreams:
        """Samples of a chunk."""
        if not self._signals:
            return ChunkStreams()
        block = self._file.read_records(*self._header.records_of_chunk(chunk))
        rows = {index: decode_signal(block, self._file.header, index).reshape(-1) for index in self._signals}
        return ChunkStreams(exact=rows)

    def fidelities(self) -> dict[int, SignalFidelity]:
        """No error, by construction; correlation and relative error have no meaning for a constant."""
        found = {}
        for index, (entry, signal) in enumerate(zip(self._header.signals, self._statistics.signals, strict=True)):
            if entry.coding is Coding.EXACT:
                prd, r = (None, None) if signal.flat else (0.0, 1.0)
                found[index] = SignalFidelity(Fidelity(prd, None, r, 0))
        return found
