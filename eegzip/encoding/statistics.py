"""First pass over a whole recording before it is coded: ranges, levels, digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from eegzip.formats.edf import EdfFile, decode_signal, read_timeline
from eegzip.formats.limits import TRAILING_PIECE_BYTES

LEVEL_SECONDS = 8.0
"""Length of the stretches by which a signal is judged, about."""


@dataclass(frozen=True)
class SignalStatistics:
    """What one signal's digital values are like.

    Parameters
    ----------
    lowest, highest : int
        Extremes over the whole recording; both 0 where there are no samples.
    centre : int
        Rounded mean.
    level : float
        Median over stretches of about 8 s of the standard deviation: the size of the ordinary signal, which
        artefacts don't spoil.
    swing : int
        Largest range of the values of such a stretch.
    """

    lowest: int
    highest: int
    centre: int
    level: float
    swing: int

    @property
    def flat(self) -> bool:
        """Whether the signal never changes."""
        return self.lowest == self.highest


@dataclass(frozen=True)
class RecordingStatistics:
    """What a recording is like.

    Parameters
    ----------
    signals : tuple of SignalStatistics
    sha256 : str
        Digest of the whole file.
    deviations : tuple of str
        Where header, file and annotations stray from the letter of EDF.
    """

    signals: tuple[SignalStatistics, ...]
    sha256: str
    deviations: tuple[str, ...]


def recording_statistics(file: EdfFile, progress: Callable[[int], None] = lambda _: None) -> RecordingStatistics:
    """Read a recording once from end to end.

    Parameters
    ----------
    file : EdfFile
    progress : callable
        Called with the number of data records read so far.

    Returns
    -------
    RecordingStatistics

    Raises
    ------
    EdfError
        The file can't be read.
    """
    header = file.header
    digest = hashlib.sha256(header.raw)
    n_signals = len(header.signals)
    lowest = [np.iinfo(np.int32).max] * n_signals
    highest = [np.iinfo(np.int32).min] * n_signals
    totals = [0] * n_signals
    levels: list[list[float]] = [[] for _ in range(n_signals)]
    swings = [0] * n_signals
    for first, block in file.blocks():
        digest.update(block.reshape(-1).data)
        for index, signal in enumerate(header.signals):
            if signal.is_annotations or not signal.samples_per_record:
                continue
            values = decode_signal(block, header, index)
            lowest[index] = min(lowest[index], int(values.min()))
            highest[index] = max(highest[index], int(values.max()))
            totals[index] += int(values.sum(dtype=np.int64))
            rows = _stretch_records(file, len(values))
            for begin in range(0, len(values), rows):
                stretch = values[begin : begin + rows]
                levels[index].append(float(stretch.std()))
                swings[index] = max(swings[index], int(np.ptp(stretch)))
        progress(first + len(block))
    for piece in trailing_pieces(file):
        digest.update(piece)
    return RecordingStatistics(
        tuple(
            SignalStatistics(
                lowest[i],
                highest[i],
                round(totals[i] / file.n_samples(i)),
                float(np.median(levels[i])),
                swings[i],
            )
            if levels[i]
            else SignalStatistics(0, 0, 0, 0.0, 0)
            for i in range(n_signals)
        ),
        digest.hexdigest(),
        tuple(str(deviation) for deviation in (*file.deviations, *read_timeline(file).deviations)),
    )


def _stretch_records(file: EdfFile, available: int) -> int:
    duration = file.header.record_duration
    return max(1, min(available, round(LEVEL_SECONDS / duration))) if duration else available


def trailing_pieces(file: EdfFile) -> Iterator[bytes]:
    """Yield what follows the last complete record, in pieces of the size of a TAIL block."""
    for start in range(0, file.trailing_size, TRAILING_PIECE_BYTES):
        yield file.read_trailing(start, min(start + TRAILING_PIECE_BYTES, file.trailing_size))
