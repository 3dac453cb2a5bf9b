"""A ``Raw`` of MNE as an ``.eegz`` file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegzip.arrays import compress_calibrated
from eegzip.formats.errors import UsageError
from eegzip.formats.extras import require
from eegzip.mne.digits import ChannelDigits
from eegzip.reports import CompressionReport

if TYPE_CHECKING:
    from mne.io import BaseRaw

_EEG = frozenset({"eeg", "seeg", "ecog", "dbs"})
_NOT_RECORDED = "BAD_ACQ_SKIP"


def raw_to_eegz(raw: BaseRaw, target: str | Path, *, bits: int | None = None, **options: Any) -> CompressionReport:
    """Compress a ``Raw`` of MNE.

    It becomes an EDF+ or BDF+ recording first, as with :func:`eegzip.compress_array`. Where samples were integers when
    they were read (EDF, BDF, BrainVision, EGI, ...; cropped, picked, or saved as FIF since, but not filtered), the
    step between them is found and they are stored as these integers: nothing is quantised anew, and ``lossless=True``
    then loses nothing. Other channels are rounded to the digits that `bits` give over their own range.

    Not kept is what this has no place for: electrode positions, bad channels, projectors, who the subject was.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        All its samples are held in memory. Names of channels must have 1 to 16 ASCII characters.
    target : path-like
        The ``.eegz`` file to make.
    bits : {16, 24}, optional
        EDF or BDF. By default what the integers take: 24 where they were those of BDF or need more than 16, else 16.
    **options
        As for :func:`eegzip.compress`. Unless they say what is `lossy`, channels whose type in MNE is none of EEG
        (``eog``, ``ecg``, ``stim``, ``misc``, ...) are kept exactly, and others as their names decide.

    Returns
    -------
    CompressionReport
        Its ``source`` is the temporary EDF file. Where the samples don't fill the last data record the rest holds
        the last value.

    Raises
    ------
    UsageError
        MNE is not installed, or EDF can't state a name, a date or values; see :func:`eegzip.compress_array`.

    Examples
    --------
    >>> from eegzip.mne import raw_to_eegz, read_raw_eegz
    >>> raw = read_raw_eegz("night.eegz", verbose="error").crop(1, 3)
    >>> report = raw_to_eegz(raw, "part.eegz", lossless=True)
    """
    require("mne", "mne")
    from mne.io import BaseRaw

    if not isinstance(raw, BaseRaw):
        raise UsageError(f"this takes a Raw of MNE, not {type(raw).__name__}; arrays go through eegzip.compress_array.")
    if bits not in (None, 16, 24):
        raise UsageError(f"samples have 16 bits (EDF) or 24 bits (BDF), not {bits}.")
    data = raw.get_data()
    if not np.isfinite(data).all():
        raise UsageError("the samples hold NaN or infinite values, which EDF can't store; replace them first.")
    recorded = _recorded(raw)
    channels = {name: ChannelDigits(raw, index, data[index], recorded) for index, name in enumerate(raw.ch_names)}
    bits = bits or max((channel.bits for channel in channels.values()), default=16)
    calibrations = {name: channel.calibration(bits) for name, channel in channels.items()}
    for row, (name, channel) in zip(data, channels.items(), strict=True):
        row *= channel.factor_of(calibrations[name])
    return compress_calibrated(
        data,
        raw.info["sfreq"],
        raw.ch_names,
        target,
        lambda _, name: calibrations[name],
        bits=bits,
        start=_start(raw),
        annotations=_annotations(raw),
        options=_with_types(raw, options),
    )


def _recorded(raw: BaseRaw) -> npt.NDArray[np.bool_]:
    """Which samples are more than the zeros of a gap."""
    recorded = np.ones(raw.n_times, bool)
    rate = raw.info["sfreq"]
    for onset, duration, text in zip(*_columns(raw), strict=True):
        if text == _NOT_RECORDED:
            recorded[max(0, round(onset * rate)) : max(0, round((onset + duration) * rate))] = False
    return recorded if recorded.any() else ~recorded


def _columns(raw: BaseRaw) -> tuple[Any, Any, Any]:
    """Onsets from the first sample, durations and texts of all annotations."""
    annotations = raw.annotations
    return annotations.onset - raw.first_time, annotations.duration, annotations.description


def _annotations(raw: BaseRaw) -> list[tuple[float, float | None, str]]:
    """What EDF stores; who reads it finds channels behind ``@@``, as MNE writes and reads them."""
    found: list[tuple[float, float | None, str]] = []
    for onset, duration, text, channels in zip(*_columns(raw), raw.annotations.ch_names, strict=True):
        marks = [f"@@{name}" for name in channels] or [""]
        found.extend((float(onset), float(duration) or None, f"{text}{mark}") for mark in marks)
    return found


def _start(raw: BaseRaw) -> Any:
    """Date and time of the first sample, in UTC, without saying so, as MNE reads EDF."""
    date = raw.info["meas_date"]
    return None if date is None else (date + timedelta(seconds=float(raw.first_time))).replace(tzinfo=None)


def _with_types(raw: BaseRaw, options: Mapping[str, Any]) -> Mapping[str, Any]:
    if options.get("lossy"):
        return options
    others = [name for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True) if kind not in _EEG]
    return {**options, "exact": (*options.get("exact", ()), *others)}
