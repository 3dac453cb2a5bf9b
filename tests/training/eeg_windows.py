"""Windows of real EEG for the tests of losses and figures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyedflib
from scipy.signal import resample_poly

EEGMAT = Path(__file__).parents[1] / "data" / "eegmat" / "Subject16_rest_70s.edf"
RATE = 256.0


@cache
def windows(length: int = 7680) -> np.ndarray:
    """Float32 rows [N, length] at 256 Hz, the mean removed, each at an RMS of 0.2."""
    with pyedflib.EdfReader(str(EEGMAT)) as file:
        waves = np.stack([file.readSignal(i) for i in range(4)])
    waves = resample_poly(waves, 64, 125, axis=1)
    count = waves.shape[1] // length
    rows = waves[:, : count * length].reshape(-1, length)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return (0.2 * rows / rows.std(axis=1, keepdims=True)).astype(np.float32)


def noised(rows: np.ndarray, share: float = 0.1, seed: int = 1) -> np.ndarray:
    """The rows with white noise of a share of their RMS."""
    noise = np.random.default_rng(seed).standard_normal(rows.shape)
    return (rows + share * rows.std(axis=1, keepdims=True) * noise).astype(np.float32)
