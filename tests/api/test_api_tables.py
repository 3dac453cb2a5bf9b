"""Stretches of recordings as tables of pandas and arrays of xarray."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import eegzip


def test_a_table(eegmat: Path, compressed: Callable[..., Path]):
    pytest.importorskip("pandas")
    with eegzip.open(compressed(eegmat, lossless=True)) as recording:
        wanted = recording.channels[1::-1]
        table = recording.to_dataframe(wanted, start=1, stop=1.5)
        assert np.array_equal(table.to_numpy(), recording.read(wanted, 1, 1.5).T)
    assert list(table.columns) == wanted
    assert (table.index.name, table.index[0], table.index[-1]) == ("time", 1.0, 1.498)


def test_a_labelled_array(eegmat: Path, compressed: Callable[..., Path]):
    pytest.importorskip("xarray")
    with eegzip.open(compressed(eegmat, lossless=True)) as recording:
        array = recording.to_xarray(start=1)
        assert np.array_equal(array.sel(channel=recording.channels[0]), recording.read(recording.channels[0], 1)[0])
        assert array.attrs["start"] == recording.edf_header.start.isoformat()
    assert (array.dims, array.attrs["sample_rate"], float(array.time[1])) == (("channel", "time"), 500, 1.002)
    assert set(array.unit.values.tolist()) == {"uV"}


def test_a_missing_package_is_named(eegmat: Path, compressed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with (
        eegzip.open(compressed(eegmat, lossless=True)) as recording,
        pytest.raises(eegzip.UsageError, match=r"eegzip\[pandas\]"),
    ):
        recording.to_dataframe()
