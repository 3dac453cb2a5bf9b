"""Recordings without their lines, as every lossy way of coding sees them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eegzip.encoding.lines.finding import find_lines
from eegzip.encoding.lines.removal import RecordingLines
from eegzip.encoding.statistics import SignalStatistics

Waves = npt.NDArray[np.float64]


def without_lines(x: Waves, rate: float) -> Waves:
    """Return waveforms without the mains and other steady lines that ``compress`` takes out before it codes.

    Parameters
    ----------
    x : ndarray of float64, shape (channels, samples)
        Digital values.
    rate
        Hz.
    """
    values = np.rint(x).astype(np.int32)
    ranges = zip(values.min(axis=1), values.max(axis=1), values.mean(axis=1), values.std(axis=1), strict=True)
    statistics = [SignalStatistics(int(a), int(b), round(c), float(d), int(b) - int(a)) for a, b, c, d in ranges]
    count = x.shape[1]
    found = find_lines(lambda start, stop: values[:, start:stop], count, rate, range(len(x)), statistics)
    if found is None:
        return x
    lines = RecordingLines(*found)
    left = x.copy()
    left[list(lines.entry.signals)] -= lines.between(0, count).samples(0, count)
    return left
