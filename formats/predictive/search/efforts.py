"""Efforts of an encoder of exact signals, by level: 1 to 5 predict block by block, from 6 on sample by sample.

The sizes and speeds that they were chosen by are in benchmarks/results/lossless.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from eegzip.formats.predictive.block_shape import BlockShape
from eegzip.formats.predictive.shape import Shape


@dataclass(frozen=True)
class Effort:
    """What an encoder that predicts sample by sample chooses from.

    Parameters
    ----------
    shapes : tuple of (Shape, int)
        Each with how many references it takes.
    finalists : int
        How many of them, those that are best on a part of a chunk, are tried on the whole.
    again : int
        Chunks after which they are tried anew.
    """

    shapes: tuple[tuple[Shape, int], ...]
    finalists: int = 1
    again: int = 16


ORDINARY = Effort(
    (
        (Shape(16, 4, 4, 11, 16), 4),
        (Shape(16, 4, 4, 11, 6), 4),
        (Shape(16, 3, 3, 11, 14), 6),
        (Shape(24, 7, 7, 10, 2), 3),
        (Shape(32, 2, 2, 9, 4), 2),
    )
)
_MORE = ((Shape(8, 6, 6, 12, 10), 6), (Shape(24, 7, 7, 11, 2), 4))
_STILL_MORE = ((Shape(12, 1, 1, 12, 14), 20), (Shape(16, 4, 4, 12, 14), 8), (Shape(20, 12, 12, 11, 2), 3))
EFFORTS = {
    7: Effort(ORDINARY.shapes + _MORE),
    8: Effort(ORDINARY.shapes + _MORE + _STILL_MORE, 2),
    9: Effort((*ORDINARY.shapes, *_MORE, *_STILL_MORE, (Shape(16, 2, 2, 12, 14), 16)), 4, 1),
}


@dataclass(frozen=True)
class BlockEffort:
    """What an encoder chooses from.

    Parameters
    ----------
    shapes : tuple of (BlockShape, int)
        Each with how many references it takes.
    tried : int
        Samples of a chunk on which they are tried, at most; never more than a quarter of it.
    """

    shapes: tuple[tuple[BlockShape, int], ...]
    tried: int


BLOCK_EFFORTS = {
    1: BlockEffort(
        (
            (BlockShape(16, 1, 1, 3, 8, 8, 0), 4),
            (BlockShape(16, 2, 2, 3, 8, 8, 0), 2),
            (BlockShape(16, 7, 7, 3, 2, 8, 0), 1),
        ),
        2048,
    ),
    2: BlockEffort(
        (
            (BlockShape(16, 1, 1, 4, 8, 7, 16), 4),
            (BlockShape(16, 1, 1, 4, 8, 7, 0), 4),
            (BlockShape(16, 7, 7, 4, 2, 7, 32), 1),
        ),
        2048,
    ),
    3: BlockEffort(
        (
            (BlockShape(16, 4, 4, 4, 8, 7, 32), 3),
            (BlockShape(16, 2, 2, 4, 8, 7, 32), 5),
            (BlockShape(16, 4, 4, 4, 8, 7, 0), 4),
            (BlockShape(16, 7, 7, 4, 2, 7, 32), 2),
        ),
        4096,
    ),
    4: BlockEffort(
        (
            (BlockShape(16, 4, 4, 5, 8, 6, 32), 4),
            (BlockShape(16, 2, 2, 5, 8, 6, 32), 6),
            (BlockShape(16, 4, 4, 5, 8, 6, 0), 4),
            (BlockShape(24, 7, 7, 4, 2, 6, 32), 3),
        ),
        4096,
    ),
    5: BlockEffort(
        (
            (BlockShape(16, 4, 4, 6, 12, 5, 32), 5),
            (BlockShape(16, 2, 2, 6, 8, 5, 32), 8),
            (BlockShape(16, 4, 4, 6, 8, 5, 0), 4),
            (BlockShape(24, 7, 7, 5, 2, 5, 32), 4),
            (BlockShape(32, 2, 2, 5, 4, 5, 32), 3),
        ),
        4096,
    ),
}
