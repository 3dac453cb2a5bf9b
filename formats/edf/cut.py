"""Cuts whole data records and signals out of a recording: the header and the annotations of the new file.

Fields of kept signals are copied byte for byte; start, sizes and the annotation signal are made anew. Plain EDF and
BDF can't state fractions of a second: there the new start is the true one rounded down to a whole second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.annotations import Timeline
from eegzip.formats.edf.cut_annotations import TICKS, annotation_list, distribute, overlapping, ticks, time_text
from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.edf.layout import FIXED_BYTES, signal_field
from eegzip.formats.edf.parsing import parse_header
from eegzip.formats.edf.samples import assemble_records
from eegzip.formats.errors import UsageError

_FIELDS = (
    "label", "transducer", "physical dimension", "physical minimum", "physical maximum", "digital minimum",
    "digital maximum", "prefiltering", "samples per record", "reserved",
)  # fmt: skip
_ROUNDING = 11_000  # Onsets may be rounded to 1 ms, as in annotations.py.
_STARTDATE = re.compile(rb"Startdate +([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\b", re.IGNORECASE)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Cut:
    """A new file made of some data records and signals of a recording.

    Attributes
    ----------
    header : EdfHeader
        Of the new file; ``header.raw`` is what to write.
    signals : tuple of int
        Positions of the kept ordinary signals in the original, in file order. In the new file they come first.
    first_record, stop_record : int
        First kept data record of the original, and the one after the last.
    lists : tuple of bytes
        Annotation lists of each kept record; empty where the new file has no annotation signal.
    """

    header: EdfHeader
    signals: tuple[int, ...]
    first_record: int
    stop_record: int
    lists: tuple[bytes, ...] = field(repr=False)

    def records(
        self, first: int, ordinary: Mapping[int, npt.NDArray[np.integer]], *, count: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Build data records of the new file.

        Parameters
        ----------
        first : int
            Record of the original that the first of them is made of.
        ordinary : mapping of int to numpy.ndarray of int, shape (n, samples_per_record)
            Digital values of every kept signal, by position in the original; others are ignored.
        count : int, optional
            Number of records n; needed only where no array tells it.

        Returns
        -------
        numpy.ndarray of uint8, shape (n, record_bytes)
            The records, to be written after `header` in order.

        Raises
        ------
        UsageError
            Where the records are not within the cut, or a signal is missing or does not fit.
        """
        if count is None:
            if not ordinary:
                raise UsageError("the number of data records must be given where there are no samples")
            count = len(next(iter(ordinary.values())))
        begin, end = first - self.first_record, first - self.first_record + count
        if not 0 <= begin <= end <= self.stop_record - self.first_record:
            raise UsageError(f"records {first} to {first + count} are not within the cut")
        samples = {new: ordinary[old] for new, old in enumerate(self.signals) if old in ordinary}
        if self.lists:
            samples[len(self.signals)] = np.zeros((count, self.header.signals[-1].samples_per_record), dtype=np.int32)
        block = assemble_records(self.header, samples)
        if self.lists:
            where = self.header.signal_slices[-1]
            data = b"".join(tals.ljust(where.stop - where.start, b"\0") for tals in self.lists[begin:end])
            block[:, where] = np.frombuffer(data, dtype=np.uint8).reshape(count, where.stop - where.start)
        return block


