"""Predicted signals, decoded by plain Python from SPEC.md, sections 6.3 (method 3), 6.7, 6.8 and 13, alone."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, floor

import numpy as np
from second_coder import RATES, Decoder, clip, squash, stretch

SQUASH = [squash(x) for x in range(-2047, 2048)]
STRETCH = [stretch(16 * q) for q in range(4096)]
TAILS = [round(2**32 / (1 + exp(i / 64))) / 2**32 for i in range(1537)]


def take(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value, shift, place = value | (data[place] & 127) << shift, shift + 7, place + 1
        if data[place - 1] < 128:
            return value, place


def signed(value: int) -> int:
    return value >> 1 if value % 2 == 0 else -((value + 1) >> 1)


def total(terms: np.ndarray) -> float:
    """Sum from the first term to the last."""
    return float(np.add.accumulate(terms)[-1])


class Integers:
    """Integers by decisions (6.8)."""

    def __init__(self, data: bytes) -> None:
        self.coder = Decoder(data)
        self.spreads, self.s = [8.0] * 4, 8.0
        self.weights = [[0.25] * 4 + [0.0] * 2 for _ in range(260)]
        self.values, self.counts = [[32768] * 9 for _ in range(260)], [[0] * 9 for _ in range(260)]
        self.seen = 0

    def tail(self, f: float, s: float, threshold: int) -> float:
        distance = (threshold - 0.5 - f) / (s * 0.6 + 0.03)
        away = distance if distance >= 0 else -distance
        place = away * 64
        logistic = 0.0
        if place < 1536:
            i = floor(place)
            logistic = TAILS[i] + (TAILS[i + 1] - TAILS[i]) * (place - i)
        half = (1 - 0.02) * logistic + 0.02 * 0.5 / (1 + away)
        return half if distance >= 0 else 1 - half

    def ask(self, kind: int, fraction: int, here: list[float], low: list[float], high: list[float]) -> int:
        shares = [(t - b + 1e-10) / (a - b + 2e-10) for t, a, b in zip(here, low, high, strict=True)]
        opinions = [STRETCH[clip(floor(share * 4096), 0, 4095)] for share in shares]
        opinions += [STRETCH[self.values[kind][fraction] >> 4], 128]
        x = 0.0
        for opinion, weight in zip(opinions, self.weights[kind], strict=True):
            x += opinion * weight
        p = clip(SQUASH[floor(clip(x, -2047.0, 2047.0) + 0.5) + 2047], 32, 65504)
        bit = self.coder.bit(p)
        c = ((65536 if bit else 0) - p) * 3e-10
        self.weights[kind] = [
            weight + c * opinion for opinion, weight in zip(opinions, self.weights[kind], strict=True)
        ]
        value, count = self.values[kind][fraction], self.counts[kind][fraction]
        self.values[kind][fraction] = value + (((65535 if bit else 0) - value) * RATES[count] >> 16)
        self.counts[kind][fraction] = min(count + 1, 120)
        return bit

    def next(self, f: list[float], a: int, b: int) -> int:
        unit, z = 1, 0
        while unit < self.s:
            unit, z = 2 * unit, z + 1
        fraction = 8 if z >= 3 else clip(floor((f[0] + 0.5) * 8), 0, 7)
        z = min(z, 3)
        low, high = [1.0] * 4, [0.0] * 4
        lo, hi, side, j, i, state = a, b, 1, 0, 0, "side" if a < 0 else "reach"
        while lo < hi:
            if state == "side":
                threshold, kind = 0, 0
            elif state == "reach":
                threshold, kind = unit << j if side else -(unit << j), 1 + 8 * side + min(j, 7)
                if threshold <= lo or threshold > hi:
                    state = "halving"
                    continue
            else:
                threshold, kind = lo + (hi - lo + 1) // 2, 17 + 3 * (8 * side + min(j, 7)) + i
            plain = state == "halving" and i >= 3
            here = [self.tail(expected, s, threshold) for expected, s in zip(f, self.spreads, strict=True)]
            bit = self.coder.bit(32768) if plain else self.ask(4 * kind + z, fraction, here, low, high)
            if bit:
                lo, low = threshold, here
            else:
                hi, high = threshold - 1, here
            if state == "side":
                side, state = bit, "reach"
            elif state == "halving":
                i += 1
            elif bit == side:
                j += 1
            else:
                state = "halving"
        t = self.seen
        for e, rate in enumerate((0.35, 0.1, 0.03, 0.006)):
            self.spreads[e] += (abs(lo - f[e]) - self.spreads[e]) * max(rate, 1 / (t + 1.5))
        self.s += (abs(lo - f[0]) - self.s) * max(0.03, 1 / (t + 1.5))
        self.seen += 1
        return lo


def solve(a: np.ndarray, b: np.ndarray, ridge: float) -> np.ndarray:
    """Weights (6.7)."""
    n = len(b)
    matrix, y, z, w = a + np.diag(np.full(n, ridge)), b.copy(), np.zeros(n), np.zeros(n)
    y[0] += ridge
    for i in range(n):
        if matrix[i, i] > 1e-10 * a[i, i] + 1e-30:
            z[i] = 1 / matrix[i, i]
        f = matrix[i, i + 1 :] * z[i]
        matrix[i + 1 :, i + 1 :] -= f[:, None] * matrix[i, i + 1 :]  # also below the diagonal, where nobody looks
        y[i + 1 :] -= f * y[i]
    for i in range(n - 1, -1, -1):
        w[i] = y[i] * z[i]
        y[:i] -= matrix[:i, i] * w[i]
    return w


def integers(data: bytes, n: int, references: list[np.ndarray], step: int = 1) -> np.ndarray:
    """Integers of a stream (6.7)."""
    if n == 0:
        return np.zeros(0, np.int64)
    past, before, after, memory, ridge = data[:5]
    lowest, place = take(data, 5)
    span, place = take(data, place)
    height, place = take(data, place)
    lowest = signed(lowest)
    highest, centre = lowest + span, lowest + height
    if lowest == highest:
        return np.full(n, lowest)
    lowest, highest = lowest - centre, highest - centre
    width = before + 1 + after
    wide = [r.astype(np.int64) for r in references]
    padded = [np.pad(r - int(r.sum()) // n, (before, after)).astype(float) for r in wide]
    size = past + width * len(references)
    a, b, w = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    w[0] = 1.0
    h, g, v, p, keep = np.zeros(32), np.zeros(32), 1.0, 0.0, 1 - 2.0**-memory
    found, x, d = Integers(data[place:]), np.zeros(past + n), step // 2  # x(t) at past + t
    for t in range(n):
        u = np.concatenate([x[t : t + past][::-1], *(row[t : t + width] for row in padded)])
        plain, more = total(w * u), total(g * h)
        best = clip(plain + more, lowest, highest)
        m = floor(best + 0.5)
        f = [(best - m) / step] * 3 + [(clip(plain, lowest, highest) - m) / step]
        k = found.next(f, (lowest - m + d) // step, (highest - m + d) // step)
        value = clip(m + k * step, lowest, highest)
        x[past + t] = value
        e = value - plain
        v += (e * e - v) * max(0.15, 1 / (t + 2))
        q = 1 / (v + 0.1)
        c = u * q
        a = a * keep + c[:, None] * u
        b = b * keep + c * value
        g = g + 0.008 * (e - more) / (p + 1) * h
        p = max(p + (e * e - h[31] * h[31]), 0.0)
        h = np.concatenate([[e], h[:31]])
        if (t + 1) % 16 == 0 or (t < 64 and t % 4 == 3):
            w = solve(a, b, 2.0 ** (ridge - 12))
    return x[past:].astype(np.int64) + centre


def references_of(data: bytes) -> tuple[list[int], int]:
    """Numbers of the references that a stream of method 3 names, and where they end (6.3)."""
    count, place = take(data, 0)
    found = []
    for _ in range(count):
        number, place = take(data, place)
        found.append(number)
    return found, place


def grid_values(ranks: np.ndarray, step: int, origin: int, *, cut: bool) -> np.ndarray:
    """Values of a grid (6.3)."""
    places = [int(rank) * step + origin for rank in ranks]
    return np.array([-(-at >> 24) if cut and at < 0 else at >> 24 for at in places], np.int64)


def predicted(
    data: bytes, n: int, references: list[np.ndarray], read: Callable[..., np.ndarray] = integers
) -> np.ndarray:
    """Samples of a stream of method 3, or 4 with its own way to `read` integers, its references being known (6.3)."""
    _, place = references_of(data)
    flags, place = data[place], place + 1
    times, grid = np.arange(n), None
    if flags & 4:
        step, place = take(data, place)
        origin, place = take(data, place)
        times = grid_values(np.arange(n + 1 + abs(origin) // step), step, signed(origin), cut=False)
        times = np.concatenate([[0], times[(times > 0) & (times < n)]])
    if flags & 1:
        step, place = take(data, place)
        origin, place = take(data, place)
        grid, beside = (step, signed(origin)), []
        if flags & 8:
            count, place = take(data, place)
            lowest, place = take(data, place)
            beside = [signed(lowest)]
            for _ in range(count - 1):
                more, place = take(data, place)
                beside.append(beside[-1] + more)
    values = read(data[place:], len(times), [row[times] for row in references])
    if grid:
        row = grid_values(np.arange(values.max() + 1), *grid, cut=bool(flags & 2))
        values = np.sort(np.concatenate([row, beside]).astype(np.int64))[values]
    return np.repeat(values, np.diff(times, append=n)) if n else values
