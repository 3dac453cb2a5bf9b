"""Selection of channels and times of a recording, as a user names them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.errors import UsageError


def chosen_signals(header: FileHeader, patterns: Sequence[str]) -> list[int]:
    """Signals that patterns name, annotations left out, in the order of the file.

    Raises
    ------
    UsageError
        A pattern names no signal; the sentence lists the labels.
    """
    ordinary = [index for index, signal in enumerate(header.signals) if signal.kind != "annotations"]
    chosen: set[int] = set()
    for pattern in patterns:
        found = [index for index in ordinary if matches(pattern, header.signals[index].label)]
        if not found:
            labels = ", ".join(header.signals[index].label for index in ordinary)
            raise UsageError(f"no channel matches '{pattern}'; the recording has: {labels}.")
        chosen.update(found)
    return sorted(chosen)


def record_range(header: FileHeader, start: float | None, stop: float | None) -> tuple[int, int]:
    """Data records that enclose a range of seconds of recorded time.

    Raises
    ------
    UsageError
        The range is empty or outside the recording, or records have no duration.
    """
    if start is None and stop is None:
        return 0, header.n_records
    duration = header.record_duration
    if not duration:
        raise UsageError("data records of this file have no duration, so it can't be cut by time.")
    length = header.n_records * duration
    begin, end = start or 0.0, length if stop is None else stop
    if not 0 <= begin < length:
        raise UsageError(f"the start, {begin:g} s, is not within the {length:g} s of the recording.")
    if not end > begin:  # also where it is no number
        raise UsageError(f"the stop, {end:g} s, is not after the start, {begin:g} s.")
    # A hair of tolerance: 0.3 s at records of 0.1 s is the third boundary, whatever floats say.
    first = int(np.floor(begin / duration + 1e-9))
    return first, min(int(np.ceil(end / duration - 1e-9)), header.n_records)
