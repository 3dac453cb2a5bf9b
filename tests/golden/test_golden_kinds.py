"""A file whose kinds of signals have models of their own, which version 1.7 added, is the same for every later one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eegzip

PATH = Path(__file__).parent / "v1.7" / "kinds" / "kinds.eegz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(PATH.with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def test_kinds_models_and_tokens_are_the_same(golden: dict[str, np.ndarray]) -> None:
    assert PATH.read_bytes()[9:11] == bytes([1, 7])
    with eegzip.open(PATH) as recording:
        streams, signals = recording.tokens(), recording.info["signals"]
    assert [(signal["kind"], signal["model"], signal["model_rate"]) for signal in signals[:3]] == [
        ("eog", "dac-sc-compact-1", 256.0),
        ("eeg", "eegz-sc-1", 256.0),
        ("ecg", "eegz-sc-1", 500.0),
    ]
    assert [stream.labels for stream in streams] == [("EEG O1",), ("EEG Fp1",), ("ECG ECG",)]
    for row, stream in enumerate(streams):
        np.testing.assert_array_equal(stream.codes, golden[f"codes_{row}"], strict=True)


def test_samples_are_the_same_within_the_tolerance(golden: dict[str, np.ndarray]) -> None:
    with eegzip.open(PATH) as recording:
        values = recording.read()
        steps = [abs(s.microvolts_per_digit or 1.0) for s in recording.edf_header.signals if not s.is_annotations]
    step, wanted = np.array(steps)[:, None], golden["values"]
    units = 1 + np.abs(wanted).max(axis=1, keepdims=True) / step / 1024
    assert (np.abs(values - wanted) <= units * step * 1.000001).all()
