"""Bounds on errors: what a restored file is like, read by another reader, against what was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf

import eegzip


def chunk_prds(original: Path, restored: Path, index: int, chunk_seconds: float = 60.0) -> list[float]:
    """Error in percent of one signal in each chunk, from the bytes of both files."""
    first, second = PlainEdf.read(original), PlainEdf.read(restored)
    x, y = first.digital(index).astype(float), second.digital(index).astype(float)
    step = round(chunk_seconds / first.seconds_per_record) * first.samples[index]
    prds = []
    for start in range(0, len(x), step):
        part, back = x[start : start + step], y[start : start + step]
        if part.std() > 0:
            prds.append(100 * float(np.sqrt(np.mean((part - back) ** 2)) / part.std()))
        else:
            assert np.array_equal(part, back)
    return prds


def lossy_signals(report: eegzip.CompressionReport) -> list[int]:
    return [index for index, signal in enumerate(report.signals) if signal.coding == "layers"]


@pytest.mark.parametrize("prd", [30.0, 9.0, 2.0])
def test_prd_is_kept_by_every_channel_in_every_chunk(eegmat: Path, tmp_path: Path, prd: float) -> None:
    target, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    report = eegzip.compress(eegmat, target, max_prd=prd)
    eegzip.decompress(target, back)
    coded = lossy_signals(report)
    assert len(coded) == 3
    assert PlainEdf.read(back).without(coded) == PlainEdf.read(eegmat).without(coded)
    for index in coded:
        found = chunk_prds(eegmat, back, index)
        assert len(found) == 2
        assert max(found) <= prd
        assert max(found) == pytest.approx(report.signals[index].worst_chunk_prd)
    # The bound is made use of.
    assert max(max(chunk_prds(eegmat, back, index)) for index in coded) > 0.9 * prd
    assert eegzip.verify(target).intact
