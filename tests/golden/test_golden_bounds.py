"""What version 1.5 added, bounds on the EEG part, is read by every later version as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eegzip
from eegzip.formats.eegz.header import Targets

PATH = Path(__file__).parent / "v1.5" / "bounds.eegz"


def test_it_is_of_version_1_5_and_says_what_its_bounds_are_of():
    assert PATH.read_bytes()[9:11] == bytes([1, 5])
    with eegzip.open(PATH) as recording:
        assert Targets(**recording.info["targets"]) == Targets(max_prd=9.0, measure="eeg-1")
        for signal in recording.info["signals"]:
            assert signal["eeg_prd"] <= signal["worst_chunk_eeg_prd"] <= 9
            assert signal["worst_chunk_prd"] <= 9
    assert eegzip.verify(PATH).intact


def test_layers_give_the_same_samples():
    """They may differ by a digital unit on another machine (SPEC.md, section 9)."""
    with eegzip.open(PATH) as recording, np.load(PATH.with_suffix(".npz"), allow_pickle=False) as golden:
        unit = recording.edf_header.signals[0].microvolts_per_digit
        assert recording.read() == pytest.approx(golden["values"], rel=1e-6, abs=1.000001 * unit)


def test_older_files_promise_the_whole_alone():
    with eegzip.open(PATH.parents[1] / "v1.2" / "prd.eegz") as recording:
        assert recording.info["targets"]["measure"] is None
        assert all(signal["eeg_prd"] is None for signal in recording.info["signals"])
