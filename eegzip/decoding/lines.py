"""Lines that are kept beside signals: read from an open file, and put back into what its stages restore."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.decoding.stage import Check
from eegzip.formats.eegz.lines import ChunkLines, chunk_lines
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.errors import ContainerError


class StoredLines:
    """The lines of an open file.

    Parameters
    ----------
    reader : EegzReader
    losses : Losses
        What is left out: nothing is put back there.
    """

    def __init__(self, reader: EegzReader, losses: Losses = NO_LOSSES) -> None:
        self._reader = reader
        self._losses = losses
        self._set_of = {
            signal: number for number, entry in enumerate(reader.header.line_sets) for signal in entry.signals
        }
        self._chunks: Recent[tuple[int, int], ChunkLines] = Recent(2 * max(len(reader.header.line_sets), 1))

    def put_back(self, chunk: int, first: int, samples: dict[int, np.ndarray]) -> None:
        """Put lines back into samples that the stages restored.

        Parameters
        ----------
        chunk : int
        first : int
            First data record of the samples, counted from the chunk's first.
        samples : dict of int to ndarray of int32, shape (records, samples_per_record)
            Digital values of signals without their lines; those that have lines are replaced.

        Raises
        ------
        ContainerError
            The chunk is missing or damaged.
        """
        having = self._set_of.keys() & samples.keys()
        for signal in having - self._losses.among(having, chunk):
            rows = samples[signal]
            found = self._lines(chunk, self._set_of[signal])
            samples[signal] = found.add(rows.reshape(-1), signal, first * rows.shape[1]).reshape(rows.shape)

    def samples(self, signal: int, chunk: int) -> np.ndarray:
        """What the lines of a signal are in a chunk: int64 of shape (n,), in digital units; 0 where it has none."""
        header = self._reader.header
        first, stop = header.records_of_chunk(chunk)
        count = (stop - first) * header.signals[signal].samples_per_record
        number = self._set_of.get(signal)
        if number is None or self._losses.among((signal,), chunk):
            return np.zeros(count, np.int64)
        place = header.line_sets[number].signals.index(signal)
        return self._lines(chunk, number).samples(0, count)[place]

    def _lines(self, chunk: int, number: int) -> ChunkLines:
        return self._chunks.get((chunk, number), lambda key: chunk_lines(self._reader, *key))

    def verify(self, chunk: int) -> Iterator[Check]:
        """Decode the lines of a chunk whose directory is intact."""
        for number in range(len(self._reader.header.line_sets)):
            try:
                found = self._lines(chunk, number)
                yield Check("lines", sum(line.amplitudes.size for line in found.lines))
            except ContainerError as error:
                yield Check("lines", 0, str(error))


def line_samples(reader: EegzReader, signal: int) -> np.ndarray:
    """Lines of a signal over the whole recording, as a decoder puts them back.

    Parameters
    ----------
    reader : EegzReader
    signal : int
        Its index in the recording.

    Returns
    -------
    ndarray of int64, shape (n,)
        Digital units; 0 throughout where it has none.

    Raises
    ------
    ContainerError
        A chunk is missing or damaged.
    """
    lines = StoredLines(reader)
    parts = [lines.samples(signal, chunk) for chunk in range(reader.header.n_chunks)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
