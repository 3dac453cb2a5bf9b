"""Layers of a chunk: what is stored of signals whose error has a bound (SPEC.md, sections 6.5, 6.6 and 6.9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_varint, take_varint

if TYPE_CHECKING:
    from eegzip.formats.eegz.reader import EegzReader

MAX_STEP = 1 << 26
MAX_REFERENCES = 8


@dataclass
class LayeredChunk:
    """Streams that a writer puts into a chunk for its signals coded in layers.

    Parameters
    ----------
    layers : dict of int to (bytes, tuple of int)
        For each layer set that has a layer: the stream, and the signals that it holds.
    residuals, exact : dict of int to bytes
        Streams of single signals.
    """

    layers: dict[int, tuple[bytes, tuple[int, ...]]] = field(default_factory=dict)
    residuals: dict[int, bytes] = field(default_factory=dict)
    exact: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredLayer:
    """A layer's share in one signal of a chunk.

    Parameters
    ----------
    samples : ndarray of float64, shape (n,)
        In digital units.
    on_tokens : bool
        Whether the samples are added to the synthesis of the signal's tokens, or stand alone.
    """

    samples: np.ndarray
    on_tokens: bool


def pack_layer(stream: bytes, on_tokens: list[bool]) -> bytes:
    """Payload of a layer: which signals of the set build on tokens, as bits, and the transform coder's stream."""
    return np.packbits(np.array(on_tokens, bool)).tobytes() + stream


@dataclass(frozen=True)
class StoredResidual:
    """What restores one signal of a chunk to within a number of digital units.

    Parameters
    ----------
    step : int
        Digital units between the values that a sample may take; its error is at most ``step // 2``.
    references : tuple of int
        Places in the layer set of signals that must be restored first. They come before the signal.
    stream : bytes
    predicted : bool
        Whether the stream is one of the predictive coder, or corrections of what layer and tokens give.
    """

    step: int
    references: tuple[int, ...]
    stream: bytes
    predicted: bool

    def pack(self) -> bytes:
        """Payload of the stream."""
        out = bytearray([int(self.predicted)])
        put_varint(out, self.step)
        if self.predicted:
            put_varint(out, len(self.references))
            for place in self.references:
                put_varint(out, place)
        return bytes(out) + self.stream


def unpack_residual(data: bytes, place: int) -> StoredResidual:
    """Read a residual of the signal at a place of its layer set.

    Raises
    ------
    ContainerError
        Its method is unknown, or a reference does not come before the signal.
    """
    if not data or data[0] > 1:
        raise ContainerError("a residual is coded with a method that this version does not know.")
    step, position = take_varint(data, 1)
    if not 1 <= step <= MAX_STEP:
        raise ContainerError(f"a residual has a step of {step}.")
    references = []
    if data[0]:
        count, position = take_varint(data, position)
        if count > MAX_REFERENCES:
            raise ContainerError(f"a residual declares {count} references, more than can be.")
        for _ in range(count):
            reference, position = take_varint(data, position)
            references.append(reference)
        if any(reference >= place for reference in references):
            raise ContainerError("a residual has a reference that does not come before its signal.")
    return StoredResidual(step, tuple(references), data[position:], bool(data[0]))


def chunk_residual(reader: EegzReader, chunk: int, number: int, place: int) -> StoredResidual | None:
    """Read the residual of the signal at a place of a layer set in one chunk, ``None`` where there is none.

    Raises
    ------
    ContainerError
        The chunk is missing or damaged.
    """
    signal = reader.header.layer_sets[number].signals[place]
    if not reader.has_stream(chunk, StreamKind.RESIDUAL, signal):
        return None
    return reader.decoded(chunk, StreamKind.RESIDUAL, signal, lambda data: unpack_residual(data, place))


def chunk_layer(reader: EegzReader, chunk: int, number: int) -> dict[int, StoredLayer]:
    """Read the layer of a set in one chunk: the signals that it holds; none where the chunk has no such layer.

    The reader remembers what it decoded last, so samples can't be written to.

    Raises
    ------
    ContainerError
        The chunk is missing or damaged.
    """
    return reader.layers.get((chunk, number), lambda _: _decoded_layer(reader, chunk, number))


def _decoded_layer(reader: EegzReader, chunk: int, number: int) -> dict[int, StoredLayer]:
    kinds = (StreamKind.LAYER, StreamKind.FIRST_LAYER)
    kind = next((kind for kind in kinds if reader.has_stream(chunk, kind, number)), None)
    if kind is None:
        return {}
    header = reader.header
    signals = header.layer_sets[number].signals
    first, stop = header.records_of_chunk(chunk)
    n_samples = (stop - first) * header.signals[signals[0]].samples_per_record
    mask_bytes = -(-len(signals) // 8)

    def decode(data: bytes) -> dict[int, StoredLayer]:
        # Here, as it needs numba, which takes a while to load.
        from eegzip.formats.transform.layer import decode_layer

        if len(data) <= mask_bytes:
            raise ContainerError("a layer is too short to hold anything.")
        on_tokens = np.unpackbits(np.frombuffer(data[:mask_bytes], np.uint8), count=len(signals)).astype(bool)
        first_kind = kind is StreamKind.FIRST_LAYER
        members, samples = decode_layer(data[mask_bytes:], len(signals), n_samples, first=first_kind)
        samples.flags.writeable = False
        places = np.flatnonzero(members)
        return {
            signals[place]: StoredLayer(row, bool(on_tokens[place])) for place, row in zip(places, samples, strict=True)
        }

    return reader.decoded(chunk, kind, number, decode)
