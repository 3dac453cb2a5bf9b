"""All exact signals of a chunk: which predicts which, coding on all cores, decoding of what one signal needs.

A predicted signal (method 3 of SPEC.md, section 6.3) can be decoded when its references are; the signals of a chunk
form a graph without circles. An encoder has them all and codes them side by side; a decoder takes them in turn, and
several chunks side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.predictive.fixed import decode_exact, encode_exact
from eegzip.formats.predictive.shape import Shape
from eegzip.formats.predictive.stream import decode_predicted, encode_predicted, references_of, transform

PREDICTED_FROM_OTHERS = 3

_LEAST_SAMPLES = 64
_HARDLY_ANY = 40
"""A signal that zstd makes this many times smaller is a trigger or the like: nothing is left to predict."""

# Shapes that an encoder chooses from, and how many references they take.
_SHAPES = (
    (Shape(16, 4, 4, 11, 16), 4),
    (Shape(16, 4, 4, 11, 6), 4),
    (Shape(16, 3, 3, 11, 14), 6),
    (Shape(24, 7, 7, 10, 2), 3),
    (Shape(32, 2, 2, 9, 4), 2),
)
_TRIED_PART = 4
_TRIED_SAMPLES = 4096
"""A shape is tried on a quarter of the chunk, and on so many samples at most."""
_TRIED_AGAIN = 16
"""Chunks after which an encoder looks anew for the best way to predict a signal."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ExactEncoder:
    """Encoder of the exact signals of a file, chunk by chunk.

    Parameters
    ----------
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.
    predicted : collection of int
        Signals that may be predicted: not those that hold text.
    """

    def __init__(self, width: int, predicted: Collection[int]) -> None:
        self._width = width
        self._predictable = frozenset(predicted)
        self._chunk = 0
        self._shape: dict[int, int] = {}
        self._plain: set[int] = set()

    def encode(self, signals: Mapping[int, np.ndarray]) -> dict[int, bytes]:
        """Code the signals of the next chunk.

        Parameters
        ----------
        signals : mapping of int to ndarray of int32, each of shape (n,)
            By number of the signal.

        Returns
        -------
        dict of int to bytes
            The stream of each.
        """
        if self._chunk % _TRIED_AGAIN == 0:
            self._shape.clear()
            self._plain.clear()
        self._chunk += 1
        with ThreadPoolExecutor(cores()) as pool:
            coded = pool.map(lambda values: encode_exact(values, self._width), signals.values())
            streams = dict(zip(signals, coded, strict=True))
            by_length: dict[int, list[int]] = {}
            for signal, values in signals.items():
                worth = _HARDLY_ANY * len(streams[signal]) > self._width * len(values)
                if worth and len(values) >= _LEAST_SAMPLES and signal in self._predictable:
                    by_length.setdefault(len(values), []).append(signal)
            for members in by_length.values():
                rows = [signals[member] for member in members]
                # Here, as it needs numba, which takes a while to load.
                from eegzip.formats.predictive.search.references import choose_references

                chosen = choose_references(np.stack(rows), max(most for _, most in _SHAPES))
                references = [[members[place] for place in row] for row in chosen]
                found = pool.map(lambda pair: self._predicted(signals, *pair), zip(members, references, strict=True))
                for member, stream in zip(members, found, strict=True):
                    streams[member] = min(streams[member], stream, key=len)
        return streams

    def _predicted(self, signals: Mapping[int, np.ndarray], signal: int, references: list[int]) -> bytes:
        samples = transform(signals[signal], look=signal not in self._plain)
        if samples.plain:
            self._plain.add(signal)

        def code(number: int, upto: int | None = None) -> bytes:
            shape, most = _SHAPES[number]
            return encode_predicted(samples, {other: signals[other] for other in references[:most]}, shape, upto)

        if signal not in self._shape:
            tried = min(len(samples.values) // _TRIED_PART, _TRIED_SAMPLES)
            self._shape[signal] = min(range(len(_SHAPES)), key=lambda number: len(code(number, tried)))
        return bytes([PREDICTED_FROM_OTHERS]) + code(self._shape[signal])


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

    def gather(self, signal: int) -> None:
        """Load the streams that a signal needs, so that :meth:`decode` reads nothing more.

        Raises
        ------
        ContainerError
            One is missing or damaged, or signals need each other in a circle.
        """
        streams: dict[int, bytes] = {}
        references: dict[int, list[int]] = {}
        # Each signal is put on the pile a second time, to be closed once everything it needs is.
        pile, under_way = [(signal, False)], set[int]()
        while pile:
            member, closing = pile.pop()
            if closing:
                under_way.discard(member)
                continue
            if member in under_way:
                raise self._sentence(ContainerError(f"exact signal {member} is predicted from itself"))
            if member in streams or member in self._streams:
                continue
            streams[member] = self._load(member)
            references[member] = self._needed(member, streams[member])
            under_way.add(member)
            pile.append((member, True))
            pile += [(other, False) for other in references[member]]
        self._streams.update(streams)
        self._references.update(references)

    def _needed(self, signal: int, stream: bytes) -> list[int]:
        if stream[:1] != bytes([PREDICTED_FROM_OTHERS]):
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
        pile = [signal]
        while pile:
            member = pile[-1]
            missing = [other for other in self._references[member] if other not in self._done]
            if missing:
                pile += missing
                continue
            pile.pop()
            if member not in self._done:
                try:
                    self._done[member] = self._decode_one(member)
                except ContainerError as error:
                    raise self._sentence(error) from error
        return self._done[signal]

    def _decode_one(self, signal: int) -> np.ndarray:
        data, shape = self._streams[signal], self._shapes[signal]
        count = shape[0] * shape[1]
        if data[:1] != bytes([PREDICTED_FROM_OTHERS]):
            values = decode_exact(data, count, self._width)
        else:
            references = [self._done[other].reshape(-1) for other in self._references[signal]]
            values = decode_predicted(data[1:], count, references)
            limit = 1 << (8 * self._width - 1)
            if count and not (-limit <= int(values.min()) and int(values.max()) < limit):
                raise ContainerError("an exact signal leaves the range of its sample size.")
            values = values.astype(np.int32)
        values = values.reshape(shape)
        values.setflags(write=False)
        return values
