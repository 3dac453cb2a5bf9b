"""Recordings with tones put in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from api.plain_edf import PlainEdf, build

DIGIT = 0.02
"""uV; so nothing is clipped."""


def waves(n: int, channels: int, rate: float, tones: Sequence[tuple[float, float, float]]) -> np.ndarray:
    """Tones of a frequency, a size (uV rms, 0.5 to 1.5 times of it in each channel) from a second on: [channels, n]."""
    random = np.random.default_rng(3)
    time = np.arange(n) / rate
    total = np.zeros((channels, n))
    for hz, size, start in tones:
        phases = random.uniform(0, 2 * np.pi, channels)[:, None]
        sizes = size * random.uniform(0.5, 1.5, channels)[:, None]
        total += np.sqrt(2) * sizes * np.cos(2 * np.pi * hz * time + phases) * (time >= start)
    return total


def microvolts(edf: PlainEdf, index: int) -> np.ndarray:
    """A signal in uV."""
    low, high = (float(edf.column(at, 8)[index]) for at in (104, 112))
    least, most = (float(edf.column(at, 8)[index]) for at in (120, 128))
    return (edf.digital(index) - least) * (high - low) / (most - least) + low


def with_tones(
    source: Path, target: Path, tones: Sequence[tuple[float, float, float]], seconds: int | None = None
) -> Path:
    """Write the channels of a recording whose unit is uV, with tones, in digits of 0.02 uV."""
    edf = PlainEdf.read(source)
    chosen = [index for index in range(edf.n_signals) if edf.units[index] == "uV" and "ECG" not in edf.labels[index]]
    each = edf.samples[chosen[0]]
    rows = np.stack([microvolts(edf, index) for index in chosen])
    rows = rows[:, : None if seconds is None else seconds * each]
    rows = rows + waves(rows.shape[1], len(rows), each / edf.seconds_per_record, tones)
    digits = np.clip(np.rint(rows / DIGIT), -32768, 32767).astype(np.int64)
    signals: list[dict[str, object]] = [
        {"label": edf.labels[index], "unit": "uV", "pmin": -655.36, "pmax": 655.34, "dmin": -32768, "dmax": 32767,
         "values": row.reshape(-1, each)}
        for index, row in zip(chosen, digits, strict=True)
    ]  # fmt: skip
    return build(target, signals, duration=f"{edf.seconds_per_record:g}")
