"""Signals whose lines are kept beside them, and the lines of a chunk (SPEC.md, sections 4 and 6.10; version 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegzip.formats.eegz.chunk import StreamKind

if TYPE_CHECKING:
    from eegzip.formats.eegz.reader import EegzReader
    from eegzip.formats.lines.oscillator import Line


@dataclass(frozen=True)
class LineSet:
    """Signals that have lines in common: what is coded of them is what is left without these.

    Parameters
    ----------
    signals : tuple of int
        Indices into the recording's signals; none is exact, all have one sample rate.
    lowest, highest : tuple of int
        Range of each signal's digital values in the original, lines and all, to which a decoder clips.
    steps : tuple of int
        Of each signal's amplitudes, in 1/256 digital units.
    count : int
        Lines.
    spacing : int
        Samples between knots.
    grain : int
        Frequencies change by multiples of ``2**grain`` (of 2**-32 turns a sample).
    """

    signals: tuple[int, ...]
    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    steps: tuple[int, ...]
    count: int
    spacing: int
    grain: int

    def knots_of_samples(self, start: int, stop: int) -> tuple[int, int]:
        """First knot that samples from `start` up to `stop` need, and one past the last; none for no samples."""
        first = start // self.spacing
        return (first, first) if stop <= start else (first, (stop - 1) // self.spacing + 2)


@dataclass(frozen=True)
class ChunkLines:
    """The lines of a set in one chunk.

    Parameters
    ----------
    entry : LineSet
    start : int
        Sample of the first knot, counted from the chunk's first; not positive.
    lines : list of Line
    """

    entry: LineSet
    start: int
    lines: list[Line]

    def samples(self, start: int, stop: int) -> np.ndarray:
        """What the lines add to each signal's samples, counted from the chunk's first: int64 [signals, n]."""
        # Here, as it needs numba, which takes a while to load.
        from eegzip.formats.lines.oscillator import synthesise

        signals, spacing = len(self.entry.signals), self.entry.spacing
        return synthesise(self.lines, signals, spacing, start - self.start, stop - self.start)

    def add(self, values: np.ndarray, signal: int, start: int) -> np.ndarray:
        """Put the lines back into samples of one signal.

        Parameters
        ----------
        values : ndarray of int, shape (n,)
        signal : int
            Its index in the recording.
        start : int
            The first sample, counted from the chunk's first.

        Returns
        -------
        ndarray of int32, shape (n,)
            Clipped to the original's range.
        """
        from eegzip.formats.lines.oscillator import Line, synthesise

        place = self.entry.signals.index(signal)
        alone = [
            Line(line.phases, line.frequencies, line.switches, line.amplitudes[place : place + 1])
            for line in self.lines
            if line.amplitudes[place].any()
        ]
        begin = start - self.start
        total = synthesise(alone, 1, self.entry.spacing, begin, begin + len(values))[0] + values
        return np.clip(total, self.entry.lowest[place], self.entry.highest[place]).astype(np.int32)


def chunk_lines(reader: EegzReader, chunk: int, number: int) -> ChunkLines:
    """Read the lines of a set in one chunk.

    Raises
    ------
    ContainerError
        The chunk is missing or damaged, or without them.
    """
    header = reader.header
    entry = header.line_sets[number]
    per_record = header.signals[entry.signals[0]].samples_per_record
    first, stop = (record * per_record for record in header.records_of_chunk(chunk))
    knot, end = entry.knots_of_samples(first, stop)

    def decode(data: bytes) -> list[Line]:
        # Here, as it needs numba, which takes a while to load.
        from eegzip.formats.lines.stream import decode_lines

        return decode_lines(data, entry.count, entry.steps, end - knot, entry.grain, entry.spacing)

    lines = reader.decoded(chunk, StreamKind.LINES, number, decode)
    return ChunkLines(entry, knot * entry.spacing - first, lines)
