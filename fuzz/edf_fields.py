"""Changes of an EDF header field by field, as readers see it."""

from __future__ import annotations

import random
from collections.abc import Callable

WORDS = (
    b"", b"\0", b"-1", b"0", b"1", b"2", b"3", b"7", b"512", b"768", b"1024", b"1,5", b"0.5", b"1e9", b"1e-9",
    b"99999999", b"-32768", b"32767", b"nan", b"inf", b"\xb5V", b"uV", b"\xff\xfe", b"01-01-85", b"EDF+C", b"EDF+D",
    b"BDF+D", b"24BIT", b"EDF Annotations", b"BDF Annotations", b"Status", b"\x1b[2J", b"1_0", b"\xd9\xa1",
    b"+1\x14\x14\0", b"+0\x151\x14x\x14\0",
)  # fmt: skip
FIXED = ((0, 8), (8, 80), (88, 80), (168, 8), (176, 8), (184, 8), (192, 44), (236, 8), (244, 8), (252, 4))
WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


def mutate_fields(data: bytes, most: int, seed: int, bytewise: Callable[[bytes, int], bytes]) -> bytes:
    """Another recording: words in fields, or bytes anywhere; see :func:`sections.mutate`."""
    dice = random.Random(seed)
    if len(data) < 256 or dice.random() < 0.3:
        return bytewise(data, most)[:most]
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        try:
            count = max(1, min(int(bytes(out[252:256]).strip() or 1), 64))
        except ValueError:
            count = 1
        choice = dice.random()
        if choice < 0.35:
            place, width = dice.choice(FIXED)
        elif choice < 0.8:
            field, signal = dice.randrange(len(WIDTHS)), dice.randrange(count)
            place, width = 256 + count * sum(WIDTHS[:field]) + signal * WIDTHS[field], WIDTHS[field]
        else:
            place, width = dice.randrange(256, max(len(out), 257)), dice.choice((1, 2, 3, 16))
        word = b"%d" % dice.randrange(dice.choice((100, 10**7)))
        if dice.random() < 0.7:
            word = dice.choice(WORDS)
        out[place : place + width] = word.ljust(width)[:width]
    if dice.random() < 0.1:
        del out[dice.randrange(256, max(len(out), 257)) :]
    return bytes(out[:most])
