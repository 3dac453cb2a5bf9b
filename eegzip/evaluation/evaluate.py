"""Judges what came back: a restored recording, or an ``.eegz`` file, beside its original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.recording_decoder import Restorer
from eegzip.evaluation.coded_size import coded_bytes
from eegzip.evaluation.metrics import measure
from eegzip.evaluation.report import ChannelEvaluation, EvaluationReport
from eegzip.evaluation.tiers import TierMeter
from eegzip.formats.edf import EdfFile, SignalKind, classify_signals
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError
from eegzip.formats.files import is_eegz

if TYPE_CHECKING:
    from eegzip.formats.edf import EdfHeader
    from eegzip.progress import Progress


def evaluate(
    original: str | Path,
    restored: str | Path,
    *,
    model: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> EvaluationReport:
    """Compare a recording with what is left of it.

    Every channel that is no annotation is measured (see :mod:`eegzip.evaluation.metrics` for each figure); the EEG
    channels together are graded (see :mod:`eegzip.evaluation.tiers`). Samples are compared as stored, in digital units.
    The restored recording is held in memory: 4 bytes a sample.

    Parameters
    ----------
    original : path-like
        EDF or BDF.
    restored : path-like
        EDF or BDF of the same channels, rates and records; or an ``.eegz`` file, which is restored in memory.
    model : path-like, optional
        As for :func:`eegzip.decompress`.
    device : str
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

    Examples
    --------
    >>> report = eegzip.evaluate("night.edf", "night.eegz")  # doctest: +SKIP
    >>> print(report.sentence())  # doctest: +SKIP
    """
    report = progress or (lambda *_: None)
    with EdfFile.open(original) as file:
        if is_eegz(restored):
            with EegzReader(restored, priors(model)) as reader:
                _refuse_other(file, stored_edf_header(reader.header), reader.header.n_records, restored)
                eeg = [i for i, kind in enumerate(classify_signals(file.header)) if kind is SignalKind.EEG]
                eeg = sorted({*eeg, *(signal for group in reader.header.groups for signal in group.signals)})
                samples = _restored_samples(Restorer(reader, None, model, device), report)
                size, coded = reader.size, coded_bytes(reader, eeg)
        else:
            with EdfFile.open(restored) as again:
                _refuse_other(file, again.header, again.n_records, restored)
                eeg = [i for i, kind in enumerate(classify_signals(file.header)) if kind is SignalKind.EEG]
                samples = {
                    index: again.read_signal(index, 0, again.n_samples(index))
                    for index in range(len(file.header.signals))
                }
                size, coded = None, None
        return _judged(file, samples, frozenset(eeg), (str(original), str(restored)), size, coded, report)


def _restored_samples(restorer: Restorer, progress: Progress) -> dict[int, np.ndarray]:
    header = restorer.reader.header
    samples = {
        index: np.empty((header.n_records, signal.samples_per_record), np.int32)
        for index, signal in enumerate(header.signals)
    }
    for first, stop, block in restorer.blocks(0, header.n_records):
        for index, values in block.items():
            samples[index][first:stop] = values
        progress("restoring", stop, header.n_records)
    return {index: values.reshape(-1) for index, values in samples.items()}


def _refuse_other(file: EdfFile, header: EdfHeader, n_records: int, restored: str | Path) -> None:
    """Refuse to compare recordings whose samples don't mean the same."""
    if len(header.signals) != len(file.header.signals):
        raise BadInputError(
            f"{restored}: has {len(header.signals)} signals and {file.path} has {len(file.header.signals)}; compare a "
            "recording with its own original, and restore it as a whole."
        )
    for ours, theirs in zip(file.header.signals, header.signals, strict=True):
        same = ours.label == theirs.label and ours.samples_per_record == theirs.samples_per_record
        if not same or (ours.gain, ours.offset) != (theirs.gain, theirs.offset):
            raise BadInputError(
                f"{restored}: signal {ours.index} ('{theirs.label}') differs from that of {file.path} "
                f"('{ours.label}') in label, rate or calibration; compare a recording with its own original."
            )
    if n_records != file.n_records:
        raise BadInputError(
            f"{restored}: has {n_records} data records and {file.path} has {file.n_records}; compare whole recordings."
        )


def _judged(
    file: EdfFile,
    samples: dict[int, np.ndarray],
    eeg: frozenset[int],
    paths: tuple[str, str],
    size: int | None,
    coded: int | None,
    progress: Progress,
) -> EvaluationReport:
    header = file.header
    meter = TierMeter()
    channels = []
    kinds = classify_signals(header)
    for index, signal in enumerate(header.signals):
        progress("comparing", index + 1, len(header.signals))
        if kinds[index] is SignalKind.ANNOTATIONS or not signal.samples_per_record:
            continue
        rate = header.sample_rate(index) or None
        original = file.read_signal(index, 0, file.n_samples(index))
        unit = signal.microvolts_per_digit
        measures = measure(original, samples[index], rate)
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
            meter.update(original, samples[index], rate)
    n_eeg = sum(file.n_samples(index) for index in eeg)
    seconds = file.n_records * (header.record_duration or 0.0)
    return EvaluationReport(
        original=paths[0],
        restored=paths[1],
        duration=seconds or None,
        original_bytes=file.file_size,
        compressed_bytes=size,
        coded_bytes=coded,
        bits_per_second=8 * coded / seconds / len(eeg) if coded is not None and seconds and eeg else None,
        bits_per_sample=8 * coded / n_eeg if coded is not None and n_eeg else None,
        channels=tuple(channels),
        tier=meter.report(coded),
    )
