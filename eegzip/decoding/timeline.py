"""Annotations and record onsets of a compressed recording, from its exact annotation signals alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from eegzip.decoding.losses import NO_LOSSES, Losses
from eegzip.decoding.memory import refuse_more_memory
from eegzip.formats.edf import EdfHeader, Timeline, assemble_records, scan_records
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.eegz.reader import EegzReader


def stored_timeline(reader: EegzReader, edf: EdfHeader, losses: Losses = NO_LOSSES) -> Timeline:
    """Read the annotation signals of an open file.

    Parameters
    ----------
    reader : EegzReader
    edf : EdfHeader
        The header that the file carries.
    losses : Losses
        What is left out.

    Returns
    -------
    Timeline
        Onsets of all data records, and the annotations in file order.

    Raises
    ------
    ContainerError
        A chunk is missing or damaged.
    OutOfMemoryError
        A chunk takes more memory than the reader may take.
    """
    header = reader.header
    reader.require_records()
    refuse_more_memory(reader)
    if not losses:
        reader.require_chunks(0, header.n_records)
    indices = text_signals(edf)
    # The same recording with nothing but its annotation signals: no other stream need be read.
    bare = replace(edf, signals=tuple(replace(edf.signals[i], index=place) for place, i in enumerate(indices)))

    def blocks() -> Iterator[np.ndarray]:
        for chunk in range(header.n_chunks):
            first, stop = header.records_of_chunk(chunk)
            lost = losses.among(indices, chunk)
            yield assemble_records(
                bare,
                {
                    place: np.zeros((stop - first, signal.samples_per_record), np.int32)
                    if index in lost
                    else reader.chunk_exact(chunk, index)
                    for place, (index, signal) in enumerate(zip(indices, bare.signals, strict=True))
                },
            )

    return scan_records(bare, blocks() if indices else iter(()), n_records=header.n_records)
