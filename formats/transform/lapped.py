"""A lapped orthonormal cosine transform (MDCT) of a whole chunk, which needs nothing from beyond the chunk's ends.

K blocks of B samples. Neighbouring blocks are first rotated into each other around their common border, over half a
block on each side, with a sine window; the two ends of the chunk have no neighbour and are left as they are. Then each
block goes through a cosine transform: DCT-IV, whose basis is even at a block's beginning and odd at its end as the
rotation wants it; the last block, which has nothing after it, through DCT-II, which is even at both ends.
All steps are orthonormal, so the squared error of the coefficients is that of the samples.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(16)
def _window(half: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of the rotation of a border's pairs, nearest pair first."""
    angle = np.pi / 4 * (1 + (2 * np.arange(half) + 1) / (2 * half))
    return np.cos(angle), np.sin(angle)


@lru_cache(16)
def _twiddle(block: int) -> np.ndarray:
    return np.exp(-1j * np.pi * (np.arange(block // 2) + 0.125) / block)


def _dct4(values: np.ndarray) -> np.ndarray:
    """Orthonormal DCT-IV along the last axis, of even length; its own inverse."""
    block = values.shape[-1]
    twiddle = _twiddle(block)
    packed = (values[..., 0::2] + 1j * values[..., ::-2]) * twiddle
    spectrum = np.fft.fft(packed, axis=-1) * twiddle * np.sqrt(2 / block)
    result = np.empty_like(values)
    result[..., 0::2] = spectrum.real
    result[..., ::-2] = -spectrum.imag
    return result


@lru_cache(16)
def _half_shift(block: int) -> np.ndarray:
    shift = np.exp(-1j * np.pi * np.arange(block) / (2 * block)) * np.sqrt(2 / block)
    shift[0] *= np.sqrt(0.5)
    return shift


def _dct2(values: np.ndarray) -> np.ndarray:
    """Orthonormal DCT-II along the last axis."""
    reordered = np.concatenate([values[..., 0::2], values[..., 1::2][..., ::-1]], axis=-1)
    return np.ascontiguousarray((np.fft.fft(reordered, axis=-1) * _half_shift(values.shape[-1])).real)


def _inverse_dct2(values: np.ndarray) -> np.ndarray:
    block = values.shape[-1]
    # The real part of the spectrum of a real signal's reordering fixes its imaginary part: the mirrored coefficients.
    mirrored = np.concatenate([np.zeros_like(values[..., :1]), values[..., :0:-1]], axis=-1)
    spectrum = (values - 1j * mirrored) * np.conj(_half_shift(block)) * (block / 2)
    spectrum[..., 0] *= 2
    reordered = np.fft.ifft(spectrum, axis=-1).real
    result = np.empty_like(values)
    result[..., 0::2] = reordered[..., : (block + 1) // 2]
    result[..., 1::2] = reordered[..., (block + 1) // 2 :][..., ::-1]
    return result


def forward(samples: np.ndarray, block: int) -> np.ndarray:
    """Transform signals.

    Parameters
    ----------
    samples : ndarray of float64, shape (signals, blocks * block)
    block : int
        Samples a block, even.

    Returns
    -------
    ndarray of float64, shape (signals, blocks, block)
    """
    values = samples.reshape(len(samples), -1, block).copy()
    half = block // 2
    cosine, sine = _window(half)
    left, right = values[:, :-1, half:][..., ::-1], values[:, 1:, :half]
    ahead = sine * right + cosine * left
    left[...] = sine * left - cosine * right
    right[...] = ahead
    values[:, :-1] = _dct4(values[:, :-1])
    values[:, -1] = _dct2(values[:, -1])
    return values


def inverse(coefficients: np.ndarray) -> np.ndarray:
    """Inverse of :func:`forward`: signals of shape (signals, blocks * block)."""
    values = coefficients.copy()
    half = values.shape[-1] // 2
    values[:, :-1] = _dct4(values[:, :-1])
    values[:, -1] = _inverse_dct2(values[:, -1])
    cosine, sine = _window(half)
    left, right = values[:, :-1, half:][..., ::-1], values[:, 1:, :half]
    behind = sine * right - cosine * left
    left[...] = sine * left + cosine * right
    right[...] = behind
    return values.reshape(len(values), -1)
