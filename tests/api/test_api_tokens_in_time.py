"""Tokens of a stretch of time."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf
from api.recordings import SHIPPED

import eegzip


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two channels of a real recording and an ECG, 8 s, chunks of 2 s."""
    plain = PlainEdf.read(next((SHIPPED / "eegmat").glob("*.edf")))
    data = np.stack([plain.digital(index)[: 8 * 500] / 100 for index in range(3)])
    path = tmp_path_factory.mktemp("tokens") / "night.eegz"
    eegzip.compress_array(data, 500, ["Fp1", "T3", "ECG"], path, model="eegz-sc-1", chunk_seconds=2)
    return path


@pytest.mark.parametrize("cuts", [[0, 8], [0, 2, 4, 8], [0, 0.3, 0.30001, 3.999, 5.5, 8]])
def test_stretches_that_meet_make_the_whole(coded: Path, cuts: list[float]) -> None:
    with eegzip.open(coded) as recording:
        whole = recording.tokens("T3")[0]
        parts = [
            recording.tokens("T3", first, None if stop == 8 else stop)[0] for first, stop in itertools.pairwise(cuts)
        ]
    joined = eegzip.concatenate(parts)
    np.testing.assert_array_equal(joined.codes, whole.codes)
    for part, first in zip(parts, cuts, strict=False):
        if len(part):
            # The first centre not before the cut.
            assert part.first_frame / part.frame_rate >= first - 1e-9
            assert (part.first_frame - 1) / part.frame_rate < first


def test_several_channels(coded: Path) -> None:
    with eegzip.open(coded) as recording:
        both = recording.tokens(["T3", "Fp*"], 1, 3)
        assert [stream.labels for stream in both] == [("Fp1",), ("T3",)]
        np.testing.assert_array_equal(both[1].codes, recording.tokens("T3", 1, 3)[0].codes)
        with pytest.raises(eegzip.UsageError, match="'ECG' has no tokens"):
            recording.tokens(["ECG"])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 9), (float("nan"), 2), (1, float("nan"))])
def test_no_such_time(coded: Path, start: float, stop: float) -> None:
    with eegzip.open(coded) as recording, pytest.raises(eegzip.UsageError, match="is not within the 8 s"):
        recording.tokens("T3", start, stop)
