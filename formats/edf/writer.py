"""Writes a recording back: header bytes, records, trailing bytes, in constant memory."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.edf.parsing import parse_header
from eegzip.formats.edf.samples import check_block
from eegzip.formats.errors import UsageError


class EdfWriter:
    """Writes one EDF or BDF file front to back.

    Parameters
    ----------
    stream : binary file object
        Receives the bytes. It stays open: who opened it closes it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._header: EdfHeader | None = None

    def write_header(self, raw: bytes) -> None:
        """Write the header verbatim, once, before anything else.

        Parameters
        ----------
        raw : bytes
            `EdfHeader.raw` of the original.

        Raises
        ------
        EdfError
            Where `raw` is not a whole header.
        OSError
            Where it can't be written; who opened the stream knows its name.
        """
        if self._header is not None:
            raise UsageError("the header is written already")
        header = parse_header(raw, name="the header to be written")
        if header.raw != raw:
            raise UsageError(f"the header has {len(header.raw)} bytes, but {len(raw)} were given")
        self._write(raw)
        self._header = header

    def write_records(self, block: npt.NDArray[np.uint8]) -> None:
        """Write data records.

        Parameters
        ----------
        block : numpy.ndarray of uint8, shape (n, record_bytes)
            The records.

        Raises
        ------
        UsageError
            Where there is no header yet or `block` does not match it.
        OSError
            Where they can't be written.
        """
        if self._header is None:
            raise UsageError("the header must be written before the data records")
        check_block(block, self._header)
        self._write(np.ascontiguousarray(block).reshape(-1).data)

    def write_trailing(self, data: bytes) -> None:
        """Write bytes that follow the last data record; may be called several times, after all records.

        Parameters
        ----------
        data : bytes
            The bytes.

        Raises
        ------
        UsageError
            Where there is no header yet.
        OSError
            Where they can't be written.
        """
        if self._header is None:
            raise UsageError("the header must be written before the trailing bytes")
        self._write(data)

    def _write(self, data: bytes | memoryview) -> None:
        self._stream.write(data)
