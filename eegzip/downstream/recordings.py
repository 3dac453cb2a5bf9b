"""Features of files: EDF and BDF, and ``.eegz`` as restored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegzip.downstream.features import DOMAINS, Features, window_features
from eegzip.downstream.labelled import LabelledFeatures, LabelledRecording
from eegzip.downstream.windows import cut_windows
from eegzip.formats.errors import BadInputError, UsageError

_LIMIT = 800.0
"""uV beyond which a window is an artefact, as in brainfeatures."""


@dataclass(frozen=True)
class Signals:
    """EEG of a recording.

    Parameters
    ----------
    channels : tuple of str
        Labels, or the names they were asked for by.
    values : ndarray of float64, shape (channels, samples)
        In uV.
    rate : float
        Samples a second.
    """

    channels: tuple[str, ...]
    values: np.ndarray
    rate: float


def read_signals(
    path: str | Path, channels: Sequence[str] | None = None, *, model: str | Path | None = None
) -> Signals:
    """Read the EEG of an EDF or BDF file, or of an ``.eegz`` file as restored.

    Parameters
    ----------
    path : path-like
    channels : sequence of str, optional
        Labels or electrode names, each of one signal ("FP1" is "EEG FP1-REF", too); rows come in this order and bear
        these names. All EEG by default.
    model : path-like, optional
        Checkpoint, where it is neither bundled nor cached.

    Returns
    -------
    Signals

    Raises
    ------
    BadInputError
        The file can't be read; a channel is not in it, or twice; rates differ; there is no calibration in uV.

    Examples
    --------
    >>> from eegzip.downstream.recordings import read_signals
    >>> read_signals("night.edf", ["C3", "C4"]).values.shape
    (2, 2500)
    """
    from eegzip.evaluation.sides import read_side
    from eegzip.formats.edf.label_patterns import matches

    side = read_side(path, model, "cpu", lambda *_: None)
    signals = side.header.signals
    if channels is None:
        chosen = sorted(side.eeg)
        names = [signals[index].label for index in chosen]
    else:
        names, chosen = list(channels), []
        for name in names:
            found = [signal.index for signal in signals if matches(name, signal.label)]
            if len(found) != 1:
                how = "has no channel" if not found else f"has {len(found)} channels"
                raise BadInputError(f"{path}: {how} '{name}'; it has {', '.join(s.label for s in signals)}.")
            chosen += found
    rates = {side.header.sample_rate(index) for index in chosen}
    if len(rates) != 1:
        raise BadInputError(f"{path}: has no EEG of one sample rate; name channels that share one.")
    rows = []
    for index in chosen:
        signal = signals[index]
        step = signal.microvolts_per_digit
        if step is None or signal.gain is None or signal.offset is None:
            raise BadInputError(f"{path}: '{signal.label}' has no calibration in volts; name channels that have one.")
        # The offset, too, is in the signal's own unit.
        rows.append(side.samples[index] * step + signal.offset * (step / signal.gain))
    return Signals(tuple(names), np.stack(rows), rates.pop())


def recording_features(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    domains: Sequence[str] = DOMAINS,
    start: float = 0.0,
    stop: float | None = None,
    windows: Sequence[float] | None = None,
    limit: float | None = _LIMIT,
    model: str | Path | None = None,
) -> Features:
    """Compute features of the windows of a recording.

    Parameters
    ----------
    path : path-like
        EDF, BDF, or ``.eegz``, which is restored in memory.
    channels : sequence of str, optional
        Labels or electrode names, in the order of the columns; all EEG by default.
    domains : sequence of str
        As for :func:`window_features`.
    start, stop : float
        Seconds to look at. With brainfeatures: from 60 s on, 20 minutes at most.
    windows : sequence of float, optional
        Seconds after `start` at which windows begin, of trials say; by default one after the other.
    limit : float, optional
        uV: windows in which a channel reaches it are left out. ``None`` keeps all.
    model : path-like, optional
        Checkpoint, where it is neither bundled nor cached.

    Returns
    -------
    Features
        A row a window of 6 s.

    Raises
    ------
    BadInputError
        The file can't be read, lacks a channel, or no window is left of it.
    UsageError
        As for :func:`window_features`; or the stretch is shorter than a window.

    Examples
    --------
    >>> from eegzip.downstream import recording_features
    >>> found = recording_features("night.edf", channels=["C3", "C4"], domains=["dft"])  # doctest: +SKIP
    >>> found.values.shape  # doctest: +SKIP
    (10, 270)
    """
    signals = read_signals(path, channels, model=model)
    first, last = round(start * signals.rate), None if stop is None else round(stop * signals.rate)
    cut = cut_windows(signals.values[:, first:last], signals.rate, starts=windows, limit=limit)
    if not len(cut):
        raise BadInputError(f"{path}: no window is left below {limit:g} uV; a higher limit keeps more.")
    return window_features(cut, signals.channels, domains)


def labelled_features(
    recordings: Iterable[LabelledRecording],
    *,
    channels: Sequence[str],
    domains: Sequence[str] = DOMAINS,
    start: float = 0.0,
    stop: float | None = None,
    limit: float | None = _LIMIT,
    model: str | Path | None = None,
) -> LabelledFeatures:
    """Compute an example a recording: the medians of its windows' features.

    Parameters
    ----------
    recordings : iterable of LabelledRecording
    channels, domains, start, stop, limit, model
        As for :func:`recording_features`. Channels must be named: columns of recordings are the same.

    Returns
    -------
    LabelledFeatures

    Raises
    ------
    BadInputError, UsageError
        As for :func:`recording_features`; or there is no recording.
    """
    chosen = list(recordings)
    if not chosen:
        raise UsageError("there are no recordings to compute features of.")
    rows = [
        recording_features(
            recording.path, channels=channels, domains=domains, start=start, stop=stop, limit=limit, model=model
        ).median()
        for recording in chosen
    ]
    return LabelledFeatures(np.stack(rows), [r.label for r in chosen], [r.subject for r in chosen])
