"""The protocol of the ways of coding signals, on the decoder's side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

ChunkSamples = Callable[[int, int], dict[int, np.ndarray]]
"""Gives the samples of a chunk's records from the first up to the second, counted from the chunk's own first.

Digital values of each wanted signal: int32 of shape (records, samples_per_record).
"""


class Check(NamedTuple):
    """What became of decoding one stream.

    Attributes
    ----------
    kind : str
        ``tokens``, ``exact``, ``layers``, ``lines`` or ``knots``.
    size : int
        How much it holds.
    problem : str or None
        What is wrong with it.
    unchecked : str or None
        Why it could not be checked.
    """

    kind: str
    size: int
    problem: str | None = None
    unchecked: str | None = None


class Stage(Protocol):
    """One way of decoding signals, at work on an open file."""

    def restore(self, chunks: Sequence[int]) -> Iterator[ChunkSamples]:
        """Restore this stage's signals of chunk after chunk; what takes no time is put off until it is asked for.

        Raises
        ------
        ContainerError
            When the turn comes of a chunk that is missing or damaged.
        ModelError
            The network is needed and not at hand.
        """

    def verify(self, chunk: int) -> Iterator[Check]:
        """Decode each of this stage's streams of a chunk whose directory is intact."""


def rows_of(found: dict[int, np.ndarray]) -> ChunkSamples:
    """Samples of a chunk that is restored as a whole: int32 of shape (records, samples_per_record) a signal."""
    return lambda first, stop: {index: values[first:stop] for index, values in found.items()}
