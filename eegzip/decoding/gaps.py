"""What a salvaged recording says of its lost data records: when they were, and that they are lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np

from eegzip.decoding.timeline import stored_timeline
from eegzip.formats.edf import Annotation, EdfHeader
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.edf.cut_annotations import TICKS, annotation_list, ticks, time_text
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.reader import EegzReader

LOST = "BAD_LOST"
"""Text of the annotation of lost records; MNE leaves out what is ``BAD``."""


class LostRecords:
    """The lost data records of an open file.

    Parameters
    ----------
    reader : EegzReader
    edf : EdfHeader
        The header that the file carries.
    lost : frozenset of int
        Chunks.

    Attributes
    ----------
    timeline : Timeline
        That of the whole recording. Lost records follow the one before them; those that nothing precedes end where the
        first intact record begins, or in a discontinuous recording begin at 0. Each stretch of them is annotated.
    """

    def __init__(self, reader: EegzReader, edf: EdfHeader, lost: frozenset[int]) -> None:
        self._edf = edf
        stretches = list(_stretches(reader.header, lost))
        stored = stored_timeline(reader, edf, lost)
        # In ticks, so that long stretches don't drift away.
        self._onsets: dict[int, int] = {}
        for first, stop in stretches:
            begin = self._begin(stored.onsets, first, stop)
            self._onsets |= {record: begin + self._length(record - first) for record in range(first, stop)}
        onsets = stored.onsets.copy()
        for record, onset in self._onsets.items():
            onsets[record] = onset / TICKS
        self._lengths = {first: self._length(stop - first) or None for first, stop in stretches}
        marks = tuple(
            Annotation(float(onsets[first]), None if length is None else length / TICKS, LOST, first)
            for first, length in self._lengths.items()
        )
        annotations = (*stored.annotations, *marks) if text_signals(edf) else ()
        self.timeline = replace(stored, onsets=onsets, annotations=annotations)

    def _length(self, count: int) -> int:
        """Of so many records, in ticks."""
        return round(count * TICKS * (self._edf.record_duration_exact or 0))

    def _begin(self, onsets: np.ndarray, first: int, stop: int) -> int:
        if first:
            return ticks(float(onsets[first - 1])) + self._length(1)
        if self._edf.is_discontinuous or stop == len(onsets):
            return 0
        return max(0, ticks(float(onsets[stop])) - self._length(stop))

    def put_times(self, first: int, block: np.ndarray) -> None:
        """Write the times of lost records, and that they are lost, into data records, where there is room.

        Parameters
        ----------
        first : int
            Number of the first record.
        block : numpy.ndarray of uint8, shape (n, record_bytes)
            Changed in place; what is lost of it is 0.
        """
        signals = text_signals(self._edf)
        if not signals:
            return
        where = self._edf.signal_slices[signals[0]]
        for row, record in enumerate(range(first, first + len(block))):
            if record not in self._onsets:
                continue
            onset = self._onsets[record]
            lists = time_text(onset, sign=True) + b"\x14\x14\0"
            if record in self._lengths:
                both = lists + annotation_list(onset, self._lengths[record], LOST)
                lists = both if len(both) <= where.stop - where.start else lists
            if len(lists) <= where.stop - where.start:
                block[row, where] = np.frombuffer(lists.ljust(where.stop - where.start, b"\0"), np.uint8)


def _stretches(header: FileHeader, lost: frozenset[int]) -> Iterator[tuple[int, int]]:
    """First record, and the one after the last, of stretches of lost chunks that follow each other."""
    for _, found in groupby(enumerate(sorted(lost)), key=lambda item: item[1] - item[0]):
        chunks = [chunk for _, chunk in found]
        first, stop = header.records_of_chunk(chunks[0])[0], header.records_of_chunk(chunks[-1])[1]
        if first < stop:
            yield first, stop
