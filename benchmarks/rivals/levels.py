"""What every rival needs to know of each channel: where it lies and how large it is."""

from __future__ import annotations

import numpy as np

from rivals.fields import Reader, Writer

_LEVELS_AN_OCTAVE = 8


def write_levels(fields: Writer, x: np.ndarray) -> np.ndarray:
    """Write mean and level of channels [C, n] of integers, a few bytes each; return the channels at unit level."""
    means = np.rint(x.mean(axis=1)).astype(int)
    levels = np.rint(_LEVELS_AN_OCTAVE * np.log2(np.maximum(x.std(axis=1), 1e-3))).astype(int)
    for mean, level in zip(means, levels, strict=True):
        fields.signed(int(mean))
        fields.signed(int(level))
    return (x - means[:, None]) / (2.0 ** (levels / _LEVELS_AN_OCTAVE))[:, None]


def read_levels(fields: Reader, channels: int) -> np.ndarray:
    """Means and factors [C, 2] for :func:`with_levels`."""
    pairs = [(fields.signed(), 2.0 ** (fields.signed() / _LEVELS_AN_OCTAVE)) for _ in range(channels)]
    return np.array(pairs, float).reshape(channels, 2)


def with_levels(signals: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Integers of channels at unit level."""
    return np.rint(signals * levels[:, 1:] + levels[:, :1]).astype(np.int64)
