"""Recordings as DC-coupled amplifiers make them, from real EEG: offset, drift, mains, seconds that are padded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from api.plain_edf import PlainEdf, build
from api.recordings import SHIPPED

RATE = 128
_MICROVOLTS = 32
"""Digital units a microvolt."""


def real_eeg(signals: int, seconds: int) -> np.ndarray:
    """Real EEG [signals, samples] of 10 uV at 128 Hz: a recording at 500 Hz, every fourth sample."""
    edf = PlainEdf.read(SHIPPED / "eegmat" / "Subject16_rest_70s.edf")
    rows = np.stack([edf.digital(index)[: 4 * RATE * seconds].astype(float) for index in range(signals)])
    rows = rows.reshape(signals, -1, 4).mean(axis=2)
    return 10 * rows / rows.std(axis=1, keepdims=True)


def drifting(
    path: Path, *, signals: int = 3, seconds: int = 12, drift: float = 100.0, mains: float = 0.0, hertz: float = 50.0
) -> Path:
    """Write EEG of 10 uV on offsets of some 20 mV, with drift and mains of so many uV in all channels."""
    time = np.arange(seconds * RATE) / RATE
    rows = real_eeg(signals, seconds) + 20_000 + 1000 * np.arange(signals)[:, None]
    rows += drift * np.sin(2 * np.pi * time / (2 * seconds)) + np.sqrt(2) * mains * np.sin(2 * np.pi * hertz * time)
    limit = 1 << 23
    ends = {"pmin": -limit // _MICROVOLTS, "pmax": limit // _MICROVOLTS, "dmin": -limit, "dmax": limit - 1}
    values = np.rint(rows * _MICROVOLTS).astype(np.int64).reshape(signals, seconds, RATE)
    labels = ("EEG C3", "EEG C4", "EEG Cz")
    return build(
        path, [{"label": labels[n], "unit": "uV", "values": row, **ends} for n, row in enumerate(values)], bdf=True
    )
