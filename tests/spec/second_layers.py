"""A second decoder of layers and corrections, written from SPEC.md (6.5, 6.6, 6.9, 13) alone: slow, without eegzip."""

from __future__ import annotations

import math

import numpy as np
from second_coder import Decoder, squash, stretch


class Coder(Decoder):
    """13.1"""

    def number(self) -> int:
        return self.raw(self.raw(5))


class Probability:
    """13.2"""

    def __init__(self, limit: int) -> None:
        self.v, self.n, self.limit = 32768, 0, limit

    def learn(self, decision: int) -> None:
        self.v += (((65535 if decision else 0) - self.v) * round(65536 / (self.n + 1.5))) >> 16
        self.n = min(self.n + 1, self.limit)

    def bounded(self) -> int:
        return min(max(self.v, 32), 65504)


def level(v: int) -> int:
    if v < 2:
        return v
    g = v.bit_length() - 1
    return min(23, 2 * g + (v >> (g - 1) & 1))


def band(k: int, bins: int) -> int:
    h = 256 * k // bins
    if h < 8:
        return h
    g = h.bit_length() - 1
    return 4 * g - 4 + ((h >> (g - 2)) & 3)


def coefficients(coder: Coder, members: int, blocks: int, bins: int, ends: list[int], first: bool) -> np.ndarray:
    found = np.zeros((members, blocks, bins), np.int64)
    averages: dict[tuple[int, int], int] = {}
    probabilities: dict[tuple[int, int, int], Probability] = {}
    lower: dict[tuple[int, ...], Probability] = {}
    weights: dict[tuple[int, int, int], list[int]] = {}

    def size(c: int, t: int, k: int) -> int:
        inside = 0 <= c < members and 0 <= t < blocks and 0 <= k < bins
        return min(abs(int(found[c, t, k])), 65536) if inside else 0

    for t in range(blocks):
        for c in range(members):
            for k in range(ends[c]):
                a1, a2 = size(c, t, k - 1), size(c, t, k - 2)
                p = {d: size(c, t - 1, k + d) for d in (-2, -1, 0, 1, 2)}
                q = {d: size(c, t - 2, k + d) for d in (-1, 0, 1)}
                d0, ds, e0 = size(c - 1, t, k), size(c - 1, t, k - 1) + size(c - 1, t, k + 1), size(c - 2, t, k)
                ps, qs = p[-1] + p[1], q[-1] + q[1]
                total = 4 * a1 + 2 * a2 + 3 * p[0] + 2 * ps + p[-2] + p[2] + 2 * q[0] + qs + 3 * d0 + ds + e0
                big = level(total // 3)
                m = [averages.get((c, k + d), 0) for d in (-1, 0, 1)]
                usual = level((2 * m[1] + m[0] + m[2]) >> 3)
                contexts = [
                    24 * level(4 * a1 + 2 * a2) + level(2 * p[0] + ps),
                    24 * big + usual,
                    24 * level(4 * d0 + 2 * ds) + level(3 * a1 + 2 * p[0] + a2 + q[0]),
                    24 * usual + level(2 * a1 + a2 + 2 * p[0] + ps + q[0]),
                    24 * level(4 * q[0] + 2 * qs) + level(4 * e0 + 4 * d0),
                    ((4 * min(a1, 3) + min(p[0], 3)) * 12 + 4 * min(a2, 2) + min(d0, 3)) * 3 + min(p[1], 2),
                    28 * c + band(k, bins),
                    *([] if first else [256 * c + min(k, 255)]),
                ]
                digits = 0
                while digits < 31:
                    known = [
                        probabilities.setdefault((number, context, min(digits, 11)), Probability(250))
                        for number, context in enumerate(contexts)
                    ]
                    opinions = [*(stretch(probability.v) for probability in known), 256]
                    keys = [(0, min(digits, 3), big), (1, min(digits, 3), band(k, bins))][: 1 if first else 2]
                    rows = [weights.setdefault(key, [12000] * len(opinions)) for key in keys]
                    says = [
                        min(max(sum(o * w for o, w in zip(opinions, row, strict=True)) >> 16, -2047), 2047)
                        for row in rows
                    ]
                    decision = coder.bit(min(max(squash(sum(says) // len(says)), 32), 65504))
                    for row, said in zip(rows, says, strict=True):
                        error = (65536 if decision else 0) - min(max(squash(said), 32), 65504)
                        for place, opinion in enumerate(opinions):
                            moved = (
                                opinion * error * 1 + (1 << 13) >> 14 if first else opinion * error + (1 << 14) >> 15
                            )
                            row[place] = min(max(row[place] + moved, -(1 << 23)), 1 << 23)
                    for probability in known:
                        probability.learn(decision)
                    if not decision:
                        break
                    digits += 1
                value = min(digits, 1)
                for taken in range(digits - 1):
                    if taken < 2:
                        key = (digits - 1, big) if taken == 0 else (digits - 1, big, value & 1)
                        probability = lower.setdefault(key, Probability(250))
                        decision = coder.bit(probability.bounded())
                        probability.learn(decision)
                    else:
                        decision = coder.raw(1)
                    value = 2 * value + decision
                average = averages.get((c, k), 0)
                averages[c, k] = average + ((64 * min(value, 65536) - average) >> 3)
                found[c, t, k] = -value if value and coder.raw(1) else value
    return found


def dct4(size: int) -> np.ndarray:
    j, k = np.arange(size)[:, None], np.arange(size)
    return np.sqrt(2 / size) * np.cos(np.pi / size * (j + 0.5) * (k + 0.5))


def dct2(size: int) -> np.ndarray:
    j, k = np.arange(size)[:, None], np.arange(size)
    result = np.sqrt(2 / size) * np.cos(np.pi / size * (j + 0.5) * k)
    result[:, 0] *= np.sqrt(0.5)
    return result


class Known:
    """Adaptive probabilities with the limit 60, by name (6.9)."""

    def __init__(self, coder: Coder) -> None:
        self.coder = coder
        self.found: dict[object, Probability] = {}

    def bit(self, *name: int | str) -> int:
        probability = self.found.setdefault(name, Probability(60))
        decision = self.coder.bit(probability.bounded())
        probability.learn(decision)
        return decision


def angles(known: Known, count: int, onwards: bool) -> tuple[int, list[int]]:
    """6.9: a column's width and its angles."""
    node = 1
    for _ in range(4):
        node = 2 * node + known.bit("width", onwards, node)
    width = node - 16
    found: list[int] = []
    for j in range(count):
        near = sum(abs(code) for code in found[-2:])
        expected = (26 * 4**width // (256 * (j + 2))).bit_length()
        digits = 0
        while digits < width:
            if onwards:
                name = ("onwards", min(near.bit_length(), 5), min(digits, 5))
            else:
                name = ("fresh", min(max(expected - 2 * digits + 6, 0), 15), 0)
            if not known.bit(*name):
                break
            digits += 1
        size = min(digits, 1)
        for _ in range(digits - 1):
            size = 2 * size + known.coder.raw(1)
        found.append(-size if size and known.coder.raw(1) else size)
    return width, found


def rotated(matrix: np.ndarray, i: int, angle: list[float]) -> None:
    for j, t in enumerate(angle, i + 1):
        first, second = matrix[i].copy(), matrix[j].copy()
        matrix[i] = math.cos(t) * first + math.sin(t) * second
        matrix[j] = math.cos(t) * second - math.sin(t) * first


def first_bands(coder: Coder, count: int, bins: int) -> np.ndarray:
    """6.5: a matrix for each bin."""
    matrices = np.zeros((bins, count, count))
    begin = 0
    while begin < bins:
        stop = begin + coder.number()
        matrix = np.eye(count)
        for i in range(coder.raw(7)):
            b = coder.raw(4)
            rotated(matrix, i, [(coder.raw(b) - 2 ** (b - 1)) * math.pi / 2**b for _ in range(i + 1, count)])
        matrices[begin:stop] = matrix
        begin = stop
    return matrices


def bands(known: Known, count: int, bins: int) -> np.ndarray:
    """6.9: a matrix for each bin."""
    edges = [0]
    while edges[-1] < bins:
        e = edges[-1]
        following = max(e + 2, (3 * e + 1) // 2)
        edges.append(following if bins - following >= 2 else bins)
    matrices = np.zeros((bins, count, count))
    matrix, begin = np.eye(count), 0
    while begin < bins:
        onwards = bool(begin and known.bit("onwards"))
        matrix = matrix.copy() if onwards else np.eye(count)
        for i in range(known.coder.raw((count - 1).bit_length())):
            b, codes = angles(known, count - 1 - i, onwards)
            rotated(matrix, i, [code * math.pi / 2**b for code in codes])
        place = edges.index(begin) + 1
        while edges[place] < bins and not known.bit("stop"):
            place += 1
        matrices[begin : edges[place]] = matrix
        begin = edges[place]
    return matrices


def layer(data: bytes, signals: int, n: int, first: bool = False) -> tuple[list[bool], np.ndarray]:
    """Members, and samples [members, n] of a layer's stream (what follows the bits of tokens); `first`: of 1.2."""
    coder = Coder(data)
    members = [bool(coder.raw(1)) for _ in range(signals)]
    count = sum(members)
    blocks = coder.number()
    size = -(-n // blocks)
    size += size % 2
    known = Known(coder)
    cut = [False] * (blocks - 1)
    if not first and coder.raw(1):
        cut = [bool(known.bit("cut")) for _ in cut]
    least, width = coder.raw(14), coder.raw(4)
    centres, steps, ends = [], [], []
    for _ in range(count):
        z = coder.number()
        centres.append(-(z + 1) // 2 if z % 2 else z // 2)
        steps.append(2.0 ** ((least + coder.raw(width) - 8192) / 128))
        ends.append(-(-coder.raw(6) * size // 63))
    matrices = first_bands(coder, count, size) if first else bands(known, count, size)
    integers = coefficients(coder, count, blocks, size, ends, first)
    offsets = [0.0, *((coder.raw(6) - 32) / 64 for _ in range(3))]
    values = np.sign(integers) * (np.abs(integers) + np.array(offsets)[np.minimum(np.abs(integers), 3)])
    spectra = np.einsum("kcm,ctk->mtk", matrices, values) * np.array(steps)[:, None, None]
    pieces = [spectra[:, t] @ (dct2(size) if t == blocks - 1 or cut[t] else dct4(size)).T for t in range(blocks)]
    samples = np.concatenate(pieces, axis=1)
    for border in (size * (t + 1) for t in range(blocks - 1) if not cut[t]):
        for j in range(size // 2):
            t = math.pi / 4 * (1 + (2 * j + 1) / size)
            left, right = samples[:, border - 1 - j].copy(), samples[:, border + j].copy()
            samples[:, border - 1 - j] = math.sin(t) * left + math.cos(t) * right
            samples[:, border + j] = math.sin(t) * right - math.cos(t) * left
    return members, samples[:, :n] + np.array(centres)[:, None]


def corrections(data: bytes, n: int) -> list[int]:
    """6.6"""
    coder = Coder(data)
    known = [Probability(255) for _ in range(9)]
    found: list[int] = []
    for time in range(n):
        size = 0
        while size < 63:
            near = sum(value != 0 for value in found[max(time - 2, 0) : time])
            probability = known[near if size == 0 else 3 + min(size - 1, 5)]
            decision = coder.bit(probability.bounded())
            probability.learn(decision)
            if not decision:
                break
            size += 1
        found.append(-size if size and coder.raw(1) else size)
    return found
