"""Exact signals of chunk after chunk, the next chunks being decoded meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.formats.parallel import begun_ahead
from eegzip.formats.predictive.chunk import ExactDecoder

_MAX_CHUNKS = 4
_MAX_BYTES, _BYTES_A_SAMPLE = 1 << 30, 24
"""Chunks under way at a time, and what they may take together, at so many bytes a sample; one may take more."""


def lossless_chunks(
    reader: EegzReader,
    chunks: Iterable[int],
    signals: Collection[int],
    lost: Callable[[int], Collection[int]] = lambda _: (),
) -> Iterator[dict[int, np.ndarray]]:
    """Decode exact signals of some chunks, on all cores.

    Parameters
    ----------
    reader : EegzReader
    chunks : iterable of int
    signals : collection of int
        Signals that are kept exactly.
    lost : callable
        ``lost(chunk)``: those of the signals that can't be read there. Their samples are 0.

    Yields
    ------
    dict of int to ndarray of int32, shape (records, samples_per_record)
        Of the next chunk, by signal; not to be written to.

    Raises
    ------
    ContainerError
        When the turn comes of a chunk that is missing or damaged.
    """
    if len(signals) == 0:
        yield from ({} for _ in chunks)
        return

    def begin(pool: ThreadPoolExecutor, chunk: int) -> Future[dict[int, np.ndarray]]:
        return _begin(reader, chunk, signals, frozenset(lost(chunk)), pool)

    header = reader.header
    records = min(header.chunk_records, header.n_records)
    taken = _BYTES_A_SAMPLE * records * sum(header.signals[signal].samples_per_record for signal in signals)
    most = max(1, min(_MAX_CHUNKS, _MAX_BYTES // max(taken, 1)))
    for decoded in begun_ahead(chunks, begin, most):
        yield decoded.result()


def _begin(
    reader: EegzReader, chunk: int, signals: Collection[int], lost: Collection[int], pool: ThreadPoolExecutor
) -> Future[dict[int, np.ndarray]]:
    """Read what a chunk needs, here, as a file is read by one thread at a time; decode it in another thread."""
    zeros = _zeros(reader, chunk, lost)
    signals = [signal for signal in signals if signal not in zeros]
    if not signals:
        return _done(zeros)
    decoder = reader.exact_decoder(chunk)
    try:
        for signal in signals:
            decoder.gather(signal)
    except ContainerError as error:
        failed: Future[dict[int, np.ndarray]] = Future()
        failed.set_exception(error)
        return failed
    return pool.submit(lambda: zeros | _decode(decoder, signals))


def _done(found: dict[int, np.ndarray]) -> Future[dict[int, np.ndarray]]:
    done: Future[dict[int, np.ndarray]] = Future()
    done.set_result(found)
    return done


def _decode(decoder: ExactDecoder, signals: Collection[int]) -> dict[int, np.ndarray]:
    return {signal: decoder.decode(signal) for signal in signals}


def _zeros(reader: EegzReader, chunk: int, signals: Collection[int]) -> dict[int, np.ndarray]:
    first, stop = reader.header.records_of_chunk(chunk)
    return {
        signal: np.zeros((stop - first, reader.header.signals[signal].samples_per_record), np.int32)
        for signal in signals
    }
