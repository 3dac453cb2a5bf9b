"""A lapped orthonormal cosine transform (MDCT) of a whole chunk, which needs nothing from beyond the chunk's ends.

K blocks of B samples. Neighbouring blocks are first rotated into each other around their common border, over half a
block on each side, with a sine window; the two ends of the chunk have no neighbour and are left as they are. Then each
block goes through a cosine transform: DCT-IV, whose basis is even at a block's beginning and odd at its end as the
rotation wants it; the last block, which has nothing after it, through DCT-II, which is even at both ends.
A chunk may be cut at some borders (1.3): it is then transformed as if it ended there and another began.
All steps are orthonormal, so the squared error of the coefficients is that of the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

import numpy as np

_Table = TypeVar("_Table")
_MAX_KEPT = 1 << 16
_PIECE = 1 << 16
"""Samples that are transformed at a time."""


def _kept(table: Callable[[int], _Table]) -> Callable[[int], _Table]:
    """Keep what is computed for the sizes of ordinary blocks; of millions of samples it would add up."""
    keeping = lru_cache(16)(table)
    return lambda size: keeping(size) if size <= _MAX_KEPT else table(size)


@_kept
def _window(half: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of the rotation of a border's pairs, nearest pair first."""
    angle = np.pi / 4 * (1 + (2 * np.arange(half) + 1) / (2 * half))
    return np.cos(angle), np.sin(angle)


@_kept
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


@_kept
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
    spectrum = values.astype(np.complex128)
    spectrum.imag[..., 1:] = -values[..., :0:-1]
    spectrum *= np.conj(_half_shift(block))
    spectrum *= block / 2
    spectrum[..., 0] *= 2
    reordered = np.fft.ifft(spectrum, axis=-1).real
    result = np.empty_like(values)
    result[..., 0::2] = reordered[..., : (block + 1) // 2]
    result[..., 1::2] = reordered[..., (block + 1) // 2 :][..., ::-1]
    return result


def forward(samples: np.ndarray, block: int, cuts: np.ndarray | None = None) -> np.ndarray:
    """Transform signals.

    Parameters
    ----------
    samples : ndarray of float64, shape (signals, blocks * block)
    block : int
        Samples a block, even.
    cuts : ndarray of bool, shape (blocks - 1,), optional
        Borders between blocks at which nothing overlaps.

    Returns
    -------
    ndarray of float64, shape (signals, blocks, block)
    """
    values = samples.reshape(len(samples), -1, block).copy()
    before, after, last = _borders(values.shape[1], cuts)
    half = block // 2
    cosine, sine = _window(half)
    left, right = values[:, before, half:][..., ::-1], values[:, after, :half]
    values[:, before, half:] = (sine * left - cosine * right)[..., ::-1]
    values[:, after, :half] = sine * right + cosine * left
    values[:, before] = _dct4(values[:, before])
    values[:, last] = _dct2(values[:, last])
    return values


def inverse(coefficients: np.ndarray, cuts: np.ndarray | None = None) -> np.ndarray:
    """Inverse of :func:`forward`, in place: signals of shape (signals, blocks * block).

    Blocks of nothing but zeros are left as they are, and of the others a few at a time are worked on: the first saves
    time, the second memory.
    """
    signals, blocks, block = coefficients.shape
    rows = coefficients.reshape(-1, block)
    loud = np.asarray(rows.any(axis=1))
    first = blocks * np.arange(signals)[:, None]
    before, after, last = ((first + some).reshape(-1) for some in _borders(blocks, cuts))
    for some in _pieces(before[loud[before]], block):
        rows[some] = _dct4(rows[some])
    for some in _pieces(last[loud[last]], block):
        rows[some] = _inverse_dct2(rows[some])
    half = block // 2
    cosine, sine = _window(half)
    met = loud[before] | loud[after]
    for some, others in zip(_pieces(before[met], block), _pieces(after[met], block), strict=True):
        left, right = rows[some, half:][..., ::-1], rows[others, :half]
        rows[some, half:] = (sine * left + cosine * right)[..., ::-1]
        rows[others, :half] = sine * right - cosine * left
    return coefficients.reshape(signals, -1)


def _pieces(rows: np.ndarray, block: int) -> Iterator[np.ndarray]:
    """Some of the numbers of blocks after the other."""
    step = max(1, _PIECE // block)
    return (rows[begin : begin + step] for begin in range(0, len(rows), step))


def _borders(blocks: int, cuts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks that overlap the next one, those that they overlap, and blocks that overlap no next one."""
    ends = np.ones(blocks, bool)
    ends[:-1] = False if cuts is None else cuts
    before = np.flatnonzero(~ends)
    return before, before + 1, np.flatnonzero(ends)
