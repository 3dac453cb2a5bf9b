"""From a chunk's layers back to digital values (SPEC.md, section 9)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.layers import chunk_layer
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError


def to_digital(samples: np.ndarray, lowest: np.ndarray | int, highest: np.ndarray | int) -> np.ndarray:
    """Digital values of restored samples: rounded to even, clipped; int32."""
    return np.clip(np.rint(samples), lowest, highest).astype(np.int32)


def restore_layers(reader: EegzReader, chunk: int, number: int, signals: Collection[int]) -> dict[int, np.ndarray]:
    """Restore signals of a layer set in one chunk.

    Parameters
    ----------
    reader : EegzReader
    chunk, number : int
        The chunk and the layer set.
    signals : collection of int
        Those wanted, all of the set.

    Returns
    -------
    dict of int to ndarray of int32, shape (records, samples_per_record)

    Raises
    ------
    ContainerError
        The chunk is missing or damaged, or stores nothing of a signal.
    """
    header = reader.header
    entry = header.layer_sets[number]
    first, stop = header.records_of_chunk(chunk)
    stored = chunk_layer(reader, chunk, number)
    restored = {}
    for index, low, high in zip(entry.signals, entry.lowest, entry.highest, strict=True):
        if index not in signals:
            continue
        if reader.has_stream(chunk, StreamKind.EXACT, index):
            restored[index] = reader.chunk_exact(chunk, index)
        elif index in stored:
            restored[index] = to_digital(stored[index].samples, low, high).reshape(stop - first, -1)
        else:
            raise ContainerError(f"{reader.path}: chunk {chunk} stores nothing of '{header.signals[index].label}'.")
    return restored
