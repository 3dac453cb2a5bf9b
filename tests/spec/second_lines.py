"""Lines (6.10), written from SPEC.md alone. It is written to be read: sample by sample, in Python's integers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from second_coder import RATES, Decoder, clip

SINES = [round(2**24 * math.sin(2 * math.pi * i / 4096)) for i in range(4097)]
TURN = 1 << 32


class Known:
    """Decisions with an adaptive probability for each name (13.2)."""

    def __init__(self, coder: Decoder) -> None:
        self.coder, self.states = coder, defaultdict(lambda: [32768, 0])

    def bit(self, *name: object) -> int:
        state = self.states[name]
        decision = self.coder.bit(clip(state[0], 32, 65504))
        state[0] += ((65535 * decision - state[0]) * RATES[state[1]]) >> 16
        state[1] += state[1] < 120
        return decision

    def number(self, *name: object) -> int:
        digits = 0
        while digits < 32 and self.bit(*name, min(digits, 11)):
            digits += 1
        if not digits:
            return 0
        value = (1 << digits - 1) + self.coder.raw(digits - 1)
        return -value if self.coder.raw(1) else value


def size(value: int) -> int:
    return abs(value).bit_length()


def sine(f: int) -> int:
    i, g = f >> 20, (f >> 8) % 4096
    return SINES[i] + (SINES[i + 1] - SINES[i]) * g // 4096


def lines_of_chunk(data: bytes, entry: dict, p: int, q: int) -> np.ndarray:
    """L of every signal of a line set at the samples p to q (q not included) of a chunk: [signals, q - p]."""
    spacing, steps = entry["spacing"], entry["steps"]
    first, last = p // spacing, (q - 1) // spacing + 1
    total = np.zeros((len(steps), q - p), object)
    known = Known(Decoder(data))
    for _ in range(entry["count"]):
        for signal, n, value in one_line(known, last - first + 1, entry):
            at = first * spacing + n - p
            if 0 <= at < q - p:
                total[signal, at] += value
    return (total + 2**31) // TURN


def one_line(known: Known, knots: int, entry: dict) -> Iterator[tuple[int, int, int]]:
    """What a line adds, not yet divided: signal, sample from the first knot on, value."""
    spacing, coder = entry["spacing"], known.coder
    if not coder.raw(1):
        return
    phases, frequencies, change = [coder.raw(32)], [coder.raw(32)], 0
    for _ in range(knots - 2):
        change = known.number("frequency", min(size(change), 2))
        frequencies.append((frequencies[-1] + change * 2 ** entry["grain"]) % TURN)
    for frequency in frequencies:
        phases.append((phases[-1] + frequency * spacing) % TURN)
    jumps = [coder.raw((spacing - 1).bit_length()) if known.bit("switch") else None for _ in range(knots - 1)]
    for signal, step in enumerate(entry["steps"]):
        if not known.bit("present"):
            continue
        a, b, near, amplitudes = 0, 0, 6, []
        for k in range(knots):
            if k and jumps[k - 1] is not None:
                near = 6
            da = known.number("real", near, 0)
            db = known.number("imaginary", near, min(size(da), 2))
            a, b, near = a + da, b + db, min(size(abs(da) + abs(db)), 5)
            amplitudes.append((a * step, b * step))
        for k in range(knots - 1):
            for j in range(spacing):
                parts = []
                for before, after in zip(amplitudes[k], amplitudes[k + 1], strict=True):
                    if jumps[k] is None:
                        parts.append((before * (spacing - j) + after * j) // spacing)
                    else:
                        parts.append(before if j < jumps[k] else after)
                f = (phases[k] + frequencies[k] * j) % TURN
                yield signal, k * spacing + j, parts[0] * sine((f + 2**30) % TURN) - parts[1] * sine(f)
