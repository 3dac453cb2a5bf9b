"""Tables in tiles of columns: a tile lies in memory as it is gone through, row after row."""

from __future__ import annotations

import numpy as np


def in_tiles(table: np.ndarray, columns: int) -> np.ndarray:
    """Return a table [..., rows, n] as tiles [..., tiles, rows, columns]; what is missing in the last is 0."""
    *outer, rows, n = table.shape
    tiles = -(-n // columns)
    padded = np.zeros((*outer, rows, tiles * columns), table.dtype)
    padded[..., :n] = table
    return np.ascontiguousarray(np.moveaxis(padded.reshape(*outer, rows, tiles, columns), -2, -3))
