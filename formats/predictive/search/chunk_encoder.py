"""Codes all exact signals of a chunk on all cores: who predicts whom, from how many samples, and whether at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from eegzip.formats.parallel import cores
from eegzip.formats.predictive.chunk import PREDICTED_FROM_OTHERS
from eegzip.formats.predictive.fixed import encode_exact
from eegzip.formats.predictive.search.efforts import ORDINARY, Effort
from eegzip.formats.predictive.search.stream_encoder import Transformed, encode_predicted, transform

_MIN_SAMPLES = 64
_TRIVIAL_RATIO = 40
"""A signal that zstd makes this many times smaller is a trigger or the like: nothing is left to predict."""

_TRIED_PART = 4
_TRIED_SAMPLES = 4096
"""A shape is tried on a quarter of the chunk, and on so many samples at most."""
_MANY, _TRIED_SIGNALS = 64, 32
"""Where more than 64 signals have one length, shapes are tried on some 32; the others take what most of those take."""


class ExactEncoder:
    """Encoder of the exact signals of a file, chunk by chunk.

    Parameters
    ----------
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.
    predicted : collection of int
        Signals that may be predicted: not those that hold text.
    effort : Effort
        What it chooses from.
    """

    def __init__(self, width: int, predicted: Collection[int], effort: Effort = ORDINARY) -> None:
        self._width = width
        self._effort = effort
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
        if self._chunk % self._effort.again == 0:
            self._shape.clear()
            self._plain.clear()
        self._chunk += 1
        with ThreadPoolExecutor(cores()) as pool:
            coded = pool.map(lambda values: encode_exact(values, self._width), signals.values())
            streams = dict(zip(signals, coded, strict=True))
            by_length: dict[int, list[int]] = {}
            for signal, values in signals.items():
                worth = _TRIVIAL_RATIO * len(streams[signal]) > self._width * len(values)
                if worth and len(values) >= _MIN_SAMPLES and signal in self._predictable:
                    by_length.setdefault(len(values), []).append(signal)
            for members in by_length.values():
                rows = [signals[member] for member in members]
                # Here, as it needs numba, which takes a while to load.
                from eegzip.formats.predictive.search.references import choose_references

                chosen = choose_references(np.stack(rows), max(most for _, most in self._effort.shapes))
                references = {
                    member: [members[place] for place in row] for member, row in zip(members, chosen, strict=True)
                }
                for part in self._parts(members):
                    pairs = [(member, references[member]) for member in part]
                    found = pool.map(lambda pair: self._predicted(signals, *pair), pairs)
                    for member, stream in zip(part, found, strict=True):
                        streams[member] = min(streams[member], stream, key=len)
        return streams

    def _parts(self, members: Sequence[int]) -> Iterator[Sequence[int]]:
        """Yield signals of one length: all, or of many first those on which shapes are tried for the others."""
        if len(members) <= _MANY or all(member in self._shape for member in members):
            yield members
            return
        tried = members[:: -(-len(members) // _TRIED_SIGNALS)]
        yield tried
        usual = Counter(self._shape[member] for member in tried).most_common(1)[0][0]
        others = [member for member in members if member not in set(tried)]
        for member in others:
            self._shape.setdefault(member, usual)
        yield others

    def _predicted(self, signals: Mapping[int, np.ndarray], signal: int, references: list[int]) -> bytes:
        samples = transform(signals[signal], look=signal not in self._plain)
        if samples.plain:
            self._plain.add(signal)

        def code(number: int, upto: int | None = None) -> bytes:
            shape, most = self._effort.shapes[number]
            return encode_predicted(samples, {other: signals[other] for other in references[:most]}, shape, upto)

        numbers = [self._shape[signal]] if signal in self._shape else self._promising(samples, code)
        streams = [code(number) for number in numbers]
        stream = min(streams, key=len)
        self._shape[signal] = numbers[streams.index(stream)]
        return bytes([PREDICTED_FROM_OTHERS]) + stream

    def _promising(self, samples: Transformed, code: Callable[[int, int], bytes]) -> list[int]:
        """Numbers of the shapes that code a part of a signal best."""
        tried = min(len(samples.values) // _TRIED_PART, _TRIED_SAMPLES)
        sizes = [len(code(number, tried)) for number in range(len(self._effort.shapes))]
        return sorted(range(len(sizes)), key=sizes.__getitem__)[: self._effort.finalists]
