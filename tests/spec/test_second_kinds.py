"""SPEC.md 4: a reader written from the page alone restores a file of two models, one of them at two rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from second_prior import read_tables
from second_reader import SecondReader
from second_synthesis import Network

import eegzip

PATH = Path(__file__).parents[1] / "golden" / "v1.7" / "kinds" / "kinds.eegz"
MODELS = ("eegz-sc-1", "dac-sc-compact-1")


def test_each_signal_with_its_model() -> None:
    folders = [eegzip.models.resolve(name) for name in MODELS]
    second = SecondReader(PATH.read_bytes(), prior=read_tables((folders[0] / "prior.safetensors").read_bytes()))
    networks = {network.digest: network for network in map(Network, folders)}
    assert [signal["kind"] for signal in second.head["signals"]][:3] == ["eog", "eeg", "ecg"]
    with np.load(PATH.with_suffix(".npz"), allow_pickle=False) as golden, eegzip.open(PATH) as recording:
        for number, signal in enumerate(recording.edf_header.signals[:3]):
            group = second.owners[number][0]
            codec = second.codec(second.head["groups"][group])
            assert codec["model"] == MODELS[number == 0]
            assert codec["rate"] == (None if number == 2 else [256, 1])
            mine, scale = second.coded(number, networks[codec["digest"]])
            np.testing.assert_array_equal(second.tokens(group), golden[f"codes_{group}"])
            theirs = golden["values"][number] / signal.microvolts_per_digit - signal.offset / signal.gain
            assert np.all(np.abs(mine - theirs) <= 1.01 + scale / 1024)
