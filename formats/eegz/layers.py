"""Layers of a chunk: what is stored of signals whose error has a bound (SPEC.md, sections 6.5 and 6.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.errors import ContainerError

if TYPE_CHECKING:
    from eegzip.formats.eegz.reader import EegzReader


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


def chunk_layer(reader: EegzReader, chunk: int, number: int) -> dict[int, StoredLayer]:
    """Read the layer of a set in one chunk: the signals that it holds; none where the chunk has no such layer.

    Raises
    ------
    ContainerError
        The chunk is missing or damaged.
    """
    if not reader.has_stream(chunk, StreamKind.LAYER, number):
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
        members, samples = decode_layer(data[mask_bytes:], len(signals), n_samples)
        places = np.flatnonzero(members)
        return {
            signals[place]: StoredLayer(row, bool(on_tokens[place])) for place, row in zip(places, samples, strict=True)
        }

    return reader.decoded(chunk, StreamKind.LAYER, number, decode)
