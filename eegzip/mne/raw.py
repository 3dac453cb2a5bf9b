"""MNE's readers of EDF and BDF, at work on the file that an ``.eegz`` file restores to.

They read any file-like object since MNE 1.10. What they are given decodes only the signals that are asked for. Between
them and their base class stands one that makes room for the gaps of discontinuous recordings.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from mne.io import BaseRaw
from mne.io.edf.edf import RawBDF, RawEDF
from mne.utils import warn

from eegzip.formats.remote.path import is_url
from eegzip.mne.gaps import Run, find_runs

if TYPE_CHECKING:
    from eegzip.restored_file import RestoredFile

GAP = "BAD_ACQ_SKIP"
"""What MNE calls a stretch that was not recorded."""


class _WithGaps(BaseRaw):
    """Counts the samples of gaps as the recording's, before MNE sets annotations or reads samples."""

    def __init__(self, info: Any, preload: Any = False, **rest: Any) -> None:
        runs = rest["raw_extras"][0]["runs"] = _runs(rest["raw_extras"][0])
        if is_url(rest["raw_extras"][0]["blob"].name):
            rest["filenames"] = [None]  # MNE wants files that are here
        rest["last_samps"] = [runs[-1].first + runs[-1].length - 1]
        super().__init__(info, preload, **rest)


class RawEegz(RawEDF, _WithGaps):
    """A recording in an ``.eegz`` file that was an EDF file; made by :func:`eegzip.mne.read_raw_eegz`."""

    def __init__(self, file: RestoredFile, **options: Any) -> None:
        super().__init__(file, **options)
        _annotate_gaps(self)

    def _read_segment_file(self, data: Any, idx: Any, fi: int, start: int, stop: int, cals: Any, mult: Any) -> Any:
        return _read(RawEDF, self._raw_extras[fi], data, idx, start, stop, cals, mult)


class RawEegzBdf(RawBDF, _WithGaps):
    """A recording in an ``.eegz`` file that was a BDF file; made by :func:`eegzip.mne.read_raw_eegz`."""

    def __init__(self, file: RestoredFile, **options: Any) -> None:
        super().__init__(file, **options)
        _annotate_gaps(self)

    def _read_segment_file(self, data: Any, idx: Any, fi: int, start: int, stop: int, cals: Any, mult: Any) -> Any:
        return _read(RawBDF, self._raw_extras[fi], data, idx, start, stop, cals, mult)


def _runs(extras: dict[str, Any]) -> list[Run]:
    """Stretches without a gap; one where MNE's reader knows of no others."""
    joined = [Run(0, 0, int(extras["nsamples"]))]
    file, length = extras["blob"], extras["record_length"]
    if not file.edf_header.is_discontinuous:
        return joined
    onsets = file.timeline().onsets.tolist()[: int(extras["n_records"])]
    runs = find_runs(onsets, float(length[0] / length[1]), int(extras["max_samp"]))
    if runs is None:
        warn(
            f"The data records of {file.name} overlap or are not in order of time. They are joined as they come, so "
            "annotations may lie at wrong samples."
        )
        return joined
    return runs


def _annotate_gaps(raw: BaseRaw) -> None:
    runs, rate = raw._raw_extras[0]["runs"], raw.info["sfreq"]
    ends = [run.first + run.length for run in runs[:-1]]
    onsets = [end / rate for end in ends]
    durations = [(run.first - end) / rate for run, end in zip(runs[1:], ends, strict=True)]
    raw.annotations.append(onsets, durations, [GAP] * len(onsets))


def _read(
    reader: type[BaseRaw],
    extras: dict[str, Any],
    data: Any,
    idx: Any,
    start: int,
    stop: int,
    cals: Any,
    mult: Any,
) -> Any:
    """Let one of MNE's readers read samples of some channels, run by run; or, of no channels, the annotations."""
    picked = extras["sel"][idx]
    # A file of its own for this call, as threads may read at the same time.
    file = extras["blob"].of_signals(picked if len(picked) else extras["tal_idx"])

    def read(into: Any, first: int, end: int, nsamples: int) -> Any:
        # A reader looks at nothing but these two.
        self = SimpleNamespace(_raw_extras=[{**extras, "blob": file, "nsamples": nsamples}], filenames=[file.name])
        return reader._read_segment_file(self, into, idx, 0, first, end, cals, mult)

    stored = int(extras["nsamples"])
    if not len(picked):
        return read(np.empty((0, stored)), 0, stored, stored)
    runs: list[Run] = extras["runs"]
    if len(runs) == 1:
        return read(data, start, stop, stored)
    data[:] = 0
    for run in runs:
        low, high = max(start, run.first), min(stop, run.first + run.length)
        if low < high:
            shift = run.stored - run.first
            # Each run is a whole of its own: read as one, it has no edges that MNE should warn of.
            read(data[:, low - start : high - start], low + shift, high + shift, run.length)
    return None
