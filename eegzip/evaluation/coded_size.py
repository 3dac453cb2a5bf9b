"""Coded size of some signals: the bytes of a file that stand for them."""

from __future__ import annotations

from collections.abc import Iterable

from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader

# A gain of a KLT has few binary digits, so it takes about so much in the compressed header.
_GAIN_BYTES = 2


def coded_bytes(reader: EegzReader, signals: Iterable[int]) -> int:
    """Bytes that stand for `signals` and for nothing else in the recording.

    Counted are the payloads of all chunks - their directories with a checksum for each stream, and all their streams:
    tokens, scales, what else later versions add - without the streams in which other signals are kept exactly; and the
    rotations of KLTs, matrices and gains. Not counted is what else there is once a file whatever its length:
    headers, the EDF header in them, index, and summary.

    Parameters
    ----------
    reader : EegzReader
    signals : iterable of int
        All that are not kept exactly must be among them, as channels may share streams.
    """
    wanted = frozenset(signals)
    total = sum(len(klt.matrix) + _GAIN_BYTES * len(klt.gains) for klt in reader.header.klts)
    for chunk, place in reader.chunks.items():
        total += place.length
        for (kind, owner), entry in reader.directory(chunk).streams.items():
            if kind == StreamKind.EXACT and owner not in wanted:
                total -= entry.length
    return total
