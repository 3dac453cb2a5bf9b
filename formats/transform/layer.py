"""One layer: the signals of a set in one chunk as a stream (SPEC.md, sections 6.5 and 6.9)."""

from __future__ import annotations

import math

import numpy as np

from eegzip.formats.entropy.binary_coder import MAX_DECISIONS_A_BYTE, PLACE, new_decoder, take_bits
from eegzip.formats.errors import ContainerError
from eegzip.formats.transform import lapped, spatial
from eegzip.formats.transform.coefficients import decode_coefficients
from eegzip.formats.transform.layer_header import (
    STEP_BITS,
    LayerHeader,
    block_size,
    take_first_layer_header,
    take_layer_header,
)
from eegzip.formats.transform.model import new_model

MAX_SIGNALS = 64
"""Signals of a set."""

STEPS_AN_OCTAVE = 128
_PIECE = 1 << 16
"""Coefficients that are restored at a time."""


def _parts_of_an_octave(count: int) -> np.ndarray:
    """2 ** (i / count) for i below `count`, a power of two: products of roots, which are alike on all machines."""
    parts, root = np.ones(count), 2.0
    while count > 1:
        count //= 2
        root = math.sqrt(root)
        parts *= np.where(np.arange(len(parts)) & count, root, 1.0)
    return parts


STEP_ZERO = 1 << (STEP_BITS - 1)
_PARTS = _parts_of_an_octave(STEPS_AN_OCTAVE)
END_PARTS = 63
OFFSETS = 3
OFFSET_BITS = 6
OFFSET_ZERO = 1 << (OFFSET_BITS - 1)


def step_size(codes: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """Steps in digital units."""
    octave, part = np.divmod(np.asarray(codes, np.int64) - STEP_ZERO, STEPS_AN_OCTAVE)
    return np.ldexp(_PARTS[part], octave.astype(np.int32))


def decode_layer(data: bytes, signals: int, n_samples: int, *, first: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Restore the signals of a layer.

    Parameters
    ----------
    data : bytes
    signals : int
        Of the set.
    n_samples : int
        In the chunk, at least 1.
    first : bool
        Whether it is a layer of version 1.2.

    Returns
    -------
    members : ndarray of bool, shape (signals,)
        Which signals the layer holds.
    samples : ndarray of float64, shape (members, n_samples)

    Raises
    ------
    ContainerError
        The stream contradicts itself.
    """
    stream = np.frombuffer(data, np.uint8)
    state = new_decoder(stream)
    header = (take_first_layer_header if first else take_layer_header)(state, stream, signals, n_samples)
    members, bins = len(header.steps), block_size(n_samples, header.blocks)
    shape = (members, header.blocks, bins)
    ends = ends_of(header.parts, bins)
    if int(ends.sum()) * header.blocks > MAX_DECISIONS_A_BYTE * (len(stream) + 8):
        raise ContainerError("a layer ends before its coefficients do.")
    quantised = decode_coefficients(shape, ends, new_model(members, first=first), state, stream)
    if quantised.shape != shape:
        raise ContainerError("a layer ends before its coefficients do.")
    offsets = [take_bits(state, stream, OFFSET_BITS) for _ in range(OFFSETS)]
    if state[PLACE] < len(stream):
        raise ContainerError("a layer is followed by bytes that belong to nothing.")
    return header.members, synthesise(quantised, offsets, header, n_samples)


def restored_values(quantised: np.ndarray, offsets: list[int]) -> np.ndarray:
    """What quantised values stand for, in steps."""
    size = np.abs(quantised)
    bias = np.array([0.0, *((code - OFFSET_ZERO) / (2 * OFFSET_ZERO) for code in offsets)])
    return np.sign(quantised) * (size + bias[np.minimum(size, OFFSETS)])


def synthesise(quantised: np.ndarray, offsets: list[int], header: LayerHeader, n_samples: int) -> np.ndarray:
    """Samples [members, n] of quantised coefficients [members, blocks, bins] of the components."""
    members, blocks, bins = quantised.shape
    matrices = spatial.matrices(members, header.bands)
    steps = step_size(header.steps)[:, None, None]
    coefficients = np.zeros(quantised.shape)
    # Some blocks at a time, as of millions of coefficients each copy is large; and none that are silent.
    count = max(1, _PIECE // (members * bins))
    for begin in range(0, blocks, count):
        some = slice(begin, begin + count)
        if quantised[:, some].any():
            restored = restored_values(quantised[:, some], offsets)
            coefficients[:, some] = spatial.turned(restored, header.bands, matrices, back=True) * steps
    samples = lapped.inverse(coefficients, header.cuts)[:, :n_samples]
    samples += np.array(header.centres, np.float64)[:, None]
    return samples


def ends_of(parts: tuple[int, ...], bins: int) -> np.ndarray:
    """Bins of each component that are written, from 63rds of all."""
    return -(-np.array(parts, np.int64) * bins // END_PARTS)
