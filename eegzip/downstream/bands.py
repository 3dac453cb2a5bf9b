"""Bands of frequency, and division that knows what nothing over nothing is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

EDGES = (0.0, 2.0, 4.0, 8.0, 13.0, 18.0, 24.0, 30.0, 49.9)
"""In Hz. The last lies just below half of :data:`RATE`."""

RATE = 100.0
"""Samples a second that features are computed at."""

Band = tuple[float, float]


def _with_those_between(edges: tuple[float, ...]) -> tuple[Band, ...]:
    """Bands, and one from the middle of each to the middle of the next."""
    bands = list(pairwise(edges))
    middles = [(low + high) / 2 for low, high in bands]
    # Middles are whole Hz: of 13 to 18 Hz it is 15, of 30 to 49.9 Hz 39.
    between = [(float(int(a)), float(int(b))) for a, b in pairwise(middles)]
    return tuple(band for pair in zip(bands, [*between, bands[-1]], strict=True) for band in pair)[:-1]


BANDS = tuple(pairwise(EDGES))
"""Eight bands that lie side by side."""

OVERLAPPING = _with_those_between(EDGES)
"""The same with those between: fifteen, in the order of their lower edges."""


def band_name(band: Band) -> str:
    """Return ``'8-13'``, for names of features."""
    return f"{band[0]:g}-{band[1]:g}"


def quotient(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Divide, 0 where the divisor is 0: a flat signal has no ratio, and features are numbers."""
    return np.divide(upper, lower, out=np.zeros(np.broadcast_shapes(upper.shape, lower.shape)), where=lower != 0)


def entropy_terms(shares: np.ndarray) -> np.ndarray:
    """Return -p log p in nats, 0 where p is 0."""
    return -shares * np.log(np.where(shares > 0, shares, 1.0))
