"""One layer: the signals of a set in one chunk as a stream (SPEC.md, section 6.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eegzip.formats.entropy.binary_coder import PLACE, finish, new_decoder, new_encoder
from eegzip.formats.errors import ContainerError
from eegzip.formats.transform import lapped, spatial
from eegzip.formats.transform.coefficients import (
    decode_coefficients,
    encode_coefficients,
    put_bits,
    room,
    take_bits,
)
from eegzip.formats.transform.contexts import new_model
from eegzip.formats.transform.spatial import Band

MAX_SIGNALS = 64
"""Signals of a set."""

STEPS_AN_OCTAVE = 128
_STEP_BITS = 14
_STEP_ZERO = 1 << (_STEP_BITS - 1)
_END_PARTS = 63
_PART_BITS = 6
_COLUMN_BITS = 7
_OFFSETS = 3
_OFFSET_BITS = 6
_OFFSET_ZERO = 1 << (_OFFSET_BITS - 1)
_HEAD_BYTES = 1 << 12


@dataclass(frozen=True)
class Form:
    """Everything that shapes a layer but its coefficients.

    Parameters
    ----------
    members : ndarray of bool, shape (signals of the set,)
        Which signals the layer holds.
    blocks : int
        Blocks that the chunk is cut into.
    centres : tuple of int
        Subtracted from each member's samples.
    steps : tuple of int
        Code of each member's quantiser step: the step is 2**(code / 128 - 64) digital units.
    bands : list of Band
    """

    members: np.ndarray
    blocks: int
    centres: tuple[int, ...]
    steps: tuple[int, ...]
    bands: list[Band]


def block_size(n_samples: int, blocks: int) -> int:
    """Samples a block: even, and as many as the chunk needs."""
    size = -(-n_samples // blocks)
    return size + (size & 1)


def step_code(step: np.ndarray) -> np.ndarray:
    """Codes of the nearest steps, from a positive number of digital units."""
    codes = np.rint(STEPS_AN_OCTAVE * np.log2(step)) + _STEP_ZERO
    return np.clip(codes, 0, 2 * _STEP_ZERO - 1).astype(np.int64)


def step_size(codes: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """Steps in digital units."""
    return np.exp2((np.asarray(codes, np.float64) - _STEP_ZERO) / STEPS_AN_OCTAVE)


def analyse(samples: np.ndarray, blocks: int) -> np.ndarray:
    """Coefficients [signals, blocks, bins] of samples [signals, n]; past the end the last value is held."""
    size = block_size(samples.shape[1], blocks)
    padded = np.pad(samples, ((0, 0), (0, blocks * size - samples.shape[1])), mode="edge")
    return lapped.forward(padded, size)


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
    """

    stream: bytes
    samples: np.ndarray
    values: np.ndarray
    restored: np.ndarray
    quantised: np.ndarray


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
    penalty : float
        See :func:`~eegzip.formats.transform.coefficients.encode_coefficients`.
    quantised : ndarray of int32, shape (members, blocks, bins), optional
        Quantised values, where they are chosen already.
    """
    values = spatial.apply(coefficients / step_size(form.steps)[:, None, None], form.bands)
    members, _, bins = values.shape
    wanted = values if quantised is None else quantised.astype(np.float64)
    parts = _end_parts(wanted)
    out = np.zeros(room(wanted) + _head_room(form), np.uint8)
    state = new_encoder()
    _put_form(state, out, form, parts)
    # Integers are their own best quantisation as long as bits don't count.
    quantised = encode_coefficients(
        wanted, _ends(parts, bins), penalty if quantised is None else 0.0, new_model(members), state, out
    )
    # What a magnitude stands for is known only now, so it comes last.
    offsets = _offset_codes(values, quantised)
    for code in offsets:
        put_bits(state, out, code, _OFFSET_BITS)
    restored = _restored(quantised, offsets)
    samples = _synthesise(restored, form, n_samples)
    return EncodedLayer(out[: finish(state, out)].tobytes(), samples, values, restored, quantised)


def decode_layer(data: bytes, signals: int, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of :func:`encode_layer`.

    Parameters
    ----------
    data : bytes
    signals : int
        Of the set.
    n_samples : int
        In the chunk, at least 1.

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
    form, parts = _take_form(state, stream, signals, n_samples)
    members, bins = len(form.steps), block_size(n_samples, form.blocks)
    shape = (members, form.blocks, bins)
    quantised = decode_coefficients(shape, _ends(parts, bins), new_model(members), state, stream)
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
    return lapped.inverse(coefficients)[:, :n_samples] + np.array(form.centres, np.float64)[:, None]


def _offset_codes(values: np.ndarray, quantised: np.ndarray) -> list[int]:
    """How much larger than 1, than 2, and than anything above the magnitudes quantised so are on average."""
    codes = []
    size = np.abs(quantised)
    for kind in range(1, _OFFSETS + 1):
        chosen = size == kind if kind < _OFFSETS else size >= kind
        excess = float((np.abs(values[chosen]) - size[chosen]).mean()) if chosen.any() else 0.0
        codes.append(int(np.clip(round(excess * 2 * _OFFSET_ZERO) + _OFFSET_ZERO, 0, 2 * _OFFSET_ZERO - 1)))
    return codes


def _end_parts(values: np.ndarray) -> list[int]:
    """Up to where each component has anything to write, in 63rds of its bins."""
    bins = values.shape[2]
    loud = (np.abs(values) >= 0.5).any(axis=1)
    ends = np.where(loud.any(axis=1), bins - loud[:, ::-1].argmax(axis=1), 0)
    return [int(part) for part in -(-ends * _END_PARTS // bins)]


def _ends(parts: list[int], bins: int) -> np.ndarray:
    return -(-np.array(parts, np.int64) * bins // _END_PARTS)


def _put_number(state: np.ndarray, out: np.ndarray, value: int) -> None:
    """An unsigned integer below 2**31: its number of binary digits in 5 bits, then the digits."""
    put_bits(state, out, value.bit_length(), 5)
    put_bits(state, out, value, value.bit_length())


def _take_number(state: np.ndarray, stream: np.ndarray) -> int:
    return int(take_bits(state, stream, take_bits(state, stream, 5)))


def _head_room(form: Form) -> int:
    angles = sum(spatial.MAX_WIDTH * codes.size for band in form.bands for codes in band.angles)
    return _HEAD_BYTES + 64 * len(form.members) + 64 * len(form.bands) + angles


def _put_form(state: np.ndarray, out: np.ndarray, form: Form, parts: list[int]) -> None:
    for member in form.members:
        put_bits(state, out, int(member), 1)
    _put_number(state, out, form.blocks)
    least = min(form.steps)
    width = (max(form.steps) - least).bit_length()
    put_bits(state, out, least, _STEP_BITS)
    put_bits(state, out, width, 4)
    for centre, step, part in zip(form.centres, form.steps, parts, strict=True):
        _put_number(state, out, 2 * centre if centre >= 0 else -2 * centre - 1)
        put_bits(state, out, step - least, width)
        put_bits(state, out, part, _PART_BITS)
    begin = 0
    for band in form.bands:
        _put_number(state, out, band.stop - begin)
        put_bits(state, out, len(band.widths), _COLUMN_BITS)
        for bits, codes in zip(band.widths, band.angles, strict=True):
            put_bits(state, out, bits, spatial.WIDTH_BITS)
            for code in codes:
                put_bits(state, out, int(code) + (1 << (bits - 1)), bits)
        begin = band.stop


def _take_form(state: np.ndarray, stream: np.ndarray, signals: int, n_samples: int) -> tuple[Form, list[int]]:
    members = np.array([take_bits(state, stream, 1) for _ in range(signals)], bool)
    count = int(members.sum())
    blocks = _take_number(state, stream)
    if not count or not 1 <= blocks <= max(1, n_samples // 2):
        raise ContainerError("a layer holds no signals, or has blocks that its chunk can't be cut into.")
    least, width = take_bits(state, stream, _STEP_BITS), take_bits(state, stream, 4)
    centres, steps, parts = [], [], []
    for _ in range(count):
        number = _take_number(state, stream)
        centres.append(-(number + 1) // 2 if number & 1 else number // 2)
        steps.append(int(least + take_bits(state, stream, width)))
        parts.append(int(take_bits(state, stream, _PART_BITS)))
    if max(steps) >> _STEP_BITS:
        raise ContainerError("a layer has a quantiser step beyond measure.")
    bins = block_size(n_samples, blocks)
    bands: list[Band] = []
    begin = 0
    while begin < bins:
        stop = begin + _take_number(state, stream)
        columns = int(take_bits(state, stream, _COLUMN_BITS))
        if not begin < stop <= bins or columns > count:
            raise ContainerError("a layer has a band that does not fit its bins or signals.")
        bands.append(_take_band(state, stream, stop, columns, count))
        begin = stop
    return Form(members, blocks, tuple(centres), tuple(steps), bands), parts


def _take_band(state: np.ndarray, stream: np.ndarray, stop: int, columns: int, count: int) -> Band:
    widths, angles = [], []
    for column in range(columns):
        width = int(take_bits(state, stream, spatial.WIDTH_BITS))
        if not width:
            raise ContainerError("a layer has a rotation without angles.")
        half = 1 << (width - 1)
        codes = [take_bits(state, stream, width) - half for _ in range(count - 1 - column)]
        widths.append(width)
        angles.append(np.array(codes, np.int64))
    return Band(stop, tuple(widths), tuple(angles))
