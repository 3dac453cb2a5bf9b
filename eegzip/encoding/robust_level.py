"""The level of signals whose model takes each at one scale of its own: a pass over the recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eegzip.codecs.signal.scaling import RobustLevel
from eegzip.codecs.stream_batch import DigitalSource
from eegzip.encoding.options import CodecChoice
from eegzip.encoding.statistics import stretches_of


def robust_levels(source: DigitalSource, signals: Sequence[int], codec: CodecChoice) -> dict[int, RobustLevel]:
    """Measure signals of a recording.

    Parameters
    ----------
    source : DigitalSource
        What is coded.
    signals : sequence of int
    codec : CodecChoice

    Returns
    -------
    dict
        The level of each signal, in its digital units; none where the codec asks for none.
    """
    if not codec.robust:
        return {}
    return {index: RobustLevel.of(_stretches(source, index)) for index in signals}


def _stretches(source: DigitalSource, signal: int) -> Iterator[np.ndarray]:
    """Some seconds of a signal after another."""
    for first, stop in source.spans():
        (row,) = source.digital(first, stop, (signal,))
        yield from stretches_of(source.header, row.reshape(stop - first, -1))
