"""Quantises and writes one layer, given everything that shapes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eegzip.formats.entropy.binary_coder import finish, new_encoder, put_bits
from eegzip.formats.fixed_order import log2
from eegzip.formats.transform import lapped, spatial
from eegzip.formats.transform.contexts import new_model
from eegzip.formats.transform.layer import (
    END_PARTS,
    OFFSET_BITS,
    OFFSET_ZERO,
    OFFSETS,
    STEP_ZERO,
    STEPS_AN_OCTAVE,
    ends_of,
    restored_values,
    step_size,
    synthesise,
)
from eegzip.formats.transform.layer_header import Form, block_size, put_form, room_for_form
from eegzip.formats.transform.search.quantiser import encode_coefficients, room


def step_code(step: np.ndarray) -> np.ndarray:
    """Codes of the nearest steps, from a positive number of digital units."""
    codes = np.rint(STEPS_AN_OCTAVE * log2(step)) + STEP_ZERO
    return np.clip(codes, 0, 2 * STEP_ZERO - 1).astype(np.int64)


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
        What :func:`~eegzip.formats.transform.layer.decode_layer` makes of it.
    values, restored : ndarray of float64, shape (members, blocks, bins)
        Coefficients of the components in units of the step, and what their quantised values stand for.
    quantised : ndarray of int32, same shape
    costs : ndarray of float32, shape (3, members, blocks, bins)
        See :func:`~eegzip.formats.transform.search.quantiser.encode_coefficients`; empty where values were given.
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
        See :func:`~eegzip.formats.transform.search.quantiser.encode_coefficients`.
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
        wanted, ends_of(form.parts, bins), penalty if quantised is None else 0.0, new_model(members), state, out, costs
    )
    # What a magnitude stands for is known only now, so it comes last.
    offsets = _offset_codes(values, quantised)
    for code in offsets:
        put_bits(state, out, code, OFFSET_BITS)
    restored = restored_values(quantised, offsets)
    samples = synthesise(restored, form, n_samples)
    return EncodedLayer(out[: finish(state, out)].tobytes(), samples, values, restored, quantised, costs)


def _offset_codes(values: np.ndarray, quantised: np.ndarray) -> list[int]:
    """How much larger than 1, than 2, and than anything above the magnitudes quantised so are on average."""
    codes = []
    size = np.abs(quantised)
    for kind in range(1, OFFSETS + 1):
        chosen = size == kind if kind < OFFSETS else size >= kind
        excess = float((np.abs(values[chosen]) - size[chosen]).mean()) if chosen.any() else 0.0
        codes.append(int(np.clip(round(excess * 2 * OFFSET_ZERO) + OFFSET_ZERO, 0, 2 * OFFSET_ZERO - 1)))
    return codes


def _end_parts(values: np.ndarray) -> tuple[int, ...]:
    """Up to where each component has anything to write, in 63rds of its bins."""
    bins = values.shape[2]
    loud = (np.abs(values) >= 0.5).any(axis=1)
    ends = np.where(loud.any(axis=1), bins - loud[:, ::-1].argmax(axis=1), 0)
    return tuple(int(part) for part in -(-ends * END_PARTS // bins))
