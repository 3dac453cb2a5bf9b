"""Small random priors, and the specification's arithmetic once more in Python's own integers."""

from __future__ import annotations

import math

import numpy as np

from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tables import BANDS, CLASSES, MAX_FACTOR, MAX_START, PriorTables, TokenPrior, pack_prior


def random_tables(seed: int, levels=3, entries=16, width=5, hidden=4, *, extreme: bool = False) -> PriorTables:
    """Tables of any values that a prior may have; extreme ones are all at an end of their range."""
    rng = np.random.default_rng(seed)

    def draw(low: int, high: int, dtype: type, *shape: int) -> np.ndarray:
        if extreme:
            return rng.choice([low, high], shape).astype(dtype)
        return rng.integers(low, high, shape, endpoint=True).astype(dtype)

    small, large = (-127, 127, np.int8), (-MAX_FACTOR, MAX_FACTOR, np.int16)
    if not extreme:
        large = (-60, 60, np.int16)
    gain = (1 << 31) - 1 if extreme else 40_000
    return PriorTables(
        words=draw(-32768 if extreme else -900, 32767 if extreme else 900, np.int16, levels, entries, width),
        match=draw(*large, levels, width, entries),
        norm=draw(*large, levels, width, entries),
        rest=draw(1, (1 << 31) - 1 if extreme else 100_000, np.int32, levels, width),
        gain=draw(0, gain, np.int32, levels, 2, width),
        norm_gain=draw(0, gain, np.int32, levels, 2, width),
        bias=draw(-32768 if extreme else -300, 32767 if extreme else 300, np.int16, levels, 2, entries),
        own=draw(*small, levels, entries, hidden),
        before=draw(*small, levels, entries, hidden),
        beside=draw(*small, levels, entries, hidden),
        energy=draw(*small, 2, CLASSES, hidden),
        level=draw(-32768 if extreme else -50, 32767 if extreme else 50, np.int16, levels, hidden),
        out=draw(*small, levels, hidden, entries),
        start=draw(1, MAX_START, np.int32, 2, width),
        lowest_class=draw(0, 30, np.int32, 1),
        bands=draw(0, BANDS - 1, np.int8, width),
    )


def random_prior(seed: int, **options) -> TokenPrior:
    return TokenPrior(pack_prior(random_tables(seed, **options)))


def random_codes(rng: np.random.Generator, prior: TokenPrior, levels: int, frames: int, *, varying: bool) -> np.ndarray:
    codes = rng.integers(0, prior.entries, (levels, frames)).astype(np.uint16)
    if varying:
        codes[np.arange(levels)[:, None] >= rng.integers(0, levels, frames, endpoint=True)] = ABSENT
    return codes


def plain_weights(
    tables: PriorTables, level: int, together: int, missing: list[int], variance: list[int], hidden: list[int]
) -> list[int]:
    """How likely each entry is, by SPEC.md 6.2.3, with integers that can't overflow."""
    scores = []
    for entry in range(tables.words.shape[1]):
        total = 0
        for d, (gap, spread) in enumerate(zip(missing, variance, strict=True)):
            whole = spread + int(tables.rest[level, d])
            x = min(max(gap * int(tables.gain[level, together, d]) // whole, -4095), 4095)
            y = min(int(tables.norm_gain[level, together, d]) // whole, 4095)
            total += x * int(tables.match[level, d, entry]) - y * int(tables.norm[level, d, entry])
        for h, unit in enumerate(hidden):
            active = min(max(2 * (unit + int(tables.level[level, h])), 0), 4095)
            total += active * int(tables.out[level, h, entry])
        assert -(1 << 31) <= total < 1 << 31
        scores.append((total >> 5) + int(tables.bias[level, together, entry]))
    best = max(scores)
    return [max(1, round(65536 * math.exp(-min(best - score, 3071) / 256))) for score in scores]
