"""Recordings without their lines, the mains above all, as every lossy way of coding sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from eegzip.encoding.lines.finding import find_lines
from eegzip.encoding.lines.removal import RecordingLines
from eegzip.encoding.statistics import SignalStatistics

Waves = npt.NDArray[np.float64]
Digital = npt.NDArray[np.int32]


class Readable(Protocol):
    """A channel whose digital values can be read, all or some."""

    @property
    def rate(self) -> Fraction:
        """Hz; 0 where it is not known."""

    @property
    def length(self) -> int:
        """Samples."""

    def read(self, start: int, stop: int) -> Digital:
        """Digital values [n]."""


@dataclass(frozen=True)
class _Row:
    """A channel in memory."""

    values: Digital
    rate: Fraction

    @property
    def length(self) -> int:
        return len(self.values)

    def read(self, start: int, stop: int) -> Digital:
        return self.values[start:stop]


def without_lines(x: Waves, rate: Fraction) -> Waves:
    """Return waveforms without the lines that ``compress`` takes out before it codes.

    Parameters
    ----------
    x : ndarray of float64, shape (channels, samples)
        Digital values.
    rate
        Hz.
    """
    left = x.copy()
    for place, lines in lines_of([_Row(row, rate) for row in np.rint(x).astype(np.int32)]).items():
        left[place] -= line_values(lines, x.shape[1])
    return left


def lines_of(channels: Sequence[Readable]) -> dict[int, RecordingLines]:
    """Return the lines of those channels that have any, by their places; no more is read at once than finding takes."""
    alike: dict[tuple[Fraction, int], list[int]] = defaultdict(list)
    for place, channel in enumerate(channels):
        if channel.length:
            alike[channel.rate, channel.length].append(place)
    result: dict[int, RecordingLines] = {}
    for (rate, length), places in alike.items():
        statistics = [_statistics(channels[place]) for place in places]

        def read(start: int, stop: int, places: list[int] = places) -> Digital:
            return np.stack([channels[place].read(start, stop) for place in places])

        found = find_lines(read, length, float(rate), places, statistics)
        if found is not None:
            lines = RecordingLines(*found)
            for place in lines.entry.signals:
                own = lines.without(set(lines.entry.signals) - {place})
                if own is not None:
                    result[place] = own
    return result


def line_values(lines: RecordingLines, count: int) -> npt.NDArray[np.int64]:
    """Return what one channel's lines add to its first `count` samples."""
    values: npt.NDArray[np.int64] = lines.between(0, count).samples(0, count)[0]
    return values


def _statistics(channel: Readable) -> SignalStatistics:
    values = channel.read(0, channel.length)
    lowest, highest = int(values.min()), int(values.max())
    return SignalStatistics(lowest, highest, round(float(values.mean())), float(values.std()), highest - lowest)
