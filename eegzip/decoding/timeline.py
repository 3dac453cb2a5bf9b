"""Annotations and record onsets of a compressed recording, from its exact annotation signals alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from eegzip.formats.edf import EdfHeader, Timeline, assemble_records, scan_records
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.eegz.reader import EegzReader


def stored_timeline(reader: EegzReader, edf: EdfHeader, lost: frozenset[int] = frozenset()) -> Timeline:
    """Read the annotation signals of an open file.

    Parameters
    ----------
    reader : EegzReader
    edf : EdfHeader
        The header that the file carries.
    lost : frozenset of int
        Chunks to be left out.

    Returns
    -------
    Timeline
        Onsets of all data records, and the annotations in file order.

    Raises
    ------
    ContainerError
        A chunk is missing or damaged.
    """
    header = reader.header
    reader.require_records()
    if not lost:
        reader.require_chunks(0, header.n_records)
    indices = text_signals(edf)
    # The same recording with nothing but its annotation signals: no other stream need be read.
    bare = replace(edf, signals=tuple(replace(edf.signals[i], index=place) for place, i in enumerate(indices)))

    def blocks() -> Iterator[np.ndarray]:
        for chunk in range(header.n_chunks):
            first, stop = header.records_of_chunk(chunk)
            if chunk in lost:
                yield np.zeros((stop - first, bare.record_bytes), np.uint8)
            else:
                yield assemble_records(
                    bare, {place: reader.chunk_exact(chunk, index) for place, index in enumerate(indices)}
                )

    return scan_records(bare, blocks() if indices else iter(()), n_records=header.n_records)
