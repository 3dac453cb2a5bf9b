"""Quantises and writes one layer, given everything that shapes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eegzip.formats.entropy.binary_coder import finish, new_encoder, put_bits
from eegzip.formats.fixed_order import log2
from eegzip.formats.transform import lapped, spatial
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
from eegzip.formats.transform.layer_header import LayerHeader, block_size, put_layer_header, room_for_layer_header
from eegzip.formats.transform.model import new_model
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
class QuantisedLayer:
    """A layer whose quantised values are chosen.

    Parameters
    ----------
    samples : ndarray of float64, shape (members, n_samples)
        What :func:`~eegzip.formats.transform.layer.decode_layer` makes of it.
    values, restored : ndarray of float64, shape (members, blocks, bins)
        Coefficients of the components in units of the step, and what their quantised values stand for.
    quantised : ndarray of int32, same shape
    offsets : tuple of int
        Codes of what magnitudes stand for.
    """

    samples: np.ndarray
    values: np.ndarray
    restored: np.ndarray
    quantised: np.ndarray
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class EncodedLayer(QuantisedLayer):
    """A layer with the values that were chosen while it was written.

    Parameters
    ----------
    stream : bytes
    costs : ndarray of float32, shape (3, members, blocks, bins)
        See :func:`~eegzip.formats.transform.search.quantiser.encode_coefficients`.
    """

    stream: bytes
    costs: np.ndarray


def encode_layer(coefficients: np.ndarray, n_samples: int, header: LayerHeader, penalty: float) -> EncodedLayer:
    """Quantise and code a layer.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (members, blocks, bins)
        From :func:`analyse`, of the samples without their centres.
    n_samples : int
        In the chunk.
    header : LayerHeader
        Its `parts` are chosen here.
    penalty : float
        See :func:`~eegzip.formats.transform.search.quantiser.encode_coefficients`.
    """
    values = spatial.apply(coefficients / step_size(header.steps)[:, None, None], header.bands)
    costs = np.zeros((3, *values.shape), np.float32)
    # What a magnitude stands for is known only when all are chosen, so it comes last.
    begun = _begun(values, header, penalty, costs)
    layer = quantised_layer(values, begun.quantised, n_samples, header)
    return EncodedLayer(**vars(layer), stream=begun.finish(layer.offsets), costs=costs)


def quantised_layer(values: np.ndarray, quantised: np.ndarray, n_samples: int, header: LayerHeader) -> QuantisedLayer:
    """What values [members, blocks, bins], in steps, give when they are quantised so; nothing is written."""
    offsets = _offset_codes(values, quantised)
    samples = synthesise(quantised, offsets, header, n_samples)
    return QuantisedLayer(samples, values, restored_values(quantised, offsets), quantised, tuple(offsets))


def written_layer(layer: QuantisedLayer, header: LayerHeader) -> bytes:
    """Code a layer as it is: the stream."""
    wanted = layer.quantised.astype(np.float64)
    # Integers are their own best quantisation as long as bits don't count.
    return _begun(wanted, header, 0.0, np.zeros((0, *wanted.shape), np.float32)).finish(layer.offsets)


@dataclass(frozen=True)
class _Begun:
    """A stream that lacks its offsets."""

    quantised: np.ndarray
    state: np.ndarray
    out: np.ndarray

    def finish(self, offsets: tuple[int, ...]) -> bytes:
        for code in offsets:
            put_bits(self.state, self.out, code, OFFSET_BITS)
        return self.out[: finish(self.state, self.out)].tobytes()


def _begun(wanted: np.ndarray, header: LayerHeader, penalty: float, costs: np.ndarray) -> _Begun:
    members, _, bins = wanted.shape
    header = replace(header, parts=_end_parts(wanted))
    out = np.zeros(room(wanted) + room_for_layer_header(header), np.uint8)
    state = new_encoder()
    put_layer_header(state, out, header)
    quantised = encode_coefficients(wanted, ends_of(header.parts, bins), penalty, new_model(members), state, out, costs)
    return _Begun(quantised, state, out)


def _offset_codes(values: np.ndarray, quantised: np.ndarray) -> list[int]:
    """How much larger than 1, than 2, and than anything above the magnitudes quantised so are on average."""
    codes = []
    # Most are 0.
    places = np.flatnonzero(quantised)
    size = np.abs(quantised.reshape(-1)[places])
    beyond = np.abs(values.reshape(-1)[places]) - size
    for kind in range(1, OFFSETS + 1):
        chosen = size == kind if kind < OFFSETS else size >= kind
        excess = float(beyond[chosen].mean()) if chosen.any() else 0.0
        codes.append(int(np.clip(round(excess * 2 * OFFSET_ZERO) + OFFSET_ZERO, 0, 2 * OFFSET_ZERO - 1)))
    return codes


def _end_parts(values: np.ndarray) -> tuple[int, ...]:
    """Up to where each component has anything to write, in 63rds of its bins."""
    bins = values.shape[2]
    loud = (np.abs(values) >= 0.5).any(axis=1)
    ends = np.where(loud.any(axis=1), bins - loud[:, ::-1].argmax(axis=1), 0)
    return tuple(int(part) for part in -(-ends * END_PARTS // bins))
