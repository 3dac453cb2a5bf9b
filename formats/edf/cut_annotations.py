"""The annotations of a cut: which are kept, and in which data records they are written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from eegzip.formats.edf.annotations import Annotation, Timeline
from eegzip.formats.edf.header import EdfHeader

TICKS = 10_000_000
"""Of a second: times are whole ticks of 1e-7 s, the finest that edflib and with it most readers tell apart."""


def overlapping(
    header: EdfHeader, timeline: Timeline, onsets: list[int], first: int, stop: int
) -> Iterator[tuple[int, int, int | None, str]]:
    """Yield record (of the cut), onset, duration in ticks and text of the annotations to keep."""
    if not header.record_duration_exact:
        for annotation in timeline.annotations:
            if first <= annotation.record < stop:
                yield annotation.record - first, ticks(annotation.onset), _length(annotation), annotation.text
        return
    times = _Times(
        [*map(ticks, timeline.onsets[:first].tolist()), *onsets, *map(ticks, timeline.onsets[stop:].tolist())],
        ticks(header.record_duration or 0.0),
        first,
        stop,
    )
    for annotation in timeline.annotations:
        onset, duration = ticks(annotation.onset), _length(annotation)
        home = times.home(onset, annotation.record)
        if home is None:
            # It may have begun before the cut, or in a record that was left out, and last into one that is kept.
            home = times.next_kept(onset)
            if home is None or onset + (duration or 0) <= times.onsets[home]:
                continue
            onset, duration = times.onsets[home], (duration or 0) - (times.onsets[home] - onset)
        yield home - first, onset, duration, annotation.text


def _length(annotation: Annotation) -> int | None:
    return None if annotation.duration is None else ticks(annotation.duration)


class _Times:
    """When the data records of a file are, in any order, and which of them are kept.

    Parameters
    ----------
    onsets : list of int
        Of all records, in ticks.
    length : int
        Of each record, in ticks.
    first, stop : int
        The kept records.
    """

    def __init__(self, onsets: list[int], length: int, first: int, stop: int) -> None:
        self.onsets, self._length, self._first, self._stop = onsets, length, first, stop
        self._all = sorted(range(len(onsets)), key=onsets.__getitem__)
        self._kept = [record for record in self._all if first <= record < stop]
        self._all_onsets = [onsets[record] for record in self._all]
        self._kept_onsets = [onsets[record] for record in self._kept]

    def home(self, time: int, stored: int) -> int | None:
        """The kept record that an annotation belongs to by its onset; ``None`` where there is none.

        That is the record during which it happens, of several the one that stores it. What happens in a gap belongs to
        the record before the gap, or before them all to the first; but what follows the last kept record does so only
        where no other record of the file follows.
        """
        if self._first <= stored < self._stop and 0 <= time - self.onsets[stored] < self._length:
            return stored
        place = bisect_right(self._kept_onsets, time) - 1
        if place < 0:
            return self._kept[0] if time < self._all_onsets[0] and self._kept[0] == self._all[0] else None
        found = self._kept[place]
        if time < self.onsets[found] + self._length:
            return found
        if place == len(self._kept) - 1:
            return found if found == self._all[-1] else None
        return found if self._all[bisect_right(self._all_onsets, time) - 1] == found else None

    def next_kept(self, time: int) -> int | None:
        """The kept record that begins next."""
        place = bisect_right(self._kept_onsets, time)
        return self._kept[place] if place < len(self._kept) else None


def distribute(keeping: list[bytes], found: list[tuple[int, bytes]], capacity: int) -> tuple[bytes, ...]:
    """Append annotation lists to the time-keeping ones, each in its record where there is room.

    All records are as long as the longest, so a burst beyond what a record of the original could hold moves on to
    later records, then to earlier ones. They always fit: a record that has no room holds more than an even share.
    """
    lists = [bytearray(tal) for tal in keeping]
    found.sort(key=lambda item: item[0])
    sizes = [len(tal) for _, tal in found]
    limit = max(capacity, max(map(len, keeping)) + max(sizes, default=0) + -(-sum(sizes) // len(lists)))
    left, at = [], 0
    for home, tal in found:
        at = max(at, home)
        while at < len(lists) and len(lists[at]) + len(tal) > limit:
            at += 1
        if at < len(lists):
            lists[at] += tal
        else:
            left.append(tal)
    at = len(lists) - 1
    for tal in left:
        while len(lists[at]) + len(tal) > limit:
            at -= 1
        lists[at] += tal
    return tuple(map(bytes, lists))


def ticks(seconds: float) -> int:
    """Seconds in whole ticks."""
    return round(seconds * TICKS)


def annotation_list(onset: int, duration: int | None, text: str) -> bytes:
    """The annotation list (EDF+ section 2.2.2) of one annotation; times in ticks."""
    length = b"" if duration is None else b"\x15" + time_text(duration, sign=False)
    return time_text(onset, sign=True) + length + b"\x14" + text.encode() + b"\x14\0"


def time_text(ticks: int, *, sign: bool) -> bytes:
    """A time in seconds, without zeros that say nothing."""
    whole, rest = divmod(abs(ticks), TICKS)
    digits = f"{whole}.{rest:07d}".rstrip("0").rstrip(".")
    return (("-" if ticks < 0 else "+") * sign + digits).encode()
