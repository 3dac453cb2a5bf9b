"""An EDF or BDF file on disk: data records in constant memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.counting import count_records
from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.edf.layout import FIXED_BYTES, MAX_HEADER_BYTES, candidate_layouts, check_magic
from eegzip.formats.edf.parsing import parse_header
from eegzip.formats.edf.samples import decode_signal
from eegzip.formats.errors import EdfError, UsageError

BLOCK_BYTES = 8 * 1024 * 1024
"""Of data records that are read at a time; stretches of a recording by which it is judged begin anew with each."""


class EdfFile:
    """An open EDF or BDF file; a context manager.

    One file position serves all reads, so threads need an `EdfFile` each.

    Attributes
    ----------
    path : pathlib.Path
        Where the file is.
    header : EdfHeader
        Its header.
    file_size : int
        Its size in bytes.
    n_records : int
        Number of data records (see `count_records`).
    deviations : tuple of Deviation
        Those of the header, then those of the file.
    """

    def __init__(self, path: Path, stream: BufferedReader, header: EdfHeader, file_size: int) -> None:
        self.path = path
        self.header = header
        self.file_size = file_size
        self._stream = stream
        self._status = self._status_now()
        self.n_records, found = count_records(header, file_size)
        self.deviations = (*header.deviations, *found)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> EdfFile:
        """Open a file and parse its header.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        EdfFile
            To be closed, or used in a ``with`` statement.

        Raises
        ------
        EdfError
            Where the file can't be opened or its header can't be read without guessing.
        """
        path = Path(path)
        try:
            # Looked at before it is opened: opening a pipe would wait for ever.
            stream = path.open("rb") if stat.S_ISREG(path.stat().st_mode) else None
        except OSError as error:
            raise EdfError(f"{path}: can't be opened ({error.strerror}); check the path and its permissions") from error
        except ValueError as error:
            raise EdfError(f"{str(path)!r}: is no file name ({error})") from error
        if stream is None:
            raise EdfError(f"{path}: is a directory or a device; name an EDF or BDF file")
        try:
            size = os.fstat(stream.fileno()).st_size
            start = stream.read(FIXED_BYTES)
            check_magic(start, str(path))
            longest = max(layout.header_bytes for layout in candidate_layouts(start, str(path)))
            data = start + stream.read(max(0, min(longest, size, MAX_HEADER_BYTES) - FIXED_BYTES))
            return cls(path, stream, parse_header(data, file_size=size, name=str(path)), size)
        except OSError as error:
            stream.close()
            raise EdfError(f"{path}: can't be read ({error.strerror})") from error
        except BaseException:
            stream.close()
            raise

    def __enter__(self) -> EdfFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    @property
    def data_offset(self) -> int:
        """Offset of the first data record in bytes."""
        return len(self.header.raw)

    @property
    def trailing_offset(self) -> int:
        """Offset of what follows the last data record, in bytes."""
        return self.data_offset + self.n_records * self.header.record_bytes

    @property
    def trailing_size(self) -> int:
        """Number of bytes after the last data record: a truncated record, or junk."""
        return self.file_size - self.trailing_offset

    def n_samples(self, index: int) -> int:
        """Return the number of samples of a signal in the whole file.

        Parameters
        ----------
        index : int
            Position of the signal.

        Returns
        -------
        int
            Records times samples per record.
        """
        return self.n_records * self.header.signals[index].samples_per_record

    def read_records(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Read whole data records, in one read.

        Parameters
        ----------
        start, stop : int
            First record, and the one after the last; 0 <= start <= stop <= `n_records`.

        Returns
        -------
        numpy.ndarray of uint8, shape (stop - start, record_bytes)
            Their bytes.

        Raises
        ------
        UsageError
            Where the range is not within the file.
        EdfError
            Where the file can't be read or has become shorter.
        """
        _check_range(start, stop, self.n_records, "records")
        block = np.empty((stop - start, self.header.record_bytes), dtype=np.uint8)
        self._read_into(block.reshape(-1).data, self.data_offset + start * self.header.record_bytes)
        return block

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Read data records in blocks of at most 8 MiB (or of one record, where that is larger).

        Parameters
        ----------
        start, stop : int, optional
            As in `read_records`; the whole file by default.

        Yields
        ------
        first : int
            Number of the first record of the block.
        block : numpy.ndarray of uint8, shape (n, record_bytes)
            The records.
        """
        stop = self.n_records if stop is None else stop
        step = max(1, BLOCK_BYTES // max(1, self.header.record_bytes))
        for first in range(start, stop, step):
            yield first, self.read_records(first, min(first + step, stop))

    def read_signal(self, index: int, start_sample: int, stop_sample: int) -> npt.NDArray[np.int32]:
        """Read a range of samples of one signal, in bounded memory beside the result.

        Parameters
        ----------
        index : int
            Position of the signal.
        start_sample, stop_sample : int
            First sample, and the one after the last, counted from the start of the file without its gaps;
            0 <= start_sample <= stop_sample <= ``n_samples(index)``.

        Returns
        -------
        numpy.ndarray of int32, shape (stop_sample - start_sample,)
            Digital values.

        Raises
        ------
        UsageError
            Where the signal or the range does not exist.
        EdfError
            Where the file can't be read.
        """
        if not 0 <= index < len(self.header.signals):
            raise UsageError(f"{self.path}: there is no signal {index}; there are {len(self.header.signals)}")
        _check_range(start_sample, stop_sample, self.n_samples(index), "samples")
        result = np.empty(stop_sample - start_sample, dtype=np.int32)
        if not result.size:
            return result
        per_record = self.header.signals[index].samples_per_record
        for first, block in self.blocks(start_sample // per_record, -(-stop_sample // per_record)):
            values = decode_signal(block, self.header, index).ravel()
            begin = first * per_record
            low, high = max(start_sample, begin), min(stop_sample, begin + values.size)
            result[low - start_sample : high - start_sample] = values[low - begin : high - begin]
        return result

    def digital(self, start: int, stop: int, signals: Sequence[int]) -> npt.NDArray[np.int32]:
        """Read whole data records of some signals that have the same number of samples a record.

        Parameters
        ----------
        start, stop : int
            As in `read_records`.
        signals : sequence of int
            Positions of at least one signal.

        Returns
        -------
        numpy.ndarray of int32, shape (signals, samples)
            Digital values.
        """
        block = self.read_records(start, stop)
        rows = np.empty((len(signals), len(block), self.header.signals[signals[0]].samples_per_record), np.int32)
        for row, index in zip(rows, signals, strict=True):
            row[:] = decode_signal(block, self.header, index)
        return rows.reshape(len(signals), -1)

    def spans(self) -> Iterator[tuple[int, int]]:
        """First record, and the one after the last, of each of the blocks of `blocks`."""
        step = max(1, BLOCK_BYTES // max(1, self.header.record_bytes))
        for first in range(0, self.n_records, step):
            yield first, min(first + step, self.n_records)

    def read_trailing(self, start: int = 0, stop: int | None = None) -> bytes:
        """Read what follows the last data record.

        Parameters
        ----------
        start, stop : int, optional
            Range of bytes within the trailing bytes; all of them by default. Where `trailing_size` is large,
            read it in pieces.

        Returns
        -------
        bytes
            The bytes.

        Raises
        ------
        UsageError
            Where the range is not within the trailing bytes.
        EdfError
            Where the file can't be read.
        """
        stop = self.trailing_size if stop is None else stop
        _check_range(start, stop, self.trailing_size, "trailing bytes")
        data = bytearray(stop - start)
        self._read_into(memoryview(data), self.trailing_offset + start)
        return bytes(data)

    def _status_now(self) -> tuple[int, int, int]:
        try:
            status = os.fstat(self._stream.fileno())
        except OSError as error:
            raise EdfError(f"{self.path}: can't be read ({error.strerror})") from error
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def refuse_changed(self) -> None:
        """Refuse a file that was written to since it was opened, as size and times say.

        Raises
        ------
        EdfError
            It was.
        """
        if self._status_now()[:2] != self._status[:2]:
            raise self.changed()

    def changed(self) -> EdfError:
        """The error to raise where the file is not what it was."""
        return EdfError(f"{self.path}: changed while it was read; try again when nobody writes to it")

    def _read_into(self, target: memoryview, offset: int) -> None:
        try:
            self._stream.seek(offset)
            done = 0
            while done < len(target):
                count = self._stream.readinto(target[done:])
                if not count:
                    raise EdfError(f"{self.path}: byte {offset + done}: the file became shorter while it was read")
                done += count
        except OSError as error:
            raise EdfError(f"{self.path}: byte {offset}: can't be read ({error.strerror})") from error


def _check_range(start: int, stop: int, size: int, what: str) -> None:
    if not 0 <= start <= stop <= size:
        raise UsageError(f"{what} {start} to {stop} are not within 0 to {size}")
