"""Batches of segments, each a function of seed and step alone: a resumed run needs to remember nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegzip.training.data.corpus import CachedRecording

Grouping = Callable[[Sequence[str], np.random.Generator], list[tuple[int, ...]]]


@dataclass(frozen=True)
class Batch:
    """Segments.

    Attributes
    ----------
    wave : ndarray
        Waveforms, float32 [B, G, T]; zero where a group has fewer than G channels.
    labels : list of list of str
        Names of the channels of each group.
    present : ndarray
        Which channels there are, bool [B, G].
    """

    wave: npt.NDArray[np.float32]
    labels: list[list[str]]
    present: npt.NDArray[np.bool_]


class Sampler:
    """Draws segments.

    A subject is drawn first, in proportion to the square root of what there is of them: neither does a long recording
    rule, nor does a short one repeat itself. Then a recording and a place by length, a group from a fresh grouping of
    its channels, and a polarity.

    Parameters
    ----------
    recordings
        Of the subjects trained on.
    length
        Samples a segment.
    limit
        Channels of the largest group, G.
    grouping
        Says which channels are coded together, given their labels and a source of randomness; drawn anew each time.
    seed
        Of everything drawn.
    """

    def __init__(
        self, recordings: Sequence[CachedRecording], length: int, limit: int, grouping: Grouping, seed: int
    ) -> None:
        self.length, self.limit, self.grouping, self.seed = length, limit, grouping, seed
        subjects: dict[tuple[str, str], list[CachedRecording]] = {}
        for recording in recordings:
            subjects.setdefault((recording.dataset, recording.subject), []).append(recording)
        self._subjects = list(subjects.values())
        self._lengths = [np.array([r.waves.shape[1] for r in own], np.float64) for own in self._subjects]
        weights = np.array([np.sqrt(lengths.sum()) for lengths in self._lengths])
        self._weights = weights / weights.sum()

    def batch(self, step: int, size: int, first: int = 0, count: int | None = None) -> Batch:
        """Return the batch of a step, or some rows of it.

        Parameters
        ----------
        step
            Number of the step.
        size
            Rows of the whole batch.
        first, count
            The rows wanted; all by default. They are the same rows whoever draws them.
        """
        wanted = range(first, size if count is None else first + count)
        wave = np.zeros((len(wanted), self.limit, self.length), np.float32)
        present = np.zeros((len(wanted), self.limit), bool)
        labels = []
        for place, row in enumerate(wanted):
            rng = np.random.default_rng([self.seed, step, row])
            recording, channels, start = self._drawn(rng)
            segment = segment_of(recording, channels, start, self.length)
            wave[place, : len(channels)] = segment * rng.choice(np.array([-1, 1], np.float32))
            present[place, : len(channels)] = True
            labels.append([recording.labels[c] for c in channels])
        return Batch(wave, labels, present)

    def _drawn(self, rng: np.random.Generator) -> tuple[CachedRecording, tuple[int, ...], int]:
        subject = rng.choice(len(self._subjects), p=self._weights)
        lengths = self._lengths[subject]
        recording = self._subjects[subject][rng.choice(len(lengths), p=lengths / lengths.sum())]
        groups = self.grouping(recording.labels, rng)
        channels = groups[rng.integers(len(groups))]
        start = int(rng.integers(0, max(recording.waves.shape[1] - self.length, 0) + 1))
        return recording, channels, start


def segment_of(recording: CachedRecording, channels: Sequence[int], start: int, length: int) -> npt.NDArray[np.float32]:
    """Return a stretch of some channels [G, length]; what a short recording lacks is mirrored."""
    segment = np.asarray(recording.waves[list(channels), start : start + length], np.float32)
    missing = length - segment.shape[1]
    return np.pad(segment, ((0, 0), (0, missing)), mode="symmetric") if missing else segment
