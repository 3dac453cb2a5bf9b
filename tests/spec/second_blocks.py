"""Signals predicted block by block, decoded by plain Python from SPEC.md, sections 6.11 and 6.12, alone."""

from __future__ import annotations

from math import exp, floor

import numpy as np
from second_coder import clip
from second_prediction import signed, solve, take, total


def table(row: int) -> list[int]:
    """Where symbols 0 to 121 of a row begin (6.12)."""
    o, c, f = (16, row - 192, 4) if row >= 192 else (10 + row // 32, row // 8 % 4, row % 8)
    s = 0.65 * 2**o * (1 + (c + 0.5) / 4) / 16384
    q = []
    for i in range(122):
        d = (i - 60.5 - (f - 4) / 8) / s
        t = 0.98 / (1 + exp(min(abs(d), 700.0))) + 0.01 / (1 + abs(d))
        q.append(floor(32646 * (t if d < 0 else 1 - t)))
    return [q[i] - q[0] + i for i in range(122)] + [32768]


class Symbols:
    """Integers by spread (6.12)."""

    def __init__(self, words: np.ndarray, raw: bytes) -> None:
        self.words, self.raw, self.place, self.bit = words.tolist(), raw, 0, 0
        self.x = 65536 * self.word() + self.word()
        self.fast = self.slow = 65536
        self.tables: dict[int, list[int]] = {}

    def word(self) -> int:
        self.place += 1
        return self.words[self.place - 1] if self.place <= len(self.words) else 0

    def bits(self, count: int) -> int:
        value = 0
        for i in range(count):
            byte, at = divmod(self.bit, 8)
            value |= (self.raw[byte] >> at & 1 if byte < len(self.raw) else 0) << i
            self.bit += 1
        return value

    def next(self, f: int) -> int:
        z = self.fast + self.slow + 1024
        o = z.bit_length() - 1
        c = z // 2 ** (o - 2) - 4
        row, h = (8 * (4 * (o - 10) + c) + f, 0) if o < 16 else (192 + c, o - 16)
        begins = self.tables.setdefault(row, table(row))
        slot, i = self.x % 32768, 0
        while begins[i + 1] <= slot:
            i += 1
        self.x = (begins[i + 1] - begins[i]) * (self.x // 32768) + slot - begins[i]
        if self.x < 65536:
            self.x = 65536 * self.x + self.word()
        j = i - 60
        if i == 121:
            a = self.bits(5)
            far = 2**a + self.bits(a)
            j = 60 + (far + 1) // 2 if far % 2 else -60 - far // 2
        return j * 2**h + self.bits(h) - 2**h // 2

    def learn(self, d: int, t: int) -> None:
        self.fast += (1024 * d - self.fast) // 16
        self.slow += (1024 * d - self.slow) // 2 ** min(7, (t + 2).bit_length() - 1)


def integers(data: bytes, n: int, references: list[np.ndarray]) -> np.ndarray:
    """Integers of a stream (6.11)."""
    if n == 0:
        return np.zeros(0, np.int64)
    past, before, after, block, memory, ridge, taps = data[:7]
    low, place = take(data, 7)
    span, place = take(data, place)
    height, place = take(data, place)
    centre = signed(low) + height
    if span == 0:
        return np.full(n, centre)
    lowest, highest = -height, span - height
    count, place = take(data, place)
    coded = Symbols(np.frombuffer(data, "<u2", count, place), data[place + 2 * count :])
    width, size = before + 1 + after, past + (before + 1 + after) * len(references)
    rows = [np.pad(r.astype(np.int64) - int(r.astype(np.int64).sum()) // n, (before, after)) for r in references]
    a, b, w = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    w[0] = 1.0
    g, p, e = np.zeros(taps), 0.0, np.zeros(taps + n)  # e(t) at taps + t
    x = np.zeros(past + n, np.int64)  # x(t) at past + t
    start = 0
    while start < n:
        stop = min(n, start + min(2**block, 16 * (1 + start // 64)))
        known, squares = [], 0.0
        for t in range(start, stop):
            u = np.concatenate([x[t : t + past][::-1], *(row[t : t + width][::-1] for row in rows)])
            plain = total((w * u)[[*range(past, size), *range(past - 1, -1, -1)]])
            parts = [total((g * e[t : t + taps])[k::4]) if taps else 0.0 for k in range(4)]
            more = (parts[0] + parts[1]) + (parts[2] + parts[3])
            y = floor(8 * clip(plain + more, lowest, highest) + 0.5)
            m = (y + 4) // 8
            value = clip(m + coded.next(y + 4 - 8 * m), lowest, highest)
            x[past + t] = value
            d = abs(8 * value - y)
            coded.learn(d, t)
            squares += float(d * d)
            e[taps + t] = value - plain
            if taps:
                g = g + 0.008 * (e[taps + t] - more) / (p + 1) * e[t : t + taps]
                p = max(p + (e[taps + t] * e[taps + t] - e[t] * e[t]), 0.0)
            known.append(u)
        u = np.stack(known)
        q, r = 1 / (squares / (64.0 * (stop - start)) + 0.1), 1 - 2.0**-memory
        a = a * r + q * (u.T @ u).astype(float)
        b = b * r + q * (u.T @ x[past + start : past + stop]).astype(float)
        w = solve(a, b, 2.0 ** (ridge - 12))
        start = stop
    return x[past:] + centre
