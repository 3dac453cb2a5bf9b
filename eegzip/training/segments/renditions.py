"""Recordings as another amplifier or montage might have made them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from eegzip.training.data.waveforms import resampled

Waves = npt.NDArray[np.float64]

SECONDS = 63.0
"""Length of a rendition at most, before time is stretched."""
_STRETCH_OCTAVES = 0.5
_HUM_SHARE = 0.3
_STEPS_A_SECOND = 0.05


def rendition(x: Waves, rate: float, rng: np.random.Generator, drift: float = 0.0, *, hum: bool = True) -> Waves:
    """Return a variant of a recording [channels, samples] at the same rate.

    Another reference (the average, a channel, or differences of pairs of channels), time stretched by up to 1.4 either
    way, other gains, mains hum in some, nearly in phase on all channels, and in some what electrodes do by themselves.

    Parameters
    ----------
    x
        Digital values.
    rate
        Hz.
    rng
        Source of the draws.
    drift
        Share of renditions with slow drift and steps of electrodes.
    hum
        Whether some get mains hum.
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
    if hum and rng.random() < _HUM_SHARE:
        mains = rng.choice([50.0, 60.0])
        size = 100 * 2 ** (rng.uniform(-5, 1) + rng.normal(0, 0.4, (channels, 1)))
        phase = rng.uniform(0, 6.28) + rng.normal(0, 0.3, (channels, 1))
        x = x + size * np.sin(2 * np.pi * mains / rate * np.arange(x.shape[1]) + phase)
    # Without it nothing is drawn, so that what was made before can be made again.
    if drift and rng.random() < drift:
        x = x + _wander(channels, x.shape[1], rate, rng) + _steps(channels, x.shape[1], rate, rng)
    return x


def _wander(channels: int, samples: int, rate: float, rng: np.random.Generator) -> Waves:
    """Slow courses, in part the same on all channels, from half the level of the EEG to sixteen times that."""
    kept = np.exp(-1 / (rate * 2 ** rng.uniform(-1, 4)))
    courses = lfilter([1.0], [1.0, -kept], rng.standard_normal((channels + 1, samples)))
    courses /= courses.std(axis=1, keepdims=True)
    size = 100 * 2 ** (rng.uniform(-1, 3) + rng.normal(0, 0.7, (channels, 1)))
    shared = rng.uniform(0, 1)
    wave: Waves = size * ((1 - shared) * courses[1:] + shared * rng.normal(1, 0.5, (channels, 1)) * courses[:1])
    return wave


def _steps(channels: int, samples: int, rate: float, rng: np.random.Generator) -> Waves:
    """Steps of single electrodes, a few a minute in all, each going back as an amplifier's high-pass lets it."""
    wave = np.zeros((channels, samples))
    for _ in range(rng.poisson(_STEPS_A_SECOND * samples / rate)):
        channel, start = rng.integers(channels), rng.integers(samples)
        times = np.arange(samples - start) / rate
        size = rng.choice([-1, 1]) * 100 * 2 ** rng.uniform(1, 5)
        wave[channel, start:] += size * np.exp(-times / 2 ** rng.uniform(-2, 2))
    return wave