def plan_cut(
    header: EdfHeader, timeline: Timeline, *, first_record: int, stop_record: int, signals: Sequence[int]
) -> Cut:
    """Plan a new file of some data records and signals of a recording.

    Times stay true: the start moves on by the whole seconds until the first kept record, and onsets back by as much.
    A start that can't be read, or would leave 1985 to 2084, keeps its bytes.

    A file with annotation signals gets exactly one, the last signal. Kept are the annotations that happen during kept
    records or in gaps between them, whatever record stores them and in whatever order the records come, and where the
    cut begins or ends with the original, also those before or after it. One that began before the cut and lasts into it
    begins with the first kept record, its duration shortened. Without a record duration, the annotations stored in kept
    records stay.
    EDF+D becomes EDF+C where the kept records follow each other (onsets within 1.1 ms), and the reverse.

    Parameters
    ----------
    header : EdfHeader
        Of the original.
    timeline : Timeline
        Of the original, all records.
    first_record, stop_record : int
        First kept data record, and the one after the last.
    signals : sequence of int
        Positions of the ordinary signals to keep, in any order.

    Returns
    -------
    Cut
        The new header, and what makes the new records.

    Raises
    ------
    UsageError
        Where the range is empty or not within the file, a signal does not exist or holds annotations, or none is left.
    """
    n_records = len(timeline.onsets)
    if not 0 <= first_record < stop_record <= n_records:
        raise UsageError(f"records {first_record} to {stop_record} are no records within 0 to {n_records}")
    kept = tuple(sorted({int(index) for index in signals}))
    for index in kept:
        if not 0 <= index < len(header.signals):
            raise UsageError(f"there is no signal {index}; there are {len(header.signals)}")
        if header.signals[index].is_annotations:
            raise UsageError(f"signal {index} holds annotations, which are always kept and can't be chosen")
    annotated = bool(header.annotation_indices)
    if not (kept or annotated):
        raise UsageError("no signal was chosen")
    onsets, continuous = _record_onsets(header, timeline, first_record, stop_record)
    shift = onsets[0] // TICKS
    lists: tuple[bytes, ...] = ()
    if annotated:
        keeping = [time_text(onset - shift * TICKS, sign=True) + b"\x14\x14\0" for onset in onsets]
        capacity = sum(header.signals[i].samples_per_record for i in header.annotation_indices) * header.sample_bytes
        found = [
            (home, annotation_list(onset - shift * TICKS, duration, text))
            for home, onset, duration, text in overlapping(header, timeline, onsets, first_record, stop_record)
        ]
        lists = distribute(keeping, found, capacity)
    fixed, n_signals = bytearray(header.raw[:FIXED_BYTES]), len(kept) + annotated
    _move_start(fixed, header.start, shift)
    _put(fixed, 184, 8, FIXED_BYTES * (n_signals + 1))
    if annotated and "+" in header.variant:
        variant = header.variant[:4] + ("C" if continuous else "D")
        if variant != header.variant:
            fixed[192:236] = (variant.encode() + bytes(fixed[192:236]).lstrip()[5:]).ljust(44)
    _put(fixed, 236, 8, stop_record - first_record)
    _put(fixed, 252, 4, n_signals)
    raw = bytes(fixed) + b"".join(_signal_fields(header, kept, lists))
    return Cut(parse_header(raw, name="the cut"), kept, first_record, stop_record, lists)


def _record_onsets(header: EdfHeader, timeline: Timeline, first: int, stop: int) -> tuple[list[int], bool]:
    """Onsets of the kept records in ticks, rid of rounding where they follow each other, and whether they do."""
    onsets = [ticks(onset) for onset in timeline.onsets[first:stop].tolist()]
    duration = header.record_duration_exact
    if not duration:
        return onsets, not header.is_discontinuous
    step, scale = duration.numerator * TICKS, duration.denominator
    grid = [onsets[0] + (2 * i * step + scale) // (2 * scale) for i in range(stop - first)]
    if all(abs(a - b) <= _ROUNDING for a, b in zip(onsets, grid, strict=True)):
        return grid, True
    # A duration rounded to the 8 characters of its field drifts away from true onsets; EDF+C stays EDF+C then.
    close = all(abs(b - a - step // scale) <= _ROUNDING for a, b in pairwise(onsets))
    return onsets, close and not header.is_discontinuous


def _signal_fields(header: EdfHeader, kept: tuple[int, ...], lists: tuple[bytes, ...]) -> Iterator[bytes]:
    limit = 1 << (8 * header.sample_bytes - 1)
    samples = -(-max(map(len, lists), default=0) // header.sample_bytes)
    made = {
        "label": f"{header.variant[:3]} Annotations", "physical minimum": "-1", "physical maximum": "1",
        "digital minimum": str(-limit), "digital maximum": str(limit - 1), "samples per record": str(samples),
    }  # fmt: skip
    for name in _FIELDS:
        for index in kept:
            offset, width = signal_field(name, index, len(header.signals))
            yield header.raw[offset : offset + width]
        if lists:
            yield made.get(name, "").encode().ljust(signal_field(name, 0, 1)[1])


def _move_start(fixed: bytearray, start: datetime | None, shift: int) -> None:
    """Move start date and time by whole seconds, or leave them where that can't be done."""
    if start is None or shift == 0:
        return
    try:
        moved = start + timedelta(seconds=shift)
    except OverflowError:
        return
    days = moved.date() - start.date()
    if days:
        if not 1985 <= moved.year <= 2084:
            return
        fixed[168:176] = moved.strftime("%d.%m.%y").encode()
        fixed[88:168] = _move_startdate(bytes(fixed[88:168]), days)
    fixed[176:184] = moved.strftime("%H.%M.%S").encode()


def _move_startdate(recording: bytes, days: timedelta) -> bytes:
    match = _STARTDATE.search(recording)
    if match is None:
        return recording
    try:
        month = _MONTHS.index(match[2].decode().upper()) + 1
        moved = date(int(match[3]), month, int(match[1])) + days
    except (ValueError, OverflowError):
        return recording
    text = f"{moved.day:02d}-{_MONTHS[moved.month - 1]}-{moved.year:04d}".encode()
    # Writing a day in two digits may cost the very last character of a full field.
    return (recording[: match.start(1)] + text + recording[match.end(3) :])[:80]


def _put(fixed: bytearray, offset: int, width: int, value: int) -> None:
    fixed[offset : offset + width] = str(value).encode().ljust(width)
