"""Gaps of a salvaged recording, as it says them: when data records were lost, and which signals where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from eegzip.decoding.losses import Losses
from eegzip.decoding.timeline import stored_timeline
from eegzip.formats.edf import Annotation, EdfHeader
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.edf.cut_annotations import TICKS, annotation_list, ticks, time_text
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.reader import EegzReader

LOST = "BAD_LOST"
"""Text of the annotation of lost records; MNE leaves out what is ``BAD``. Of one signal its label follows behind
``@@``, as MNE writes and reads the channels of annotations."""

ANNOTATIONS_LOST = "ANNOTATIONS_LOST"
"""Text where what is lost is annotations, and the samples of signals are not."""


@dataclass(frozen=True)
class LostStretch:
    """Data records in which something is lost.

    Parameters
    ----------
    first, stop : int
        The first record, and the one after the last.
    text : str
        Of the annotation.
    """

    first: int
    stop: int
    text: str


class LostRecords:
    """What is lost of the data records of an open file.

    Parameters
    ----------
    reader : EegzReader
    edf : EdfHeader
        The header that the file carries.
    losses : Losses
    signals : iterable of int
        Signals to say it of.

    Attributes
    ----------
    timeline : Timeline
        That of the whole recording. Records whose time is lost follow the one before them; those that nothing precedes
        end where the first intact record begins, or in a discontinuous recording begin at 0. Each stretch of lost
        records is annotated, and each in which single signals are lost, with their labels.
    """

    def __init__(self, reader: EegzReader, edf: EdfHeader, losses: Losses, signals: Iterable[int]) -> None:
        self._edf = edf
        self._texts = text_signals(edf)
        header = reader.header
        stored = stored_timeline(reader, edf, losses)
        # In ticks, so that long stretches don't drift away.
        self._onsets: dict[int, int] = {}
        for first, stop in _stretches(header, losses.of_signals(self._texts[:1])):
            begin = self._begin(stored.onsets, first, stop)
            self._onsets |= {record: begin + self._length(record - first) for record in range(first, stop)}
        onsets = stored.onsets.copy()
        for record, onset in self._onsets.items():
            onsets[record] = onset / TICKS
        marks = sorted(self._marks(header, losses, signals), key=lambda mark: mark.first) if self._texts else []
        self._lists = {mark: self._list(mark, onsets) for mark in marks}
        lengths = {mark: self._length(mark.stop - mark.first) or None for mark in marks}
        found = tuple(
            Annotation(float(onsets[mark.first]), None if length is None else length / TICKS, mark.text, mark.first)
            for mark, length in lengths.items()
        )
        self._waiting: list[LostStretch] = []
        self._coming = marks[::-1]
        self.timeline = replace(stored, onsets=onsets, annotations=(*stored.annotations, *found))

    def _length(self, count: int) -> int:
        """Of so many records, in ticks."""
        return round(count * TICKS * (self._edf.record_duration_exact or 0))

    def _begin(self, onsets: np.ndarray, first: int, stop: int) -> int:
        if first:
            return ticks(float(onsets[first - 1])) + self._length(1)
        if self._edf.is_discontinuous or stop == len(onsets):
            return 0
        return max(0, ticks(float(onsets[stop])) - self._length(stop))

    def _marks(self, header: FileHeader, losses: Losses, signals: Iterable[int]) -> Iterator[LostStretch]:
        wanted = ordinary_signals(header, self._edf, signals)
        whole = losses.of_signals(wanted)
        for first, stop in _stretches(header, whole):
            yield LostStretch(first, stop, LOST)
        for signal in wanted:
            for first, stop in _stretches(header, set(losses.of_signals((signal,))).difference(whole)):
                # A label is whatever a file says; bytes that end an annotation list would not do.
                label = "".join(letter if letter.isprintable() else "?" for letter in header.signals[signal].label)
                yield LostStretch(first, stop, f"{LOST}@@{label}")
        without = {chunk for text in self._texts for chunk in losses.of_signals((text,))}
        for first, stop in _stretches(header, without.difference(whole)):
            yield LostStretch(first, stop, ANNOTATIONS_LOST)

    def _list(self, mark: LostStretch, onsets: np.ndarray) -> bytes:
        onset = self._onsets.get(mark.first, ticks(float(onsets[mark.first])))
        return annotation_list(onset, self._length(mark.stop - mark.first) or None, mark.text)

    def put(self, first: int, block: np.ndarray) -> None:
        """Write times of records that lost them, and what is lost, into data records, where there is room.

        Parameters
        ----------
        first : int
            Number of the first record; blocks come in order.
        block : numpy.ndarray of uint8, shape (n, record_bytes)
            Changed in place; what is lost of it is 0.
        """
        if not self._lists and not self._onsets:
            return
        for row, record in zip(block, range(first, first + len(block)), strict=True):
            if record in self._onsets and self._texts:
                self._put_time(row, self._onsets[record])
            while self._coming and self._coming[-1].first <= record:
                self._waiting.append(self._coming.pop())
            self._waiting = [
                mark for mark in self._waiting if record < mark.stop and not self._has_taken(row, self._lists[mark])
            ]

    def _put_time(self, row: np.ndarray, onset: int) -> None:
        where = self._edf.signal_slices[self._texts[0]]
        kept = time_text(onset, sign=True) + b"\x14\x14\0"
        if len(kept) <= where.stop - where.start:
            row[where] = np.frombuffer(kept.ljust(where.stop - where.start, b"\0"), np.uint8)

    def _has_taken(self, row: np.ndarray, found: bytes) -> bool:
        """Append an annotation list to those of a record, in the first annotation signal that has room."""
        for signal in self._texts:
            where = self._edf.signal_slices[signal]
            used = row[where].tobytes().rstrip(b"\0")
            end = len(used) + 1 if used else 0
            # The first list of the first signal is the record's time.
            if end + len(found) <= where.stop - where.start and (used or signal != self._texts[0]):
                row[where.start + end : where.start + end + len(found)] = np.frombuffer(found, np.uint8)
                return True
        return False


def ordinary_signals(header: FileHeader, edf: EdfHeader, signals: Iterable[int]) -> list[int]:
    """Those of some signals that have samples, and are no annotations."""
    annotations = frozenset(edf.annotation_indices)
    return [index for index in signals if index not in annotations and header.signals[index].samples_per_record]


def _stretches(header: FileHeader, lost: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First record, and the one after the last, of stretches of lost chunks that follow each other."""
    for _, found in groupby(enumerate(sorted(lost)), key=lambda item: item[1] - item[0]):
        chunks = [chunk for _, chunk in found]
        first, stop = header.records_of_chunk(chunks[0])[0], header.records_of_chunk(chunks[-1])[1]
        if first < stop:
            yield first, stop
