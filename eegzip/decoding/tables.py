"""Stretches of recordings as labelled arrays of pandas and xarray."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from eegzip.formats.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray

    from eegzip.recording import Recording

Channels = Sequence[str] | str | None


def dataframe(recording: Recording, channels: Channels, start: float, stop: float | None) -> DataFrame:
    """Make what :meth:`eegzip.Recording.to_dataframe` returns."""
    pandas = _package("pandas")
    values, labels, _, time, _ = _read(recording, channels, start, stop)
    return pandas.DataFrame(values.T, index=pandas.Index(time, name="time"), columns=labels)


def data_array(recording: Recording, channels: Channels, start: float, stop: float | None) -> DataArray:
    """Make what :meth:`eegzip.Recording.to_xarray` returns."""
    xarray = _package("xarray")
    values, labels, units, time, rate = _read(recording, channels, start, stop)
    begun = recording.edf_header.start
    attributes = {"sample_rate": rate} | ({} if begun is None else {"start": begun.isoformat()})
    coordinates = {"channel": labels, "time": ("time", time, {"units": "s"}), "unit": ("channel", units)}
    return xarray.DataArray(values, coordinates, ("channel", "time"), attrs=attributes)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"this takes a package that is not installed: pip install 'eegzip[{name}]'.") from None


def _read(
    recording: Recording, channels: Channels, start: float, stop: float | None
) -> tuple[np.ndarray, list[str], list[str], np.ndarray, float]:
    """Samples, labels, units, times and the rate."""
    values = recording.read(channels, start, stop)
    header = recording.edf_header
    chosen = recording.signals_of_one_rate(channels)
    signals = [header.signals[index] for index in chosen]
    units = ["uV" if signal.microvolts_per_digit is not None else signal.unit for signal in signals]
    rate = header.sample_rate(chosen[0])
    time = (round(start * rate) + np.arange(values.shape[1])) / rate
    return values, [signal.label for signal in signals], units, time, rate
