"""Rotations of mixtures, written from SPEC.md alone (4.1, 13)."""

from __future__ import annotations

import numpy as np
from second_coder import Decoder, clip
from second_prior import Adaptive


def rotation(data: bytes, n: int) -> np.ndarray:
    """The matrix V, signals x components."""
    coder, known = Decoder(data), Adaptive(255)
    columns = []
    for m in range(n):
        most, integers = coder.raw(4), []
        for _ in range(n - m):
            digits = 0
            while digits < most:
                more = coder.bit(clip(known.value((most, digits)), 32, 65504))
                known.learn((most, digits), more)
                if not more:
                    break
                digits += 1
            magnitude = (1 << digits - 1) + coder.raw(digits - 1) if digits else 0
            integers.append(-magnitude if digits and coder.raw(1) else magnitude)
        columns.append(np.array(integers, np.float64))
    basis, found = np.eye(n), []
    for r in columns:
        d = r / np.sqrt((r**2).sum()) if r.any() else np.eye(len(r))[0]
        found.append(basis @ d)
        a = d.copy()
        a[0] += 1 if d[0] >= 0 else -1
        basis = (basis - 2 * np.outer(basis @ a, a) / (a @ a))[:, 1:]
    return np.stack(found, axis=1)
