"""The layers that version 1.3 added are decoded by every later version as they were when they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import eegzip
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader

PATH = Path(__file__).parent / "v1.3" / "layers.eegz"


def test_it_is_of_version_1_3_and_holds_its_layers():
    assert PATH.read_bytes()[9:11] == bytes([1, 3])
    with EegzReader(PATH) as file:
        assert {key for chunk in file.chunks for key in file.directory(chunk).streams} >= {(StreamKind.LAYER, 0)}


def test_layers_give_the_same_samples():
    """They may differ by a digital unit on another machine (SPEC.md, section 9)."""
    with eegzip.open(PATH) as recording:
        values = recording.read()
        signals = [signal for signal in recording.edf_header.signals if not signal.is_annotations]
    units = np.array([abs(signal.microvolts_per_digit) for signal in signals])[:, None]
    with np.load(PATH.with_suffix(".npz"), allow_pickle=False) as golden:
        assert (np.abs(values - golden["values"]) <= 1.000001 * units + 1e-6 * np.abs(values)).all()
