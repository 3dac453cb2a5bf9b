"""Channels decoded together, which version 1.5 added, are decoded by every later version as when they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eegzip

PATH = Path(__file__).parent / "v1.5" / "joint.eegz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(PATH.with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def test_tokens_and_bits_are_the_same(golden: dict[str, np.ndarray]) -> None:
    assert PATH.read_bytes()[9:11] == bytes([1, 5])
    with eegzip.open(PATH) as recording:
        codes = np.stack([stream.codes for stream in recording.tokens()])
        refined = [index for part in recording.info["joint"] for index in part["refined"]]
    np.testing.assert_array_equal(codes, golden["codes"], strict=True)
    np.testing.assert_array_equal(refined, golden["refined"])


@pytest.mark.parametrize("way", ["values", "alone"])
def test_samples_are_the_same_within_the_tolerance(golden: dict[str, np.ndarray], way: str) -> None:
    with eegzip.open(PATH, alone=way == "alone") as recording:
        values = recording.read()
        steps = [abs(s.microvolts_per_digit or 1.0) for s in recording.edf_header.signals if not s.is_annotations]
    step, wanted = np.array(steps)[:, None], golden[way]
    units = 1 + np.abs(wanted).max(axis=1, keepdims=True) / step / 1024
    assert (np.abs(values - wanted) <= units * step * 1.000001).all()
