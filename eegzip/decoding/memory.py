"""Memory that decoding a file takes, reckoned from its header before any is taken."""

from __future__ import annotations

from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import OutOfMemoryError
from eegzip.formats.limits import DECODED_A_BYTE, DECODED_A_SIGNAL, DECODED_BYTES

_BYTES_A_SAMPLE = 24
"""Of a chunk at work: integers of all its signals, and floats of those in hand."""

_BYTES_A_TOKEN = 8

_BYTES_A_MODEL_SAMPLE = 3
"""Of a waveform at the rate of its model, which may be thousands of times its signal's. Little of it is held at a time,
but each sample takes as long as one of a signal."""

_BYTES_WITHIN_REACH = 16
"""Of a waveform's samples that it takes to bring one to its signal's rate."""

_REACH = 64
"""Samples of a signal, or of a waveform where that is slower, within reach of the resampling filter."""

_CODED_BYTES_A_SAMPLE = _BYTES_A_SAMPLE + 6
"""Of a signal that a model codes at the signal's own rate, its tokens and waveform included."""


def believable_records(signals: int, samples_per_record: int) -> int:
    """How many data records a chunk may hold and be restored without a word of its reader, however small the file is.

    Parameters
    ----------
    signals
        Of the recording.
    samples_per_record
        Of all signals together.
    """
    return _believed(signals) // (_CODED_BYTES_A_SAMPLE * max(samples_per_record, 1))


def _believed(signals: int) -> int:
    """Memory that a chunk of so many signals is believed to take, however small the file is."""
    return DECODED_BYTES + DECODED_A_SIGNAL * signals


def memory_of(reader: EegzReader) -> int:
    """Bytes that a chunk of a file takes to decode, about and at most; network and program apart."""
    header = reader.header
    records = min(header.chunk_records, header.n_records)
    samples = records * sum(signal.samples_per_record for signal in header.signals)
    tokens = waveforms = reach = 0
    for number, group in enumerate(header.groups):
        first, stop = header.grid(number).frames_of_records(0, records)
        tokens += (stop - first) * group.codebooks
        waveforms += (stop - first) * header.codecs[group.codec].hop * len(group.signals)
        reach = max(reach, _REACH * max(group.up, group.down) // group.down * len(group.signals))
    return (
        _BYTES_A_SAMPLE * samples
        + _BYTES_A_TOKEN * tokens
        + _BYTES_A_MODEL_SAMPLE * waveforms
        + _BYTES_WITHIN_REACH * reach
    )


def refuse_more_memory(reader: EegzReader) -> None:
    """Refuse a file whose chunks take more memory to decode than its reader may take (:attr:`EegzReader.max_memory`).

    Where nothing was said of that, it is more than a file of its size is believed to need: some hundred bytes can stand
    for gigabytes of a flat line, and then somebody made them to hurt.

    Raises
    ------
    OutOfMemoryError
        They do.
    """
    most, needed = reader.max_memory, memory_of(reader)
    if most is not None and needed > most:
        raise OutOfMemoryError(
            f"{reader.path}: a chunk of it takes about {needed / 1e6:.0f} MB of memory to decode, more than the "
            f"{most / 1e6:.0f} MB allowed; allow more with --max-memory (max_memory=)."
        )
    believed = max(_believed(len(reader.header.signals)), DECODED_A_BYTE * reader.size)
    if most is None and needed > believed:
        raise OutOfMemoryError(
            f"{reader.path}: a chunk of it takes about {needed / 1e6:.0f} MB of memory to decode, out of a file of "
            f"{reader.size / 1e6:.3g} MB, as no ordinary recording does; if you trust who made it, allow it with "
            "--max-memory (max_memory=)."
        )
