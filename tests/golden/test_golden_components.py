"""Components, which version 1.3 added, are decoded by every later version as they were when they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eegzip

PATH = Path(__file__).parent / "v1.3" / "components.eegz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(PATH.with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def test_tokens_and_weights_are_the_same(golden):
    assert PATH.read_bytes()[9:11] == bytes([1, 3])
    with eegzip.open(PATH) as recording:
        streams = recording.tokens()
        assert len(recording.info["mixtures"]) == 1
    np.testing.assert_array_equal(np.stack([stream.codes for stream in streams]), golden["codes"], strict=True)
    np.testing.assert_allclose([stream.weights for stream in streams], golden["weights"], rtol=0, atol=1e-12)


def test_samples_are_the_same_within_the_tolerance(golden):
    with eegzip.open(PATH) as recording:
        values = recording.read()
        steps = [abs(s.microvolts_per_digit or 1.0) for s in recording.edf_header.signals if not s.is_annotations]
    step, wanted = np.array(steps)[:, None], golden["values"]
    units = 1 + np.abs(wanted).max(axis=1, keepdims=True) / step / 1024
    assert (np.abs(values - wanted) <= units * step * 1.000001).all()
