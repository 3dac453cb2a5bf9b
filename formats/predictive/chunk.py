"""All exact signals of a chunk: which predicts which, and decoding of what one signal needs.

A predicted signal (methods 3 and 4 of SPEC.md, section 6.3) can be decoded when its references are; the signals of a
chunk form a graph without circles. A decoder takes them in turn, and several chunks side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.predictive.fixed import decode_exact
from eegzip.formats.predictive.stream import decode_predicted, is_flat, references_of
from eegzip.formats.references import resolve

PREDICTED_FROM_OTHERS, BY_BLOCKS = 3, 4
_PREDICTED = (bytes([PREDICTED_FROM_OTHERS]), bytes([BY_BLOCKS]))


class ExactDecoder:
    """Decoder of the exact signals of one chunk; it remembers what it decoded.

    Parameters
    ----------
    load : callable
        ``load(signal)``: the checked stream of an exact signal.
    shapes : mapping of int to (int, int)
        Data records in the chunk, and samples a record, of all exact signals.
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.
    sentence : callable
        Makes the error for a person out of what is wrong with a stream.
    """

    def __init__(
        self,
        load: Callable[[int], bytes],
        shapes: Mapping[int, tuple[int, int]],
        width: int,
        sentence: Callable[[ContainerError], ContainerError],
    ) -> None:
        self._load = load
        self._shapes = shapes
        self._width = width
        self._sentence = sentence
        self._streams: dict[int, bytes] = {}
        self._references: dict[int, list[int]] = {}
        self._done: dict[int, np.ndarray] = {}
        self._failed: dict[int, ContainerError] = {}

    def gather(self, signal: int) -> None:
        """Load the streams that a signal needs, so that :meth:`decode` reads nothing more.

        Raises
        ------
        ContainerError
            One is missing or damaged, or signals need each other in a circle.
        """
        streams: dict[int, bytes] = {}
        references: dict[int, list[int]] = {}
        gathered: set[int] = set()

        def load(member: int) -> list[int]:
            if member in self._failed:
                raise self._failed[member]
            streams[member] = self._load(member)
            references[member] = self._needed(member, streams[member])
            return references[member]

        try:
            resolve(
                signal, load, lambda member: member in gathered or member in self._streams, gathered.add, self._circle
            )
        except ContainerError as error:
            # Who asks for one signal after the other does not go down the same way each time.
            self._failed[signal] = error
            raise
        self._streams.update(streams)
        self._references.update(references)

    def _circle(self, signal: int) -> ContainerError:
        return self._sentence(ContainerError(f"exact signal {signal} is predicted from itself"))

    def _needed(self, signal: int, stream: bytes) -> list[int]:
        if stream[:1] not in _PREDICTED:
            return []
        try:
            needed = references_of(stream[1:])[0]
        except ContainerError as error:
            raise self._sentence(error) from error
        if any(self._shapes.get(other) != self._shapes[signal] for other in needed):
            raise self._sentence(ContainerError(f"exact signal {signal} is predicted from a signal of another kind"))
        return needed

    def decode(self, signal: int) -> np.ndarray:
        """Samples of a signal, int32, shape (records, samples a record); not to be written to.

        Raises
        ------
        ContainerError
            A stream that it needs is missing, damaged, or not what an encoder writes.
        """
        self.gather(signal)
        resolve(signal, self._references.__getitem__, self._done.__contains__, self._finish, self._circle)
        return self._done[signal]

    def _finish(self, signal: int) -> None:
        try:
            self._done[signal] = self._decode_one(signal)
        except ContainerError as error:
            raise self._sentence(error) from error

    def _decode_one(self, signal: int) -> np.ndarray:
        data, shape = self._streams[signal], self._shapes[signal]
        count = shape[0] * shape[1]
        if data[:1] not in _PREDICTED:
            values = decode_exact(data, count, self._width)
        else:
            references = [self._done[other].reshape(-1) for other in self._references[signal]]
            values = decode_predicted(data[1:], count, references, by_blocks=data[0] == BY_BLOCKS)
            limit = 1 << (8 * self._width - 1)
            if count and not (-limit <= int(values.min()) and int(values.max()) < limit):
                raise ContainerError("an exact signal leaves the range of its sample size.")
            flat = is_flat(values)
            values = np.broadcast_to(np.int32(values[0]), count) if flat else values.astype(np.int32)
        values = values.reshape(shape)
        values.setflags(write=False)
        return values
