"""Digital samples in and out of data records: 16-bit (EDF) or 24-bit (BDF) little-endian two's complement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.errors import UsageError


def decode_signal(block: npt.NDArray[np.uint8], header: EdfHeader, index: int) -> npt.NDArray[np.int32]:
    """Take the samples of one signal out of data records.

    Parameters
    ----------
    block : numpy.ndarray of uint8, shape (n_records, record_bytes)
        Whole data records, as `EdfFile.read_records` gives them.
    header : EdfHeader
        The header of the file.
    index : int
        Position of the signal.

    Returns
    -------
    numpy.ndarray of int32, shape (n_records, samples_per_record)
        Digital values. For an annotation signal these are its bytes taken as integers.
    """
    check_block(block, header)
    raw = np.ascontiguousarray(block[:, header.signal_slices[index]])
    if header.is_bdf:
        triples = raw.reshape(len(block), header.signals[index].samples_per_record, 3)
        high = triples[:, :, 2].view(np.int8).astype(np.int32) << 16
        return high | triples[:, :, 1].astype(np.int32) << 8 | triples[:, :, 0]
    return raw.view("<i2").astype(np.int32)


def encode_signal(values: npt.ArrayLike, sample_bytes: int) -> npt.NDArray[np.uint8]:
    """Turn digital values into bytes; the inverse of `decode_signal`.

    Parameters
    ----------
    values : array_like of int, shape (..., n)
        Digital values.
    sample_bytes : int
        2 (EDF) or 3 (BDF).

    Returns
    -------
    numpy.ndarray of uint8, shape (..., n * sample_bytes)
        The bytes.

    Raises
    ------
    UsageError
        Where `values` are not integers or do not fit.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim == 0:
        raise UsageError(f"digital samples must be an array of integers, not {array.dtype} {array.shape}")
    limit = 1 << (8 * sample_bytes - 1)
    if array.size and (int(array.min()) < -limit or int(array.max()) >= limit):
        raise UsageError(f"digital samples from {array.min()} to {array.max()} do not fit into {8 * sample_bytes} bits")
    if sample_bytes == 2:
        return np.ascontiguousarray(array, dtype="<i2").view(np.uint8)
    words = np.ascontiguousarray(array, dtype="<i4").view(np.uint8).reshape(*array.shape, 4)
    return words[..., :sample_bytes].reshape(*array.shape[:-1], array.shape[-1] * sample_bytes)


def assemble_records(header: EdfHeader, signals: Mapping[int, npt.NDArray[np.integer]]) -> npt.NDArray[np.uint8]:
    """Build data records from the samples of all signals.

    Parameters
    ----------
    header : EdfHeader
        The header of the file.
    signals : mapping of int to numpy.ndarray of int, shape (n_records, samples_per_record)
        Digital values of every signal that has samples, by position.

    Returns
    -------
    numpy.ndarray of uint8, shape (n_records, record_bytes)
        The records.

    Raises
    ------
    UsageError
        Where a signal is missing, has the wrong shape, or holds values that do not fit.
    """
    lengths = {len(values) for values in signals.values()}
    if len(lengths) > 1:
        raise UsageError(f"signals of {sorted(lengths)} records can't share a file")
    block = np.empty((lengths.pop() if lengths else 0, header.record_bytes), dtype=np.uint8)
    for signal, where in zip(header.signals, header.signal_slices, strict=True):
        if signal.index not in signals:
            if signal.samples_per_record:
                raise UsageError(f"signal {signal.index} ({signal.label!r}) is missing")
            continue
        values = signals[signal.index]
        if values.shape != (len(block), signal.samples_per_record):
            raise UsageError(
                f"signal {signal.index} ({signal.label!r}) has shape {values.shape} "
                f"instead of {(len(block), signal.samples_per_record)}"
            )
        block[:, where] = encode_signal(values, header.sample_bytes)
    return block


def check_block(block: npt.NDArray[np.uint8], header: EdfHeader) -> None:
    """Make sure that an array holds data records of a header.

    Parameters
    ----------
    block : numpy.ndarray
        Should be uint8 of shape (n_records, record_bytes).
    header : EdfHeader
        The header.

    Raises
    ------
    UsageError
        Where it is not.
    """
    if block.dtype != np.uint8 or block.ndim != 2 or block.shape[1] != header.record_bytes:
        raise UsageError(
            f"data records must be uint8 of shape (n, {header.record_bytes}), not {block.dtype} {block.shape}"
        )
