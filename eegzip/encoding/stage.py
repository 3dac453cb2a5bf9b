"""The protocol of the ways of coding signals, on the encoder's side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from eegzip.evaluation.fidelity import Fidelity
from eegzip.formats.eegz.layers import LayeredChunk


@dataclass
class ChunkStreams:
    """What goes into a chunk, as :meth:`~eegzip.formats.eegz.writer.EegzWriter.write_chunk` takes it.

    Parameters
    ----------
    tokens : list of ndarray of uint16, each of shape (codebooks, frames)
        One a group.
    knots : list of ndarray of int, each of shape (knots, 2)
        One for each signal with adaptive scaling, in the order of groups and of signals in them.
    exact : dict of int to ndarray of int32, each of shape (n,)
        The samples of each signal that is kept exactly.
    bounded : LayeredChunk or None
        Streams of the signals whose errors have bounds.
    """

    tokens: list[np.ndarray] = field(default_factory=list)
    knots: list[np.ndarray] = field(default_factory=list)
    exact: dict[int, np.ndarray] = field(default_factory=dict)
    bounded: LayeredChunk | None = None


@dataclass(frozen=True)
class SignalFidelity:
    """How far a signal is from its original over the whole recording, and how it is stored.

    Parameters
    ----------
    fidelity : Fidelity
    worst_chunk_prd : float or None
        Largest error (PRD) of a single chunk in percent, its own mean removed; of bounded signals only.
    chunks : dict of str to int or None
        How many chunks store it in which way; of bounded signals only.
    eeg_prd, worst_chunk_eeg_prd : float or None
        Error (PRD) of the EEG part, of all chunks and of the worst; of signals coded lossily only.
    refined : bool
        Whether a joint decoder restores it.
    """

    fidelity: Fidelity
    worst_chunk_prd: float | None = None
    chunks: dict[str, int] | None = None
    eeg_prd: float | None = None
    worst_chunk_eeg_prd: float | None = None
    refined: bool = False


class Stage(Protocol):
    """One way of coding signals, at work on a recording: it codes chunk after chunk, from the first to the last."""

    def encode(self, chunk: int) -> ChunkStreams:
        """Code the next chunk; of what a chunk holds, it gives its own signals' part."""

    def fidelities(self) -> dict[int, SignalFidelity]:
        """Fidelity of each signal that a decoder restores by this stage, over all chunks coded so far."""


def joined(parts: Iterable[ChunkStreams]) -> ChunkStreams:
    """What several stages give a chunk."""
    result = ChunkStreams()
    for part in parts:
        result.tokens += part.tokens
        result.knots += part.knots
        result.exact.update(part.exact)
        result.bounded = part.bounded if result.bounded is None else result.bounded
    return result
