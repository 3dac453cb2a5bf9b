"""From a chunk's layers back to digital values (SPEC.md, section 9)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.layers import StoredLayer, StoredResidual, chunk_layer, chunk_residual
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError


def to_digital(samples: np.ndarray, lowest: np.ndarray | int, highest: np.ndarray | int) -> np.ndarray:
    """Digital values of restored samples: rounded to even, clipped; int32."""
    return np.clip(np.rint(samples), lowest, highest).astype(np.int32)


def correct(values: np.ndarray, steps: np.ndarray, step: int, lowest: int, highest: int) -> np.ndarray:
    """Digital values moved by a number of steps each, and clipped; int32."""
    return np.clip(values + steps * step, lowest, highest).astype(np.int32)


class LayerReader:
    """Restores signals of one layer set in one chunk, each with what it needs of the others, once.

    Parameters
    ----------
    reader : EegzReader
    chunk, number : int
        The chunk and the layer set.
    tokens : dict of int to ndarray of float64, shape (n,)
        Synthesis of the tokens of signals, before rounding, where the chunk has tokens.

    Raises
    ------
    ContainerError
        The chunk is missing or damaged.
    """

    def __init__(self, reader: EegzReader, chunk: int, number: int, tokens: dict[int, np.ndarray]) -> None:
        self._reader, self._chunk, self._number, self._tokens = reader, chunk, number, tokens
        self._set = reader.header.layer_sets[number]
        self._layer: dict[int, StoredLayer] | None = None
        self._done: dict[int, np.ndarray] = {}
        # Places of signals that are the same integers on every machine.
        self._certain: set[int] = set()

    def restore(self, signals: Collection[int]) -> dict[int, np.ndarray]:
        """Digital values [n] of signals of the set.

        Raises
        ------
        ContainerError
            The chunk is damaged, or stores nothing of a signal.
        """
        return {index: self._restored(self._set.signals.index(index)) for index in signals}

    def _restored(self, place: int) -> np.ndarray:
        # References come before their signal, so this ends.
        if place not in self._done:
            self._done[place] = self._restore(place)
        return self._done[place]

    def _reference(self, place: int) -> np.ndarray:
        values = self._restored(place)
        if place not in self._certain:
            raise ContainerError(
                f"{self._reader.path}: chunk {self._chunk} predicts from a signal that may differ elsewhere."
            )
        return values

    def _restore(self, place: int) -> np.ndarray:
        reader, chunk, index = self._reader, self._chunk, self._set.signals[place]
        if reader.has_stream(chunk, StreamKind.EXACT, index):
            self._certain.add(place)
            return reader.chunk_exact(chunk, index).reshape(-1)
        residual = chunk_residual(reader, chunk, self._number, place)
        if residual is not None and residual.predicted:
            self._certain.add(place)
            return self._predicted(place, residual)
        low, high = self._set.lowest[place], self._set.highest[place]
        values = to_digital(self._samples(index), low, high)
        if residual is None:
            return values
        return reader.decoded(
            chunk,
            StreamKind.RESIDUAL,
            index,
            lambda _: correct(values, _corrections(residual, len(values)), residual.step, low, high),
        )

    def _predicted(self, place: int, residual: StoredResidual) -> np.ndarray:
        index, low, high = self._set.signals[place], self._set.lowest[place], self._set.highest[place]
        references = [self._reference(other) for other in residual.references]
        header = self._reader.header
        first, stop = header.records_of_chunk(self._chunk)
        count = (stop - first) * header.signals[index].samples_per_record

        def decode(_: bytes) -> np.ndarray:
            # Here, as it needs numba, which takes a while to load.
            from eegzip.formats.predictive.coder import decode_residual

            return np.clip(decode_residual(residual.stream, count, references, residual.step), low, high)

        return self._reader.decoded(self._chunk, StreamKind.RESIDUAL, index, decode)

    def _samples(self, index: int) -> np.ndarray:
        """What layer and tokens make of a signal, before rounding."""
        if self._layer is None:
            self._layer = chunk_layer(self._reader, self._chunk, self._number)
        layer, tokens = self._layer.get(index), self._tokens.get(index)
        if layer is not None and not layer.on_tokens:
            return layer.samples
        if tokens is not None:
            return tokens if layer is None else tokens + layer.samples
        label = self._reader.header.signals[index].label
        raise ContainerError(f"{self._reader.path}: chunk {self._chunk} does not store all of '{label}'.")


def _corrections(residual: StoredResidual, count: int) -> np.ndarray:
    from eegzip.formats.transform.corrections import decode_corrections

    return decode_corrections(residual.stream, count)
