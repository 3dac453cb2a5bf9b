"""No file grows by more than a hundredth, however small it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api.plain_edf import build

import eegzip


def random_samples(folder: Path, signals: int, records: int, samples: int, *, bdf: bool) -> Path:
    """A recording whose samples are random bytes, which nothing makes smaller."""
    limit = 1 << (23 if bdf else 15)
    values = np.random.default_rng(signals).integers(-limit, limit, (signals, records, samples))
    entries = [
        {"label": f"EEG {n}", "unit": "uV", "pmin": -500, "pmax": 500, "dmin": -limit, "dmax": limit - 1, "values": row}
        for n, row in enumerate(values)
    ]
    return build(folder / "random.edf", entries, bdf=bdf)


@pytest.mark.parametrize(
    ("signals", "records", "samples", "bdf"),
    [
        *((2, 60, 256, False), (2, 40, 256, True), (40, 2000, 1, False), (21, 1, 1, False), (21, 2, 256, False)),
        *((1, 1, 1, False), (1, 1, 1, True), (1, 1, 64, False), (1, 20, 256, False)),
        *((1, 60, 256, True), (3, 50, 256, True)),
    ],
)
@pytest.mark.parametrize("options", [{"lossless": True}, {"max_error": 0.0}])
def test_random_bytes_grow_by_a_hundredth_at_most(
    tmp_path: Path, signals: int, records: int, samples: int, bdf: bool, options: dict[str, Any]
) -> None:
    source, target, back = random_samples(tmp_path, signals, records, samples, bdf=bdf), tmp_path / "a", tmp_path / "b"
    eegzip.compress(source, target, **options)
    size = source.stat().st_size
    assert target.stat().st_size <= 1.01 * size
    eegzip.decompress(target, back)
    assert back.read_bytes() == source.read_bytes()
