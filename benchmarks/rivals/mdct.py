"""The modified discrete cosine transform: orthonormal, lapped, critically sampled."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct


def window_of(hop: int) -> np.ndarray:
    """Sine window of ``2 * hop`` samples: power-complementary, with the best coding gain of the common ones on EEG."""
    return np.sin(np.pi / (2 * hop) * (np.arange(2 * hop) + 0.5))


def frames_of(length: int, hop: int) -> int:
    """Number of frames that cover `length` samples."""
    return -(-length // hop) + 1


def mdct(x: np.ndarray, hop: int) -> np.ndarray:
    """Transform signals [C, n], mirrored beyond their ends; return coefficients [frames, C, hop]."""
    channels, length = x.shape
    frames = frames_of(length, hop)
    padded = np.pad(x, ((0, 0), (hop, frames * hop - length)), mode="symmetric")
    blocks = padded.reshape(channels, frames + 1, hop)
    window = window_of(hop)
    first, second = blocks[:, :-1] * window[:hop], blocks[:, 1:] * window[hop:]
    half = hop // 2
    a, b = first[..., :half], first[..., half:]
    c, d = second[..., :half], second[..., half:]
    folded = np.concatenate([-c[..., ::-1] - d, a - b[..., ::-1]], axis=-1)
    return np.ascontiguousarray(dct(folded, type=4, norm="ortho", axis=-1).transpose(1, 0, 2))


def inverse_mdct(coefficients: np.ndarray, length: int) -> np.ndarray:
    """Return the `length` samples [C, n] that coefficients [frames, C, hop] stand for."""
    frames, channels, hop = coefficients.shape
    folded = dct(coefficients.transpose(1, 0, 2), type=4, norm="ortho", axis=-1)
    half = hop // 2
    first, second = folded[..., :half], folded[..., half:]
    window = window_of(hop)
    out = np.zeros((channels, frames + 1, hop))
    out[:, :-1] += np.concatenate([second, -second[..., ::-1]], axis=-1) * window[:hop]
    out[:, 1:] += np.concatenate([-first[..., ::-1], -first], axis=-1) * window[hop:]
    return out.reshape(channels, -1)[:, hop : hop + length]
