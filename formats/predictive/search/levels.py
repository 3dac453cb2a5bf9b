"""The encoder of exact signals for a level: how hard it tries."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import numpy as np

from eegzip.formats.predictive.search.block_encoder import BlockEncoder
from eegzip.formats.predictive.search.chunk_encoder import ExactEncoder
from eegzip.formats.predictive.search.efforts import BLOCK_EFFORTS, EFFORTS, ORDINARY


class Encoder(Protocol):
    """Encoder of the exact signals of a file, chunk by chunk."""

    def encode(self, signals: dict[int, np.ndarray]) -> dict[int, bytes]:
        """Code the signals of the next chunk, by number of the signal."""


def exact_encoder(width: int, predicted: Collection[int], level: int | None) -> Encoder:
    """Make the encoder of a level.

    Parameters
    ----------
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.
    predicted : collection of int
        Signals that may be predicted: not those that hold text.
    level : int or None
        1 to 9; ``None`` for the ordinary one.
    """
    if level is None:
        return ExactEncoder(width, predicted, ORDINARY)
    if level in EFFORTS:
        return ExactEncoder(width, predicted, EFFORTS[level])
    return BlockEncoder(width, predicted, BLOCK_EFFORTS[level])
