"""Windows of a real recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eegzip.downstream.windows import cut_windows
from eegzip.formats.edf import EdfFile


@pytest.fixture(scope="session")
def windows(eegmat: Path) -> np.ndarray:
    """Two windows of three channels in uV at 100 Hz, with flat parts nowhere."""
    with EdfFile.open(eegmat) as file:
        unit = file.header.signals[0].microvolts_per_digit
        signals = np.stack([file.read_signal(i, 0, 6500) * unit for i in range(3)])
    return cut_windows(signals, file.header.sample_rate(0))
