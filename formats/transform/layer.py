"""One layer: the signals of a set in one chunk as a stream (SPEC.md, sections 6.5 and 6.9)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from eegzip.formats.entropy.binary_coder import PLACE, finish, new_decoder, new_encoder, put_bits, take_bits
from eegzip.formats.errors import ContainerError
from eegzip.formats.fixed_order import log2
from eegzip.formats.transform import lapped, spatial
from eegzip.formats.transform.coefficients import decode_coefficients, encode_coefficients, room
from eegzip.formats.transform.contexts import new_model
from eegzip.formats.transform.layer_header import (
    STEP_BITS,
    Form,
    block_size,
    put_form,
    room_for_form,
    take_first_form,
    take_form,
)

MAX_SIGNALS = 64
"""Signals of a set."""

STEPS_AN_OCTAVE = 128


def _parts_of_an_octave(count: int) -> np.ndarray:
    """2 ** (i / count) for i below `count`, a power of two: products of roots, which are alike on all machines."""
    parts, root = np.ones(count), 2.0
    while count > 1:
        count //= 2
        root = math.sqrt(root)
        parts *= np.where(np.arange(len(parts)) & count, root, 1.0)
    return parts


_STEP_ZERO = 1 << (STEP_BITS - 1)
_PARTS = _parts_of_an_octave(STEPS_AN_OCTAVE)
_END_PARTS = 63
_OFFSETS = 3
_OFFSET_BITS = 6
_OFFSET_ZERO = 1 << (_OFFSET_BITS - 1)


def step_code(step: np.ndarray) -> np.ndarray:
    """Codes of the nearest steps, from a positive number of digital units."""
    codes = np.rint(STEPS_AN_OCTAVE * log2(step)) + _STEP_ZERO
    return np.clip(codes, 0, 2 * _STEP_ZERO - 1).astype(np.int64)


def step_size(codes: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """Steps in digital units."""
    octave, part = np.divmod(np.asarray(codes, np.int64) - _STEP_ZERO, STEPS_AN_OCTAVE)
    return np.ldexp(_PARTS[part], octave.astype(np.int32))


def analyse(samples: np.ndarray, blocks: int, cuts: np.ndarray | None = None) -> np.ndarray:
    """Coefficients [signals, blocks, bins] of samples [signals, n]; past the end the last value is held."""
    size = block_size(samples.shape[1], blocks)
    padded = np.pad(samples, ((0, 0), (0, blocks * size - samples.shape[1])), mode="edge")
    return lapped.forward(padded, size, cuts)


@dataclass(frozen=True)
class EncodedLayer:
    """A layer's stream, and what led to it.

    Parameters
    ----------
    stream : bytes
    samples : ndarray of float64, shape (members, n_samples)
        What :func:`decode_layer` makes of it.
    values, restored : ndarray of float64, shape (members, blocks, bins)
        Coefficients of the components in units of the step, and what their quantised values stand for.
    quantised : ndarray of int32, same shape
    costs : ndarray of float32, shape (3, members, blocks, bins)
        See :func:`~eegzip.formats.transform.coefficients.encode_coefficients`; empty where values were given.
    """

    stream: bytes
    samples: np.ndarray
    values: np.ndarray
    restored: np.ndarray
    quantised: np.ndarray
    costs: np.ndarray


def encode_layer(
    coefficients: np.ndarray, n_samples: int, form: Form, penalty: float, quantised: np.ndarray | None = None
) -> EncodedLayer:
    """Quantise and code a layer.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (members, blocks, bins)
        From :func:`analyse`, of the samples without their centres.
    n_samples : int
        In the chunk.
    form : Form
        Its `parts` are chosen here.
    penalty : float
        See :func:`~eegzip.formats.transform.coefficients.encode_coefficients`.
    quantised : ndarray of int32, shape (members, blocks, bins), optional
        Quantised values, where they are chosen already.
    """
    values = spatial.apply(coefficients / step_size(form.steps)[:, None, None], form.bands)
    members, _, bins = values.shape
    wanted = values if quantised is None else quantised.astype(np.float64)
    form = replace(form, parts=_end_parts(wanted))
    out = np.zeros(room(wanted) + room_for_form(form), np.uint8)
    state = new_encoder()
    put_form(state, out, form)
    costs = np.zeros((0 if quantised is not None else 3, *values.shape), np.float32)
    # Integers are their own best quantisation as long as bits don't count.
    quantised = encode_coefficients(
        wanted, _ends(form.parts, bins), penalty if quantised is None else 0.0, new_model(members), state, out, costs
    )
    # What a magnitude stands for is known only now, so it comes last.
    offsets = _offset_codes(values, quantised)
    for code in offsets:
        put_bits(state, out, code, _OFFSET_BITS)
    restored = _restored(quantised, offsets)
    samples = _synthesise(restored, form, n_samples)
    return EncodedLayer(out[: finish(state, out)].tobytes(), samples, values, restored, quantised, costs)


def decode_layer(data: bytes, signals: int, n_samples: int, *, first: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of :func:`encode_layer`.

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
    form = (take_first_form if first else take_form)(state, stream, signals, n_samples)
    members, bins = len(form.steps), block_size(n_samples, form.blocks)
    shape = (members, form.blocks, bins)
    model = new_model(members, first=first)
    quantised = decode_coefficients(shape, _ends(form.parts, bins), model, state, stream)
    offsets = [take_bits(state, stream, _OFFSET_BITS) for _ in range(_OFFSETS)]
    if state[PLACE] < len(stream):
        raise ContainerError("a layer is followed by bytes that belong to nothing.")
    return form.members, _synthesise(_restored(quantised, offsets), form, n_samples)


def _restored(quantised: np.ndarray, offsets: list[int]) -> np.ndarray:
    """What quantised values stand for, in steps."""
    size = np.abs(quantised)
    bias = np.array([0.0, *((code - _OFFSET_ZERO) / (2 * _OFFSET_ZERO) for code in offsets)])
    return np.sign(quantised) * (size + bias[np.minimum(size, _OFFSETS)])


def _synthesise(restored: np.ndarray, form: Form, n_samples: int) -> np.ndarray:
    coefficients = spatial.apply(restored, form.bands, back=True) * step_size(form.steps)[:, None, None]
    return lapped.inverse(coefficients, form.cuts)[:, :n_samples] + np.array(form.centres, np.float64)[:, None]


def _offset_codes(values: np.ndarray, quantised: np.ndarray) -> list[int]:
    """How much larger than 1, than 2, and than anything above the magnitudes quantised so are on average."""
    codes = []
    size = np.abs(quantised)
    for kind in range(1, _OFFSETS + 1):
        chosen = size == kind if kind < _OFFSETS else size >= kind
        excess = float((np.abs(values[chosen]) - size[chosen]).mean()) if chosen.any() else 0.0
        codes.append(int(np.clip(round(excess * 2 * _OFFSET_ZERO) + _OFFSET_ZERO, 0, 2 * _OFFSET_ZERO - 1)))
    return codes


def _end_parts(values: np.ndarray) -> tuple[int, ...]:
    """Up to where each component has anything to write, in 63rds of its bins."""
    bins = values.shape[2]
    loud = (np.abs(values) >= 0.5).any(axis=1)
    ends = np.where(loud.any(axis=1), bins - loud[:, ::-1].argmax(axis=1), 0)
    return tuple(int(part) for part in -(-ends * _END_PARTS // bins))


def _ends(parts: tuple[int, ...], bins: int) -> np.ndarray:
    return -(-np.array(parts, np.int64) * bins // _END_PARTS)
