"""Recordings that begin as arrays: pyedflib makes an EDF or BDF file of them, which is then compressed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from eegzip.compression import compress
from eegzip.formats.edf import Annotation, EdfFile, EdfWriter, decode_signal, read_timeline
from eegzip.formats.edf.cut import plan_cut
from eegzip.formats.errors import UsageError
from eegzip.reports import CompressionReport

_MAX_SAMPLES_PER_RECORD = 1 << 15
_MAX_RECORD_SECONDS = 60
# edflib counts the duration of a record in steps of 10 us.
_TICKS = 100_000


def compress_array(
    data: np.ndarray,
    sample_rate: float,
    channel_names: Sequence[str],
    target: str | Path,
    *,
    bits: int = 16,
    start: datetime | None = None,
    annotations: Sequence[tuple[float, float | None, str]] = (),
    **options: Any,
) -> CompressionReport:
    """Compress an array as if it were an EDF recording.

    Parameters
    ----------
    data : ndarray of float, shape (channels, samples)
        In uV. Each channel is quantised to `bits` over its own range first.
    sample_rate : float
        Hz.
    channel_names : sequence of str
        One a channel, at most 16 characters each; names such as ``Fp1`` or ``ECG`` decide how each is coded.
    target : path-like
        The ``.eegz`` file to make.
    bits : {16, 24}
        EDF or BDF.
    start : datetime, optional
        When the recording began; 1985-01-01 by default, EDF's way of saying unknown.
    annotations : sequence of (onset, duration, text)
        In seconds from the first sample; the duration may be ``None``. All are kept, whatever their number and length.
    **options
        As for :func:`eegzip.compress`.

    Returns
    -------
    CompressionReport
        Its ``source`` is the temporary EDF file. Where the samples don't fill the last data record the rest holds
        the last value.

    Raises
    ------
    UsageError
        Shapes, names or values don't fit.
    """
    data = np.atleast_2d(np.asarray(data, np.float64))
    _check(data, sample_rate, channel_names, bits)
    _check_annotations(annotations)
    record_samples, record_seconds = _record(data.shape[1], sample_rate)
    missing = -data.shape[1] % record_samples
    data = np.pad(data, ((0, 0), (0, missing)), mode="edge")
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        path = Path(folder) / ("array.edf" if bits == 16 else "array.bdf")
        _write(path, data, record_samples, record_seconds, channel_names, bits, start)
        if annotations:
            path = _annotate(path, annotations)
        return compress(path, target, **options)


def _check(data: np.ndarray, sample_rate: float, names: Sequence[str], bits: int) -> None:
    if data.ndim != 2 or not data.size:
        raise UsageError(f"data must have the shape (channels, samples) with at least one of each, not {data.shape}.")
    if len(names) != len(data):
        raise UsageError(f"there are {len(data)} channels but {len(names)} names.")
    if not np.isfinite(data).all():
        raise UsageError("data hold NaN or infinite values, which EDF can't store; replace them first.")
    if any(not name.isascii() or not 0 < len(name) <= 16 for name in names):
        raise UsageError("channel names must have 1 to 16 ASCII characters, as EDF labels do.")
    if not (np.isfinite(sample_rate) and sample_rate > 0):
        raise UsageError(f"a sample rate of {sample_rate} Hz makes no sense.")
    if bits not in (16, 24):
        raise UsageError(f"samples have 16 bits (EDF) or 24 bits (BDF), not {bits}.")
    if np.abs(data).max() > 9_999_999:
        raise UsageError("values beyond 9 999 999 uV don't fit into EDF's header; are they really in uV?")


def _check_annotations(annotations: Sequence[tuple[float, float | None, str]]) -> None:
    for onset, duration, text in annotations:
        if not np.isfinite(onset) or not np.isfinite(0 if duration is None else duration):
            raise UsageError(f"the annotation '{text}' has an onset or a duration that is no number of seconds.")
        # The marks between the parts of an annotation list; a text that holds one would come back in pieces.
        if not text or set(text) & set("\0\x14\x15"):
            raise UsageError("the text of an annotation must not be empty nor hold the characters 0, 20 or 21.")


def _record(n_samples: int, sample_rate: float) -> tuple[int, Fraction]:
    """Samples and seconds of a data record: about a second, and a divisor of the length where there is one."""
    rate = Fraction(sample_rate).limit_denominator(1000)
    whole, seconds = rate.numerator, Fraction(rate.denominator)  # so many samples take whole seconds
    if not whole or seconds > _MAX_RECORD_SECONDS or whole > _MAX_SAMPLES_PER_RECORD:
        # No whole seconds: as near as a duration of five decimals comes, over ten seconds.
        whole = min(max(round(10 * sample_rate), 1), _MAX_SAMPLES_PER_RECORD)
        seconds = Fraction(round(whole / sample_rate * _TICKS), _TICKS)
        if not Fraction(1, 1000) <= seconds <= _MAX_RECORD_SECONDS:
            raise UsageError(f"a sample rate of {sample_rate:g} Hz does not fit into EDF's data records.")
        return whole, seconds
    longest = min(n_samples, _MAX_SAMPLES_PER_RECORD, int(10 * rate))
    fitting = [
        samples
        for samples in range(max(1, int(rate / 4)), longest + 1)
        if n_samples % samples == 0 and (samples / rate * _TICKS).denominator == 1
    ]
    if fitting:
        samples = min(fitting, key=lambda samples: (abs(samples - rate), samples))
        return samples, samples / rate
    return whole, seconds


def _write(
    path: Path,
    data: np.ndarray,
    record_samples: int,
    record_seconds: Fraction,
    names: Sequence[str],
    bits: int,
    start: datetime | None,
) -> None:
    import pyedflib

    kind = pyedflib.FILETYPE_EDFPLUS if bits == 16 else pyedflib.FILETYPE_BDFPLUS
    limit = 1 << (bits - 1)
    signals: list[dict[str, str | int | float | None]] = []
    for name, channel in zip(names, data, strict=True):
        # EDF has eight characters for each bound: whole microvolts always fit.
        bound = max(1, int(np.ceil(np.abs(channel).max())))
        signals.append(
            {
                "label": name,
                "dimension": "uV",
                "sample_frequency": float(record_samples / record_seconds),
                "physical_max": bound,
                "physical_min": -bound,
                "digital_max": limit - 1,
                "digital_min": -limit,
                "transducer": "",
                "prefilter": "",
            }
        )
    with warnings.catch_warnings(), pyedflib.EdfWriter(str(path), len(data), file_type=kind) as writer:
        # It warns of any duration that it did not choose itself; this one suits the rate by construction.
        warnings.simplefilter("ignore", UserWarning)
        writer.setDatarecordDuration(float(record_seconds))
        writer.setSignalHeaders(signals)
        writer.setStartdatetime(start or datetime(1985, 1, 1))
        writer.writeSamples([np.ascontiguousarray(channel) for channel in data])


def _annotate(path: Path, annotations: Sequence[tuple[float, float | None, str]]) -> Path:
    """Copy a recording and add annotations.

    Not by pyedflib: it keeps one a data record, 40 bytes of each text and 0.1 ms, and says nothing about the rest.
    """
    copy = path.with_name(f"annotated{path.suffix}")
    with EdfFile.open(path) as file, copy.open("wb") as stream:
        timeline = read_timeline(file)
        first = float(timeline.onsets[0])
        added = tuple(
            Annotation(first + onset, None if duration is None or duration < 0 else float(duration), text, 0)
            for onset, duration, text in annotations
        )
        signals = [signal.index for signal in file.header.signals if not signal.is_annotations]
        cut = plan_cut(
            file.header,
            replace(timeline, annotations=added),
            first_record=0,
            stop_record=file.n_records,
            signals=signals,
        )
        writer = EdfWriter(stream)
        writer.write_header(cut.header.raw)
        for begin, block in file.blocks():
            samples = {index: decode_signal(block, file.header, index) for index in signals}
            writer.write_records(cut.records(begin, samples))
    return copy
