"""Codes all exact signals of a chunk block by block, on all cores: the fast levels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from eegzip.formats.parallel import cores
from eegzip.formats.predictive.block_shape import BlockShape
from eegzip.formats.predictive.chunk import BY_BLOCKS
from eegzip.formats.predictive.fixed import encode_exact
from eegzip.formats.predictive.search.efforts import BlockEffort
from eegzip.formats.predictive.search.known_grids import KnownGrids
from eegzip.formats.predictive.search.stream_encoder import Transformed, packed_references

_MIN_SAMPLES = 64
_LOOKED_AT = 4096
"""Samples of a chunk by which references are chosen."""
_TRIED_AGAIN = 16
"""Chunks after which an encoder looks anew for the best way to predict a signal."""
_TRIED_PART = 4
_FEW_BITS = 1.0
"""A sample: what costs less may be text, a trigger or at rest, and zstd better at it."""


class BlockEncoder:
    """Encoder of the exact signals of a file, chunk by chunk.

    Parameters
    ----------
    width : int
        Bytes a sample in the EDF (2) or BDF (3) file.
    predicted : collection of int
        Signals that may be predicted: not those that hold text.
    effort : BlockEffort
    """

    def __init__(self, width: int, predicted: Collection[int], effort: BlockEffort) -> None:
        self._width = width
        self._predictable = frozenset(predicted)
        self._effort = effort
        self._chunk = 0
        self._grids = KnownGrids()
        self._references: dict[int, list[int]] = {}
        self._shape: dict[int, int] = {}
        self._doubtful: set[int] = set()

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
            self._grids.forget()
            self._shape.clear()
            self._references.clear()
            self._doubtful.update(signals)
        self._chunk += 1
        self._choose_references(signals)
        with ThreadPoolExecutor(cores()) as pool:
            coded = pool.map(lambda signal: self._encode(signal, signals), signals)
            return dict(zip(signals, coded, strict=True))

    def _choose_references(self, signals: Mapping[int, np.ndarray]) -> None:
        by_length: dict[int, list[int]] = {}
        for signal, values in signals.items():
            if signal in self._predictable and len(values) >= _MIN_SAMPLES:
                by_length.setdefault(len(values), []).append(signal)
        for members in by_length.values():
            # A signal keeps its references: only then are there no circles.
            if all(member in self._references for member in members):
                continue
            # Here, as it needs numba, which takes a while to load.
            from eegzip.formats.predictive.search.references import choose_references

            part = np.stack([signals[member][:_LOOKED_AT] for member in members])
            chosen = choose_references(part, max(most for _, most in self._effort.shapes))
            for member, row in zip(members, chosen, strict=True):
                self._references[member] = [members[place] for place in row]

    def _encode(self, signal: int, signals: Mapping[int, np.ndarray]) -> bytes:
        values = signals[signal]
        stream = self._predicted(signal, signals) if signal in self._references else None
        if stream is None:
            return encode_exact(values, self._width)
        if signal in self._doubtful or 8 * len(stream) < _FEW_BITS * len(values):
            other = encode_exact(values, self._width)
            if len(other) <= len(stream):
                return other
            self._doubtful.discard(signal)
        return stream

    def _predicted(self, signal: int, signals: Mapping[int, np.ndarray]) -> bytes | None:
        samples = self._grids.transform(signal, signals[signal])
        references = self._references[signal]
        rows = [signals[other] if samples.times is None else signals[other][samples.times] for other in references]
        if signal not in self._shape:
            tried = min(len(samples.values) // _TRIED_PART, self._effort.tried)
            sizes = [
                len(_coded(samples, references, rows, shape, most, tried) or b"") for shape, most in self._effort.shapes
            ]
            self._shape[signal] = sizes.index(min(sizes))
        shape, most = self._effort.shapes[self._shape[signal]]
        return _coded(samples, references, rows, shape, most)


def _coded(
    samples: Transformed,
    references: Sequence[int],
    rows: Sequence[np.ndarray],
    shape: BlockShape,
    most: int,
    upto: int | None = None,
) -> bytes | None:
    """The stream of a signal, or of its first samples; ``None`` where its values are too far apart."""
    # Here, as it needs numba, which takes a while to load.
    from eegzip.formats.predictive.block_coder import encode_by_blocks

    coded = encode_by_blocks(samples.values[:upto], [row[:upto] for row in rows[:most]], shape)
    if coded is None:
        return None
    return bytes([BY_BLOCKS]) + packed_references(references[:most]) + samples.head + coded
