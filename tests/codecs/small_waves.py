"""Waveforms for the codec tests."""

from __future__ import annotations

import numpy as np

from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.analysis import mirror_indices


def windows(runtime: CodecRuntime, y: np.ndarray) -> np.ndarray:
    """All windows of a recording, as [windows * channels, length]."""
    context, size, hop = runtime.encoder_context, runtime.window_frames, runtime.hop
    parts = []
    for first in range(0, -(-y.shape[1] // hop) + 1, size):
        start = (first - context) * hop - hop // 2
        parts.append(y[:, mirror_indices(y.shape[1], start, start + (size + 2 * context) * hop)])
    return np.concatenate(parts)


def noise(channels: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((channels, n)).astype(np.float32)
