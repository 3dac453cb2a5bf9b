"""Recordings as another amplifier or montage might have made them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eegzip.training.data.waveforms import resampled

Waves = npt.NDArray[np.float64]

SECONDS = 63.0
"""Length of a rendition at most, before time is stretched."""
_STRETCH_OCTAVES = 0.5
_HUM_SHARE = 0.3


def rendition(x: Waves, rate: float, rng: np.random.Generator) -> Waves:
    """Return a variant of a recording [channels, samples] at the same rate.

    Another reference (the average, a channel, or differences of pairs of channels), time stretched by up to 1.4 either
    way, other gains, and mains hum in some, nearly in phase on all channels.

    Parameters
    ----------
    x
        Digital values.
    rate
        Hz.
    rng
        Source of the draws.
    """
    length = int(SECONDS * rate)
    if x.shape[1] > length:
        start = rng.integers(0, x.shape[1] - length)
        x = x[:, start : start + length]
    channels = len(x)
    x = x - x.mean(axis=1, keepdims=True)
    kind = rng.integers(3)
    if kind == 0:
        x = x - x.mean(axis=0)
    elif kind == 1:
        other = rng.permutation(channels)
        chosen = (rng.random(channels) < 0.6) & (other != np.arange(channels))
        x = np.where(chosen[:, None], x - x[other], x)
    else:
        x = x - 0.7 * x[rng.integers(channels)]
    x = resampled(x, rate, float(round(rate * 2 ** rng.uniform(-_STRETCH_OCTAVES, _STRETCH_OCTAVES))))
    level = np.maximum(x.std(axis=1, keepdims=True), 1e-9)
    x = x * 100 * 2 ** rng.uniform(0, 1, (channels, 1)) / level
    if rng.random() < _HUM_SHARE:
        mains = rng.choice([50.0, 60.0])
        size = 100 * 2 ** (rng.uniform(-5, 1) + rng.normal(0, 0.4, (channels, 1)))
        phase = rng.uniform(0, 6.28) + rng.normal(0, 0.3, (channels, 1))
        x = x + size * np.sin(2 * np.pi * mains / rate * np.arange(x.shape[1]) + phase)
    return x
