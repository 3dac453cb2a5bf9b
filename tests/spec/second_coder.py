"""The entropy decoder (13.1) and what goes with it (13.2), written from SPEC.md alone, for all second decoders."""

from __future__ import annotations

import math

RATES = [round(65536 / (n + 1.5)) for n in range(256)]


def clip(value, low, high):
    return min(max(value, low), high)


def squash(x: int) -> int:
    return round(65536 / (1 + math.exp(-clip(x, -2047, 2047) / 256)))


def stretch(p: int) -> int:
    q = p >> 4
    return clip(round(256 * math.log((q + 0.5) / (4095.5 - q))), -2047, 2047)


class Decoder:
    """The arithmetic decoder (13.1)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 4
        self.low, self.high = 0, (1 << 32) - 1
        self.value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, p: int) -> int:
        """A decision that is 1 with probability p / 65536."""
        span = self.high - self.low
        middle = self.low + (span >> 16) * p + (((span % 65536) * p) >> 16)
        decision = int(self.value <= middle)
        if decision:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            following = self.data[self.place] if self.place < len(self.data) else 0
            self.place += 1
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = (self.high << 8 & 0xFFFFFFFF) | 255
            self.value = (self.value << 8 & 0xFFFFFFFF) | following
        return decision

    def raw(self, count: int) -> int:
        """An unsigned integer of so many bits."""
        value = 0
        for _ in range(count):
            value = 2 * value + self.bit(32768)
        return value
