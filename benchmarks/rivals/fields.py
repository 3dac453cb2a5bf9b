"""Numbers at the head of a rival's stream."""

from __future__ import annotations

import struct


class Writer:
    """Collects fields, then gives their bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def unsigned(self, value: int) -> None:
        """Write a number >= 0, 7 bits a byte."""
        while value >= 128:
            self._bytes.append(value & 127 | 128)
            value >>= 7
        self._bytes.append(value)

    def signed(self, value: int) -> None:
        """Write a number, small magnitudes in few bytes."""
        self.unsigned(2 * value if value >= 0 else -2 * value - 1)

    def real(self, value: float) -> None:
        """Write a number as a 32-bit float."""
        self._bytes += struct.pack("<f", value)

    def block(self, data: bytes) -> None:
        """Write bytes after their number."""
        self.unsigned(len(data))
        self._bytes += data

    def data(self) -> bytes:
        """All bytes so far."""
        return bytes(self._bytes)


class Reader:
    """Reads fields in the order in which they were written."""

    def __init__(self, data: bytes) -> None:
        self._bytes = data
        self._place = 0

    def unsigned(self) -> int:
        """See :class:`Writer`, as all methods."""
        value = shift = 0
        while True:
            byte = self._bytes[self._place]
            self._place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed(self) -> int:
        number = self.unsigned()
        return -(number + 1) // 2 if number & 1 else number // 2

    def real(self) -> float:
        self._place += 4
        return float(struct.unpack_from("<f", self._bytes, self._place - 4)[0])

    def block(self) -> bytes:
        size = self.unsigned()
        self._place += size
        return self._bytes[self._place - size : self._place]

    def rest(self) -> bytes:
        return self._bytes[self._place :]
