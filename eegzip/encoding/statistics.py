"""First pass over a whole recording before it is coded: ranges, levels, digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.codecs.stream_batch import DigitalSource
from eegzip.formats.edf import EdfFile, EdfHeader, decode_signal, read_timeline
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


def recording_statistics(
    file: EdfFile, progress: Callable[[int], None] = lambda _: None, *, levels: bool = True
) -> RecordingStatistics:
    """Read a recording once from end to end.

    Parameters
    ----------
    file : EdfFile
    progress : callable
        Called with the number of data records read so far.
    levels : bool
        Whether `level` and `swing` are wanted, which take most of the time; else they are 0.

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
    meters = [_Meter() for _ in header.signals]
    for first, block in file.blocks():
        digest.update(block.reshape(-1).data)
        for index, signal in enumerate(header.signals):
            if signal.is_annotations or not signal.samples_per_record:
                continue
            values = decode_signal(block, header, index)
            meters[index].add(values, header, levels=levels)
        progress(first + len(block))
    for piece in trailing_pieces(file):
        digest.update(piece)
    deviations = tuple(str(deviation) for deviation in (*file.deviations, *read_timeline(file).deviations))
    return RecordingStatistics(tuple(meter.result() for meter in meters), digest.hexdigest(), deviations)


def signal_statistics(source: DigitalSource, signals: Sequence[int]) -> dict[int, SignalStatistics]:
    """What some signals that have the same number of samples a record are like."""
    meters = {index: _Meter() for index in signals}
    for first, stop in source.spans():
        for index, row in zip(signals, source.digital(first, stop, signals), strict=True):
            meters[index].add(row.reshape(stop - first, -1), source.header)
    return {index: meter.result() for index, meter in meters.items()}


class _Meter:
    """Measures one signal, block by block."""

    def __init__(self) -> None:
        self._lowest, self._highest = np.iinfo(np.int32).max, np.iinfo(np.int32).min
        self._total = self._count = 0
        self._levels: list[float] = []
        self._swing = 0

    def add(self, values: np.ndarray, header: EdfHeader, *, levels: bool = True) -> None:
        """Take note of samples [records, samples_per_record] of a recording."""
        self._lowest = min(self._lowest, int(values.min()))
        self._highest = max(self._highest, int(values.max()))
        self._total += int(values.sum(dtype=np.int64))
        self._count += values.size
        for part in stretches_of(header, values) if levels else ():
            self._levels.append(float(part.std()))
            self._swing = max(self._swing, int(np.ptp(part)))

    def result(self) -> SignalStatistics:
        """All taken together."""
        if not self._count:
            return SignalStatistics(0, 0, 0, 0.0, 0)
        centre = round(self._total / self._count)
        level = float(np.median(self._levels or [0.0]))
        return SignalStatistics(self._lowest, self._highest, centre, level, self._swing)


def stretches_of(header: EdfHeader, values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield samples [records, samples_per_record] of a recording in stretches of about :data:`LEVEL_SECONDS`."""
    duration, available = header.record_duration, len(values)
    size = max(1, min(available, round(LEVEL_SECONDS / duration))) if duration else max(available, 1)
    for begin in range(0, available, size):
        yield values[begin : begin + size]


def trailing_pieces(file: EdfFile) -> Iterator[bytes]:
    """Yield what follows the last complete record, in pieces of the size of a TAIL block."""
    for start in range(0, file.trailing_size, TRAILING_PIECE_BYTES):
        yield file.read_trailing(start, min(start + TRAILING_PIECE_BYTES, file.trailing_size))
