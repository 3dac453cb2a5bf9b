"""The free text of annotations removed or replaced by codes; their times, and those of the data records, stay."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.annotations import split_tal, text_signals
from eegzip.formats.edf.header import EdfHeader

_DIGITS = 12
"""Hexadecimal digits of a code, where there is room."""


class TextSurvey:
    """What the annotation signals of a recording hold, gathered block by block.

    Parameters
    ----------
    header : EdfHeader

    Attributes
    ----------
    counts : dict of bytes to int
        How often each text occurs, in the order of the recording.
    strange : int
        Lists that are none, so that nothing can be said of them.
    """

    def __init__(self, header: EdfHeader) -> None:
        self._header = header
        self.counts: dict[bytes, int] = {}
        self.strange = 0
        self._room = _DIGITS

    def add(self, block: npt.NDArray[np.uint8]) -> None:
        """Look at data records, shape (n, record_bytes)."""
        for index in text_signals(self._header):
            part = block[:, self._header.signal_slices[index]]
            for row in part[part.any(axis=1)]:
                self._add(row.tobytes())

    def _add(self, data: bytes) -> None:
        size = texts = 0
        for found in data.split(b"\0"):
            tal = split_tal(found)
            if tal is None:
                self.strange += bool(found)
                continue
            head, parts = tal
            size += len(head) + len(parts) + 2
            for text in filter(None, parts):
                self.counts[text] = self.counts.get(text, 0) + 1
                texts += 1
        if texts:
            self._room = min(self._room, (len(data) - size) // texts)

    def codes(self, key: bytes) -> dict[bytes, bytes] | None:
        """Return a code for each text, or None where the signals have no room for codes that differ.

        Parameters
        ----------
        key : bytes
            Of HMAC-SHA-256. Without it nobody can try which texts give these codes.
        """
        if self._room < 1:
            return {} if not self.counts else None
        codes = {text: hmac.new(key, text, hashlib.sha256).hexdigest()[: self._room].encode() for text in self.counts}
        return codes if len(set(codes.values())) == len(codes) else None


def rewrite_texts(
    block: npt.NDArray[np.uint8], header: EdfHeader, replace: Callable[[bytes], bytes]
) -> npt.NDArray[np.uint8]:
    """Replace the texts in data records.

    Parameters
    ----------
    block : numpy.ndarray of uint8, shape (n, record_bytes)
    header : EdfHeader
    replace : callable
        Gives the new text, at most as long as there is room; an empty one removes the annotation. Lists that are none
        are removed.

    Returns
    -------
    numpy.ndarray of uint8, shape (n, record_bytes)
    """
    block = block.copy()
    for index in text_signals(header):
        where = header.signal_slices[index]
        for row in block:
            data = row[where].tobytes()
            new = b"".join(_new_list(found, replace) for found in data.split(b"\0"))
            # What wasn't closed, in a signal full to the brim, stays so.
            row[where] = np.frombuffer(new.ljust(len(data), b"\0")[: len(data)], np.uint8)
    return block


def _new_list(data: bytes, replace: Callable[[bytes], bytes]) -> bytes:
    tal = split_tal(data)
    if tal is None:
        return b""
    head, parts = tal
    kept = [new for text in parts if text and (new := replace(text))]
    # An empty first text keeps the time of the data record (EDF+ section 2.2.4).
    if not parts[0]:
        kept.insert(0, b"")
    return head + b"\x14" + b"\x14".join(kept) + b"\x14\0" if kept else b""
