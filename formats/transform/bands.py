"""Bands of bins: where they may end (SPEC.md, section 6.9)."""

from __future__ import annotations

_MIN_BINS = 2


def edges(bins: int) -> list[int]:
    """0, then the bins at which a band may end: two further, or half as far again from 0; the last is `bins`."""
    found = [0]
    while found[-1] < bins:
        following = max(found[-1] + _MIN_BINS, (3 * found[-1] + 1) // 2)
        found.append(following if bins - following >= _MIN_BINS else bins)
    return found
