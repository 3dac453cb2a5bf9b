"""A recording without its lines: what every lossy way of coding sees, and what a decoder puts back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eegzip.codecs.stream_batch import DigitalSource
from eegzip.formats.edf import EdfHeader
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.lines import ChunkLines, LineSet
from eegzip.formats.eegz.summary import LineSummary, figure
from eegzip.formats.lines.oscillator import Line
from eegzip.formats.lines.stream import encode_lines


@dataclass(frozen=True)
class RecordingLines:
    """The lines of some signals over a whole recording.

    Parameters
    ----------
    entry : LineSet
    lines : list of Line
        Amplitudes in steps.
    """

    entry: LineSet
    lines: list[Line]

    def without(self, signals: Collection[int]) -> RecordingLines | None:
        """Without those of some signals; ``None`` where none are left."""
        places = [place for place, signal in enumerate(self.entry.signals) if signal not in signals]

        def some(values: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(values[place] for place in places)

        kept = [replace(line, amplitudes=line.amplitudes[places]) for line in self.lines]
        kept = [line for line in kept if line.amplitudes.any()]
        if not kept:
            return None
        entry = replace(
            self.entry,
            signals=some(self.entry.signals),
            lowest=some(self.entry.lowest),
            highest=some(self.entry.highest),
            steps=some(self.entry.steps),
            count=len(kept),
        )
        return RecordingLines(entry, kept)

    def between(self, start: int, stop: int) -> ChunkLines:
        """Those of some samples, counted from the recording's first."""
        first, end = self.entry.knots_of_samples(start, stop)
        steps = np.array(self.entry.steps, np.int64)[:, None, None]
        parts = [
            Line(part.phases, part.frequencies, part.switches, part.amplitudes * steps)
            for part in (_cut(line, first, end) for line in self.lines)
            if part.amplitudes.any()
        ]
        return ChunkLines(self.entry, first * self.entry.spacing - start, parts)

    def stream(self, start: int, stop: int) -> bytes:
        """What a chunk of these samples stores."""
        first, end = self.entry.knots_of_samples(start, stop)
        parts = [_cut(line, first, end) for line in self.lines]
        return encode_lines(parts, self.entry.grain, self.entry.spacing)


def _cut(line: Line, first: int, stop: int) -> Line:
    return Line(
        line.phases[first:stop],
        line.frequencies[first : stop - 1],
        line.switches[first : stop - 1],
        line.amplitudes[:, first:stop].astype(np.int64),
    )


class LinesRemoved:
    """A recording whose signals are without their lines; it is read as the file itself is.

    Parameters
    ----------
    file : DigitalSource
    found : sequence of RecordingLines
    """

    def __init__(self, file: DigitalSource, found: Sequence[RecordingLines]) -> None:
        self._file = file
        self.found = tuple(found)
        self.header: EdfHeader = file.header
        self.n_records = file.n_records
        self._set_of = {signal: lines for lines in found for signal in lines.entry.signals}

    def digital(self, start: int, stop: int, signals: Sequence[int]) -> np.ndarray:
        """Digital values without lines; see :meth:`EdfFile.digital`."""
        rows = self._file.digital(start, stop, signals)
        per_record = self.header.signals[signals[0]].samples_per_record
        for lines in {id(found): found for found in self._lines_of(signals)}.values():
            values = lines.between(start * per_record, stop * per_record).samples(0, rows.shape[1])
            for row, signal in zip(rows, signals, strict=True):
                if self._set_of.get(signal) is lines:
                    row -= values[lines.entry.signals.index(signal)].astype(np.int32)
        return rows

    def _lines_of(self, signals: Iterable[int]) -> list[RecordingLines]:
        return [self._set_of[signal] for signal in signals if signal in self._set_of]

    def spans(self) -> Iterator[tuple[int, int]]:
        """See :meth:`EdfFile.spans`."""
        return self._file.spans()

    def put_back(self, first_record: int, signals: Sequence[int], values: np.ndarray) -> np.ndarray:
        """Digital values int32 [signals, n] from a record on, with their lines, as a decoder restores them."""
        start = first_record * self.header.signals[signals[0]].samples_per_record
        rows = []
        for signal, row in zip(signals, values, strict=True):
            lines = self._set_of.get(signal)
            rows.append(row if lines is None else lines.between(start, start + len(row)).add(row, signal, 0))
        return np.stack(rows)

    def streams(self, header: FileHeader, chunk: int) -> list[bytes]:
        """What a chunk stores of each line set."""
        records = header.records_of_chunk(chunk)
        result = []
        for lines in self.found:
            per_record = self.header.signals[lines.entry.signals[0]].samples_per_record
            result.append(lines.stream(records[0] * per_record, records[1] * per_record))
        return result

    def summaries(self) -> tuple[LineSummary, ...]:
        """What each line is like."""
        return tuple(
            self._summary(number, lines.entry, line) for number, lines in enumerate(self.found) for line in lines.lines
        )

    def _summary(self, number: int, entry: LineSet, line: Line) -> LineSummary:
        rate = self.header.sample_rate_exact(entry.signals[0])
        there = np.asarray(line.amplitudes.any(axis=(0, 2)))
        used = line.frequencies[there[:-1] | there[1:]]
        hz = [int(word) * float(rate) / (1 << 32) if rate else None for word in (used.min(), used.max())]
        units = [abs(self.header.signals[index].microvolts_per_digit or 1.0) for index in entry.signals]
        squares = [float(np.square(rows.astype(np.float64)).sum()) / len(rows) / 2 for rows in line.amplitudes]
        sizes = [
            unit * step / 256 * square**0.5 for unit, step, square in zip(units, entry.steps, squares, strict=True)
        ]
        return LineSummary(number, figure(hz[0]), figure(hz[1]), tuple(figure(size) or 0.0 for size in sizes))
