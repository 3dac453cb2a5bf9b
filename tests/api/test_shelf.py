"""Odd recordings, one after the other: every way of coding brings each back, as readers that are not ours see it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import edfio
import mne
import numpy as np
import pyedflib
import pytest
from api.plain_edf import PlainEdf, beginning
from api.recordings import SHIPPED

import eegzip

SHELF = sorted(path for path in (SHIPPED / "edf").iterdir() if path.suffix in (".edf", ".bdf"))
WAYS: dict[str, dict[str, Any]] = {
    "tokens": {"model": "dac-sc-compact-1"},
    "lossless": {"lossless": True},
    "PRD": {"max_prd": 9},
    "error and SNR": {"max_error": 2, "min_snr": 20},
}


BEGINNING = 50_000
"""Bytes of a recording that is coded lossily: that takes its time, and what is odd is odd from the start."""


def open_with_pyedflib(path: Path) -> None:
    with pyedflib.EdfReader(str(path)) as file:
        for index in range(file.signals_in_file):
            file.readSignal(index, digital=True)
        file.readAnnotations()


def open_with_mne(path: Path) -> None:
    read = mne.io.read_raw_bdf if path.suffix == ".bdf" else mne.io.read_raw_edf
    read(path, preload=True, verbose="ERROR").get_data()


def open_with_edfio(path: Path) -> None:
    file = (edfio.read_bdf if path.suffix == ".bdf" else edfio.read_edf)(path)
    for signal in file.signals:
        signal.digital  # noqa: B018 - read where it lies


READERS = (open_with_pyedflib, open_with_mne, open_with_edfio)


def opens(read: Callable[[Path], None], path: Path) -> bool:
    """Whether a reader takes a file; what it says about it is its own affair."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except Exception:
        return False
    return True


@cache
def readers_of(path: Path) -> tuple[Callable[[Path], None], ...]:
    """Readers that take an original."""
    return tuple(read for read in READERS if opens(read, path))


# By the default model, test_api_round_trip.py does the first with each of them.
@pytest.mark.parametrize("way", [pytest.param("tokens", marks=pytest.mark.long), *list(WAYS)[1:]])
@pytest.mark.parametrize("source", SHELF, ids=lambda path: path.name)
def test_it_comes_back(source: Path, way: str, tmp_path: Path) -> None:
    if way != "lossless":
        plain = PlainEdf.read(source)
        if plain.complete_records and len(plain.raw) > BEGINNING:
            seconds = plain.seconds_per_record * max(BEGINNING // plain.record_bytes, 2)
            source = beginning(source, tmp_path / source.name, seconds)
    packed, back = tmp_path / "a.eegz", tmp_path / f"back{source.suffix}"
    report = eegzip.compress(source, packed, **WAYS[way])
    found = eegzip.verify(packed, deep=True)
    assert found.intact, found.problems
    eegzip.decompress(packed, back)

    original, restored = PlainEdf.read(source), PlainEdf.read(back)
    lossy = [index for index, signal in enumerate(report.signals) if signal.coding != "exact"]
    assert restored.without(lossy) == original.without(lossy)
    if not lossy:
        assert restored.raw == original.raw  # and so every reader sees the same
        assert report.model is None
        return
    assert way != "lossless"
    for index in lossy:
        x, y = original.digital(index).astype(float), restored.digital(index).astype(float)
        if way == "tokens":
            assert x.min() <= y.min() <= y.max() <= x.max()
        error = np.sqrt(((x - y) ** 2).sum() / ((x - x.mean()) ** 2).sum())
        if way in ("PRD", "error and SNR"):
            assert error <= {"PRD": 0.09, "error and SNR": 0.1}[way] * (1 + 1e-9)
        if way == "error and SNR":
            assert np.abs(x - y).max() * microvolts(original, index) <= 2 * (1 + 1e-9)
    for read in readers_of(source):
        assert opens(read, back), read.__name__


def microvolts(recording: PlainEdf, index: int) -> float:
    """Of one digit."""
    low, high, first, last = (float(recording.column(before, 8)[index]) for before in (104, 112, 120, 128))
    # Every other spelling on the shelf means uV.
    unit = {"mV": 1e3, "V": 1e6, "nV": 1e-3}.get(recording.units[index], 1.0)
    return abs((high - low) / (last - first)) * unit


def test_the_readers_are_at_work() -> None:
    """An ordinary recording opens with all of them, and what is none with none."""
    path = SHIPPED / "edf" / "test_uneven_samp.edf"
    assert len(readers_of(path)) == len(READERS)
    assert not any(opens(read, Path(__file__)) for read in READERS)
