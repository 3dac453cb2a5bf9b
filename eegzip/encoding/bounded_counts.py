"""Counts how the signals of a layer set were coded, chunk by chunk, and remembers the worst."""

from __future__ import annotations

from collections import Counter

import numpy as np

from eegzip.encoding.bounded_chunk import CodedChunk


class LayerTally:
    """What became of each signal of a layer set.

    Attributes
    ----------
    ways : list of Counter of str
        How many chunks store a signal in which way.
    worst : list of float or None
        Largest error (PRD) of a single chunk, in percent, its own mean removed; ``None`` where all are constant.
    """

    def __init__(self, signals: int) -> None:
        self.ways = [Counter[str]() for _ in range(signals)]
        self.worst: list[float | None] = [None] * signals

    def add(self, original: np.ndarray, coded: CodedChunk) -> None:
        """Take note of a chunk; `original` is int32 of shape (signals, samples)."""
        for place, (row, back, way) in enumerate(zip(original, coded.restored, coded.ways, strict=True)):
            self.ways[place][way] += 1
            spread = float(row.std())
            if spread > 0:
                error = 100 * float(np.sqrt(np.mean((row - back.astype(np.float64)) ** 2))) / spread
                self.worst[place] = max(error, self.worst[place] or 0.0)
