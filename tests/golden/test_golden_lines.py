"""Lines, which version 1.5 added, come back from every later version as they were when they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eegzip
from eegzip.decoding.lines import line_samples
from eegzip.formats.eegz import layout
from eegzip.formats.eegz.reader import EegzReader

FOLDER = Path(__file__).parent / "v1.5"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "lines.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("name", ["tokens", "layers"])
def test_lines_are_the_same_integers(name: str, golden: dict[str, np.ndarray]) -> None:
    with EegzReader(FOLDER / f"{name}.eegz") as reader:
        assert reader.minor_version == 5
        assert reader.block_header(reader.blocks.head).flags & layout.LINES
        signals = reader.header.line_sets[0].signals
        lines = np.stack([line_samples(reader, signal) for signal in signals])
    np.testing.assert_array_equal(lines, golden[f"{name}_lines"], strict=True)


@pytest.mark.parametrize("name", ["tokens", "layers"])
def test_samples_are_the_same_within_the_tolerance(name: str, golden: dict[str, np.ndarray]) -> None:
    with eegzip.open(FOLDER / f"{name}.eegz") as recording:
        values = recording.read()
        digit = abs(recording.edf_header.signals[0].microvolts_per_digit or 1.0)
    wanted = golden[f"{name}_values"]
    units = 1 + (np.abs(wanted).max() / digit / 1024 if name == "tokens" else 0)
    assert np.abs(values - wanted).max() <= units * digit * 1.001
