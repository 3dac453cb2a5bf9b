"""Recordings made up: first tries and tests need no data.

Each subject has a mixture of sources on the scalp: slow 1/f activity, an alpha rhythm that waxes and wanes, blinks and
a little mains hum; neighbouring channels share sources, as real ones do. It is no model of a brain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

from eegzip.training.data.corpus import CachedRecording, Corpus
from eegzip.training.data.preprocessing import Preprocessing
from eegzip.training.data.waveforms import at_level

LABELS = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "O1", "O2")
_SOURCES = 4
_HUM_HZ = 50.0
_TYPICAL_UV = 20.0


def synthetic_corpus(preprocessing: Preprocessing, subjects: int = 4, seconds: float = 60.0, seed: int = 0) -> Corpus:
    """Return made-up recordings of a few made-up subjects.

    Parameters
    ----------
    preprocessing
        Rate and scaling.
    subjects
        How many, a recording each.
    seconds
        Length of each.
    seed
        Of everything random.
    """
    recordings = []
    for number in range(1, subjects + 1):
        rng = np.random.default_rng([seed, number])
        microvolts = _recording(rng, preprocessing.rate, round(seconds * preprocessing.rate))
        if preprocessing.scaling == "fixed":
            waves = np.clip(microvolts / preprocessing.limit_uv, -1, 1).astype(np.float32)
        elif preprocessing.scaling == "robust":
            rows = [preprocessing.robust_scaling(row, preprocessing.rate).normalise(row[None]) for row in microvolts]
            waves = np.concatenate(rows)
        else:
            # As digital values of a tenth of a microvolt: the scaling knows no finer steps.
            waves, _ = at_level(10 * microvolts, preprocessing.adaptive_scaling)
        name = f"synthetic-{number:02}"
        recordings.append(CachedRecording(name, "synthetic", name, name, list(LABELS), preprocessing.rate, waves))
    return Corpus(recordings, [])


def _recording(rng: np.random.Generator, rate: float, count: int) -> npt.NDArray[np.float64]:
    """Return channels in microvolts [C, n]."""
    sources = np.stack([_coloured(rng, count) for _ in range(_SOURCES)])
    mixing = rng.normal(0, 1, (len(LABELS), _SOURCES))
    # Left and right are near each other, and so are the channels of a row.
    mixing[1::2] = 0.7 * mixing[0::2] + 0.3 * mixing[1::2]
    waves = _TYPICAL_UV * mixing @ sources
    time = np.arange(count) / rate
    envelope = np.clip(signal.resample(rng.normal(0, 1, max(count // round(rate), 2)), count), 0, None)
    alpha = np.sin(2 * np.pi * (rng.uniform(9, 11) * time) + rng.uniform(0, 6.28)) * envelope
    waves += np.linspace(0.2, 1.0, len(LABELS))[:, None] * _TYPICAL_UV * alpha
    for when in rng.uniform(0, time[-1], max(int(time[-1] / 5), 1)):
        blink = 100 * np.exp(-0.5 * ((time - when) / 0.08) ** 2)
        waves[:2] += blink
    waves += np.sin(2 * np.pi * _HUM_HZ * time) * rng.uniform(0, 2, (len(LABELS), 1))
    return np.asarray(waves + rng.normal(0, 1, waves.shape))


def _coloured(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Return noise whose power falls as 1/f, of unit variance [n]."""
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    frequency = np.arange(len(spectrum))
    spectrum /= np.sqrt(np.maximum(frequency, 1))
    spectrum[0] = 0
    wave = np.fft.irfft(spectrum, count)
    return np.asarray(wave / wave.std())
