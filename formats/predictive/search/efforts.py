"""How hard an encoder of exact signals tries: the levels 1 to 5, which predict block by block.

The sizes and speeds that they were chosen by are in benchmarks/results/lossless.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from eegzip.formats.predictive.block_shape import BlockShape


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
            (BlockShape(16, 1, 1, 8, 3, 8, 0), 4),
            (BlockShape(16, 2, 2, 8, 3, 8, 0), 2),
            (BlockShape(16, 7, 7, 8, 3, 2, 0), 1),
        ),
        2048,
    ),
    2: BlockEffort(
        (
            (BlockShape(16, 1, 1, 7, 4, 8, 16), 4),
            (BlockShape(16, 2, 2, 7, 4, 8, 16), 3),
            (BlockShape(16, 7, 7, 7, 4, 2, 32), 1),
        ),
        2048,
    ),
    3: BlockEffort(
        (
            (BlockShape(16, 4, 4, 7, 4, 8, 32), 3),
            (BlockShape(16, 2, 2, 7, 4, 8, 32), 5),
            (BlockShape(16, 7, 7, 7, 4, 2, 32), 2),
        ),
        4096,
    ),
    4: BlockEffort(
        (
            (BlockShape(16, 4, 4, 6, 5, 8, 32), 4),
            (BlockShape(16, 2, 2, 6, 5, 8, 32), 6),
            (BlockShape(24, 7, 7, 6, 4, 2, 32), 3),
        ),
        4096,
    ),
    5: BlockEffort(
        (
            (BlockShape(16, 4, 4, 5, 6, 12, 32), 5),
            (BlockShape(16, 2, 2, 5, 6, 8, 32), 8),
            (BlockShape(24, 7, 7, 5, 5, 2, 32), 4),
            (BlockShape(32, 2, 2, 5, 5, 4, 32), 3),
        ),
        4096,
    ),
}
