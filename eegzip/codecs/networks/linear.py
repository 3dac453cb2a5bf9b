"""Linear parts of networks on CPUs, the same to the last bit everywhere: a lapped transform, sums of codewords.

What torch's convolutions give depends in its last bits on the processor, on the number of threads and on what else is
in the batch; after many levels of a search these bits are other tokens. Here every number is a sum in one order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eegzip.formats.entropy.jit import jit
from eegzip.formats.fixed_order import product
from eegzip.formats.tokens.packed import ABSENT

FloatArray = npt.NDArray[np.float32]


def analyse(waves: FloatArray, weights: FloatArray) -> FloatArray:
    """Return what ``Conv1d(1, D, 2 * hop, stride=hop, padding=hop // 2)`` gives.

    Parameters
    ----------
    waves : ndarray of float32, shape (B, T)
    weights : ndarray of float32, shape (D, 2 * hop)

    Returns
    -------
    ndarray of float32, shape (B, D, frames)
    """
    width, length = weights.shape
    hop = length // 2
    padded = np.pad(waves, ((0, 0), (hop // 2, hop // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, ::hop]
    latents = product(frames.reshape(-1, length), weights.T).reshape(len(waves), -1, width)
    return np.ascontiguousarray(latents.transpose(0, 2, 1))


def synthesise(latents: FloatArray, weights: FloatArray) -> FloatArray:
    """Return what ``ConvTranspose1d(D, 1, 2 * hop, stride=hop, padding=hop // 2)`` gives.

    Parameters
    ----------
    latents : ndarray of float32, shape (B, D, frames)
    weights : ndarray of float32, shape (D, 2 * hop)

    Returns
    -------
    ndarray of float32, shape (B, T)
    """
    batch, width, frames = latents.shape
    hop = weights.shape[1] // 2
    halves = product(latents.transpose(0, 2, 1).reshape(-1, width), weights).reshape(batch, frames, 2, hop)
    whole = np.zeros((batch, frames + 1, hop), np.float32)
    whole[:, :-1] = halves[:, :, 0]
    whole[:, 1:] += halves[:, :, 1]
    waves = whole.reshape(batch, -1)
    return np.ascontiguousarray(waves[:, hop // 2 : waves.shape[1] - hop // 2])


@jit
def summed_codewords(books: np.ndarray, codes: np.ndarray, latents: np.ndarray) -> None:
    """Add to `latents` [B, F, D], float32, the codewords that tokens stand for, from the first level up.

    Parameters
    ----------
    books : ndarray of float32, shape (K, S, D)
    codes : ndarray of uint16, shape (B, at most K, F)
        Below S, or :data:`~eegzip.formats.tokens.packed.ABSENT`, which adds nothing where S allows no such entry.
    latents : ndarray
    """
    entries, width = books.shape[1:]
    for row in range(codes.shape[0]):
        for frame in range(codes.shape[2]):
            latent = latents[row, frame]
            for level in range(codes.shape[1]):
                code = codes[row, level, frame]
                if code != ABSENT or entries > ABSENT:
                    word = books[level, code]
                    for d in range(width):
                        latent[d] += word[d]
