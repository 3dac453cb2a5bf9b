"""Plan of the signals that are coded without their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from eegzip.codecs.stream_batch import DigitalSource, StreamBatch, sample_reader
from eegzip.encoding.statistics import RecordingStatistics, SignalStatistics, signal_statistics
from eegzip.formats.eegz.header import Coding, SignalEntry

if TYPE_CHECKING:
    from eegzip.encoding.lines.removal import LinesRemoved, RecordingLines


def without_lines(
    file: DigitalSource, statistics: RecordingStatistics, signals: Sequence[SignalEntry]
) -> tuple[LinesRemoved | None, RecordingStatistics]:
    """Look for lines in what is coded lossily, and take them out.

    Parameters
    ----------
    file : DigitalSource
        Read once, and three times more where it has lines.
    statistics : RecordingStatistics
    signals : sequence of SignalEntry

    Returns
    -------
    LinesRemoved or None
        The recording without lines; ``None`` where it has none.
    RecordingStatistics
        Of what is coded.
    """
    rates: dict[int, list[int]] = {}
    for index, entry in enumerate(signals):
        if entry.coding is not Coding.EXACT and entry.sample_rate:
            rates.setdefault(entry.samples_per_record, []).append(index)
    if not rates:
        return None, statistics
    # Only now, as they need numba, which takes a while to load.
    from eegzip.encoding.lines.finding import find_lines
    from eegzip.encoding.lines.removal import LinesRemoved, RecordingLines

    found: list[RecordingLines] = []
    for indices in rates.values():
        read = sample_reader(file, StreamBatch((), tuple(indices)))
        chosen = [statistics.signals[index] for index in indices]
        first = signals[indices[0]]
        n_samples = file.n_records * first.samples_per_record
        some = find_lines(read, n_samples, first.sample_rate or 0.0, indices, chosen)
        if some is not None:
            found.append(RecordingLines(*some))
    measured = list(statistics.signals)
    kept: list[RecordingLines] = []
    limit = min(1 << 8 * file.header.sample_bytes, 1 << 23)
    for lines in found:
        left = signal_statistics(LinesRemoved(file, [lines]), lines.entry.signals)
        unfit = {index for index, signal in left.items() if signal.flat or not _fits(signal, limit)}
        rest = lines.without(unfit)
        if rest is not None:
            kept.append(_unclipped(rest, signals, 1 << (8 * file.header.sample_bytes - 1)))
            for index in rest.entry.signals:
                measured[index] = left[index]
    if not kept:
        return None, statistics
    return LinesRemoved(file, kept), replace(statistics, signals=tuple(measured))


def _unclipped(lines: RecordingLines, signals: Sequence[SignalEntry], limit: int) -> RecordingLines:
    """Let what has a bound take any value that samples can: clipped with its lines, its EEG part would be another."""
    entry = lines.entry
    free = [signals[index].coding is Coding.LAYERS for index in entry.signals]
    lowest = tuple(-limit if any_value else value for any_value, value in zip(free, entry.lowest, strict=True))
    highest = tuple(limit - 1 if any_value else value for any_value, value in zip(free, entry.highest, strict=True))
    return replace(lines, entry=replace(entry, lowest=lowest, highest=highest))


def _fits(signal: SignalStatistics, limit: int) -> bool:
    """Whether what is left of a signal is no larger than a file may say."""
    return -limit <= signal.lowest and signal.highest < limit
