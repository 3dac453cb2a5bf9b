"""An ``.eegz`` file as a ``Raw`` of MNE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.extras import require
from eegzip.formats.remote.path import RemotePath
from eegzip.restored_file import RestoredFile

if TYPE_CHECKING:
    from eegzip.mne.raw import RawEegz, RawEegzBdf


def read_raw_eegz(
    fname: str | Path | RemotePath,
    preload: bool | str = False,
    verbose: bool | str | int | None = None,
    *,
    eog: Sequence[str | int] | None = None,
    misc: Sequence[str | int] | None = None,
    stim_channel: str | int | Sequence[str | int] = "auto",
    exclude: str | Sequence[str] = (),
    infer_types: bool = False,
    include: str | Sequence[str] | None = None,
    units: str | Mapping[str, str] | None = None,
    encoding: str = "utf8",
    exclude_after_unique: bool = False,
    model: str | Path | None = None,
    device: str = "cpu",
    alone: bool = False,
    key: AnyKey | None = None,
) -> RawEegz | RawEegzBdf:
    """Open an ``.eegz`` file as a ``Raw`` of MNE, with nothing decoded until it is asked for.

    All is as :func:`mne.io.read_raw_edf` or :func:`mne.io.read_raw_bdf` has it of the restored file, which need not be
    made: MNE's own reader reads it, decoded on the way. Channels of other rates are resampled to the highest, which
    has edge effects unless the whole is read (``preload=True``).

    One thing differs. MNE puts the data records of a discontinuous file (EDF+D, BDF+D) one after the other, so that its
    annotations lie at wrong samples behind the first gap. Here gaps are there, as zeros annotated ``BAD_ACQ_SKIP``, and
    all times are true. Where data records overlap or are not in order of time, that can't be: then they are joined
    as MNE does, with a warning.

    Parameters
    ----------
    fname : path-like or URL
        The ``.eegz`` file. It is opened when samples are read and need not stay open: thousands may be at hand.
    preload, verbose, eog, misc, stim_channel, exclude, infer_types, include, units, encoding, exclude_after_unique
        As for :func:`mne.io.read_raw_edf`.
    model, device, alone, key
        As for :func:`eegzip.open`.

    Returns
    -------
    RawEegz or RawEegzBdf
        A ``mne.io.BaseRaw``; the second where the recording was a BDF file. It can be copied, pickled and shared by
        threads. Samples are float64 in V (channels without a unit: as stored), shape (channels, samples).

    Raises
    ------
    UsageError
        MNE is not installed.
    BadInputError, ContainerError
        The file can't be opened, or is damaged: reading samples says so when it meets damage.
    ModelError
        Reading samples needs a model that is not at hand.

    Examples
    --------
    >>> from eegzip.mne import read_raw_eegz
    >>> raw = read_raw_eegz("night.eegz", verbose="error")
    >>> raw.get_data(["EEG C3", "EEG C4"], tmin=1, tmax=3).shape
    (2, 1000)
    """
    require("mne", "mne")
    from eegzip.mne.raw import RawEegz, RawEegzBdf

    options: dict[str, Any] = {
        "preload": preload,
        "verbose": verbose,
        "eog": eog,
        "misc": misc,
        "stim_channel": stim_channel,
        "exclude": exclude,
        "infer_types": infer_types,
        "include": include,
        "units": units,
        "encoding": encoding,
        "exclude_after_unique": exclude_after_unique,
    }
    file = RestoredFile(fname, model=model, device=device, alone=alone, key=key)
    raw = (RawEegzBdf if file.edf_header.is_bdf else RawEegz)(file, **options)
    # What MNE keeps of how any Raw was read.
    raw._init_kwargs = {"fname": fname, **options, "model": model, "device": device, "alone": alone}
    return raw
