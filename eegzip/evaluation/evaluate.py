"""Judges what came back: a restored recording, or an ``.eegz`` file, beside its original."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.extra import require_scipy
from eegzip.evaluation.band_table import band_table
from eegzip.evaluation.connectivity import Connectivity, connectivity
from eegzip.evaluation.metrics import measure
from eegzip.evaluation.report import ChannelEvaluation, EvaluationReport
from eegzip.evaluation.sides import Side, read_side, refuse_other
from eegzip.evaluation.tiers import TierMeter
from eegzip.formats.edf import SignalKind, classify_signals
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.remote.spooled import Source

if TYPE_CHECKING:
    from eegzip.progress import Progress


def evaluate(
    original: Source,
    restored: Source,
    *,
    model: str | Path | None = None,
    device: str = "cpu",
    key: AnyKey | None = None,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Compare a recording with what is left of it.

    Every channel that is no annotation is measured (see :mod:`eegzip.evaluation.metrics` for each figure); the EEG
    channels together are graded (see :mod:`eegzip.evaluation.tiers`), and what is between them is compared (see
    :mod:`eegzip.evaluation.connectivity`). Samples are compared as stored, in digital units. Both recordings are held
    in memory: 4 bytes a sample each.

    Parameters
    ----------
    original : path-like, URL, bytes or binary file
        EDF or BDF; or an ``.eegz`` file, which is restored in memory.
    restored : path-like, URL, bytes or binary file
        The same recording again, with the same channels, rates and records.
    model : path-like, optional
        As for :func:`eegzip.decompress`.
    device : str
    key : str, bytes or path-like, optional
        What opens files that are sealed as a whole, as in :func:`eegzip.open`.
    progress : callable, optional

    Returns
    -------
    EvaluationReport

    Raises
    ------
    EdfError, ContainerError, ModelError
        One of them can't be read.
    BadInputError
        They are not of the same recording: channels, rates, calibration or number of records differ.
    UsageError
        An installation for archives lacks scipy.

    Examples
    --------
    >>> report = eegzip.evaluate("night.edf", "night.eegz")
    >>> print(report.sentence())
    night.eegz: ...
    """
    require_scipy("evaluating")
    report = progress or (lambda *_: None)
    first = read_side(original, model, device, report, key)
    second = read_side(restored, model, device, report, key)
    refuse_other(first, second)
    return judge(first, second, report)


def judge(original: Side, restored: Side, progress: Progress, *, spectrogram: bool = True) -> EvaluationReport:
    """Compare two sides that :func:`~eegzip.evaluation.sides.refuse_other` lets pass.

    Parameters
    ----------
    original, restored : Side
    progress : callable
    spectrogram : bool
        Whether to compute the spectrogram loss, which needs torch.
    """
    header = original.header
    eeg = original.eeg | restored.eeg if restored.coded_bytes is not None else original.eeg
    meter = TierMeter()
    channels = []
    kinds = classify_signals(header)
    for index, signal in enumerate(header.signals):
        progress("comparing", index + 1, len(header.signals))
        if kinds[index] is SignalKind.ANNOTATIONS or not signal.samples_per_record:
            continue
        rate = header.sample_rate(index) or None
        unit = signal.microvolts_per_digit
        before, after = original.samples[index], restored.samples[index]
        measures = measure(before, after, rate, spectrogram=spectrogram)
        channels.append(
            ChannelEvaluation(
                label=signal.label,
                eeg=index in eeg,
                sample_rate=rate,
                largest_error_uv=None if unit is None else abs(unit) * measures.largest_error,
                measures=measures,
            )
        )
        if index in eeg and rate:
            meter.update(before, after, rate)
    coded, seconds = restored.coded_bytes, original.duration
    n_eeg = sum(len(original.samples[index]) for index in eeg)
    return EvaluationReport(
        original=original.path,
        restored=restored.path,
        duration=seconds,
        original_bytes=original.size if original.original_bytes is None else original.original_bytes,
        compressed_bytes=None if coded is None else restored.size,
        coded_bytes=coded,
        bits_per_second=8 * coded / seconds / len(eeg) if coded is not None and seconds and eeg else None,
        bits_per_sample=8 * coded / n_eeg if coded is not None and n_eeg else None,
        channels=tuple(channels),
        tier=meter.report(coded),
        bands=band_table([channel.measures for channel in channels if channel.eeg], _pairs(original, restored, eeg)),
    )


def _pairs(original: Side, restored: Side, eeg: frozenset[int]) -> dict[str, Connectivity]:
    """What is between those EEG channels that share the rate which most have."""
    header = original.header
    rates = {index: header.sample_rate(index) for index in sorted(eeg) if header.signals[index].samples_per_record}
    if not any(rates.values()):
        return {}
    rate, _ = Counter(rate for rate in rates.values() if rate).most_common(1)[0]
    chosen = [index for index, found in rates.items() if found == rate]
    before, after = (np.stack([side.samples[index] for index in chosen]) for side in (original, restored))
    return connectivity([header.signals[index].label for index in chosen], before, after, rate)
