"""Gaps of a discontinuous recording: where its data records lie in time, in samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

# Onsets may be rounded to a millisecond.
_ROUNDING = 0.0011
MAX_SAMPLES = 1 << 31
"""Of a channel, gaps included: 12 days at 2 kHz. Onsets that give more are rather wrong than true."""


class Run(NamedTuple):
    """Data records without a gap between them.

    Attributes
    ----------
    first : int
        First sample, gaps counted.
    stored : int
        The same among those that are stored, gaps not counted.
    length : int
        How many samples.
    """

    first: int
    stored: int
    length: int


def find_runs(onsets: Sequence[float], duration: float, samples: int) -> list[Run] | None:
    """Divide data records into runs.

    Parameters
    ----------
    onsets : sequence of float
        When each data record begins, in seconds.
    duration : float
        Of a data record, in seconds.
    samples : int
        In a data record, of a channel.

    Returns
    -------
    list of Run, or None
        None where records overlap, are not in order of time, or lie impossibly far apart.
    """
    starts = [0]
    for record, (before, onset) in enumerate(pairwise(onsets), 1):
        gap = onset - before - duration
        if gap < -_ROUNDING:
            return None
        if gap > _ROUNDING:
            starts.append(record)
    runs: list[Run] = []
    for start, stop in pairwise([*starts, len(onsets)]):
        place = (onsets[start] - onsets[0]) * samples / duration
        if not place < MAX_SAMPLES:
            return None
        # Rounded durations may carry the run before a little beyond where this one begins.
        earliest = runs[-1].first + runs[-1].length if runs else 0
        runs.append(Run(max(round(place), earliest), start * samples, (stop - start) * samples))
    return runs
