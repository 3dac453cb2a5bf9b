"""Recordings that begin as arrays: an EDF or BDF file is made of them, which is then compressed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegzip.compression import compress
from eegzip.formats.edf import Annotation, EdfWriter, Timeline
from eegzip.formats.edf.calibration import LARGEST_MICROVOLTS, Calibration, calibrate
from eegzip.formats.edf.cut import plan_cut
from eegzip.formats.edf.new_header import FIRST_YEAR, LAST_YEAR, MAX_SIGNALS, new_header
from eegzip.formats.edf.record_length import RecordLength, fit_record
from eegzip.formats.errors import UsageError
from eegzip.reports import CompressionReport

if TYPE_CHECKING:
    from eegzip.formats.edf.cut import Cut

_LATEST = 1e9
"""Seconds from the start within which annotations make sense."""

_BLOCK_SAMPLES = 1 << 21


def compress_array(
    data: npt.ArrayLike,
    sample_rate: float,
    channel_names: Sequence[str],
    target: str | Path,
    *,
    bits: int = 16,
    start: datetime | None = None,
    annotations: Sequence[tuple[float, float | None, str]] = (),
    **options: Any,
) -> CompressionReport:
    """Compress an array as if it were an EDF recording. The same input gives the same bytes, on any day.

    Parameters
    ----------
    data : array_like of real numbers, shape (channels, samples)
        In uV, up to 9 999 999. Each channel is rounded to the digits that `bits` give over its own range; whole numbers
        that fit into `bits` stay what they are.
    sample_rate : float
        Hz. Where the eight characters of EDF's record duration can't state it, it comes back a millionth off at most.
    channel_names : sequence of str
        One a channel, 1 to 16 printable ASCII characters each; names such as ``Fp1`` or ``ECG`` decide how each is
        coded.
    target : path-like
        The ``.eegz`` file to make.
    bits : {16, 24}
        EDF or BDF.
    start : datetime, optional
        When the recording began, without a time zone, 1985 to 2084, down to microseconds. By default it is unknown,
        which EDF writes as 1985-01-01.
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
        Shapes, types, names or values don't fit, or EDF can't state them.
    """
    return compress_calibrated(
        data,
        sample_rate,
        channel_names,
        target,
        lambda row, name: calibrate(row, bits, name),
        bits=bits,
        start=start,
        annotations=annotations,
        options=options,
    )


def compress_calibrated(
    data: npt.ArrayLike,
    sample_rate: float,
    channel_names: Sequence[str],
    target: str | Path,
    calibration: Callable[[npt.NDArray[np.float64], str], Calibration],
    *,
    bits: int,
    start: datetime | None,
    annotations: Sequence[tuple[float, float | None, str]],
    options: Mapping[str, Any],
) -> CompressionReport:
    """Do what `compress_array` does, with calibrations of the caller's: of a channel's samples and its name."""
    samples = _numbers(data)
    names = _names(channel_names)
    _check(samples, names, bits)
    rate = _rate(sample_rate)
    first = _first_onset(start)
    added = _annotations(annotations, first)
    record = fit_record(samples.shape[1], rate, len(samples) * bits // 8)
    samples = np.pad(samples, ((0, 0), (0, -samples.shape[1] % record.samples)), mode="edge")
    calibrations = [calibration(row, name) for name, row in zip(names, samples, strict=True)]
    planned = _planned(names, calibrations, record, samples.shape[1] // record.samples, start, first, added, bits)
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        path = Path(folder) / ("array.edf" if bits == 16 else "array.bdf")
        _write(path, planned, samples, calibrations, record.samples)
        return compress(path, target, **options)


def _numbers(data: npt.ArrayLike) -> npt.NDArray[np.float64]:
    if np.ma.isMaskedArray(data) and np.ma.getmaskarray(data).any():
        raise UsageError("data hold masked values, which EDF can't store; fill them first.")
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"data can't be taken as an array ({reason}); give channels of one length, and of a tensor "
            "tensor.detach().cpu().numpy()."
        ) from error
    if array.dtype.kind not in "biuf":
        raise UsageError(f"data must be real numbers in uV, not of the type {array.dtype}; convert them first.")
    return np.atleast_2d(array.astype(np.float64))


def _names(channel_names: Sequence[str]) -> list[str]:
    if isinstance(channel_names, str):
        raise UsageError(f"channel names must be a sequence, one a channel: ['{channel_names}'].")
    try:
        names = list(channel_names)
    except TypeError as error:
        raise UsageError("channel names must be a sequence of texts, one a channel.") from error
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"the channel name {name!r} is no text.")
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= 16 and name == name.strip()):
            raise UsageError(
                f"the channel name {name!r} does not fit: EDF labels have 1 to 16 printable ASCII characters, and no "
                "blank around them."
            )
        if name.casefold() in ("edf annotations", "bdf annotations"):
            raise UsageError(f"'{name}' is how EDF calls its annotations, so no channel can have this name; rename it.")
    return names


def _check(data: npt.NDArray[np.float64], names: Sequence[str], bits: int) -> None:
    if data.ndim != 2 or not data.size:
        raise UsageError(f"data must have the shape (channels, samples) with at least one of each, not {data.shape}.")
    if len(names) != len(data):
        raise UsageError(
            f"there are {len(data)} channels but {len(names)} names; the shape must be (channels, samples)."
        )
    if len(data) > MAX_SIGNALS:
        raise UsageError(f"EDF has room for {MAX_SIGNALS} channels, not for {len(data)}; make several files.")
    if not np.isfinite(data).all():
        raise UsageError("data hold NaN or infinite values, which EDF can't store; replace them first.")
    if bits not in (16, 24):
        raise UsageError(f"samples have 16 bits (EDF) or 24 bits (BDF), not {bits}.")
    if np.abs(data).max() > LARGEST_MICROVOLTS:
        raise UsageError("values beyond 9 999 999 uV don't fit into EDF's header; are they really in uV?")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _rate(sample_rate: float) -> Fraction:
    """Return the fraction that is meant: 249.84 is 6246/25, and 333.333... is 1000/3."""
    if not _is_number(sample_rate):
        raise UsageError(f"the sample rate must be a number of Hz, not {sample_rate!r}.")
    if not (np.isfinite(float(sample_rate)) and sample_rate > 0):
        raise UsageError(f"a sample rate of {sample_rate} Hz makes no sense.")
    # The shortest decimals that give this float, whatever its precision.
    written = Fraction(str(sample_rate))
    simple = written.limit_denominator(1000)
    return simple if abs(simple - written) <= written * Fraction(1, 10**12) else written


def _first_onset(start: datetime | None) -> Fraction:
    """Check the start, and return the part of it that the onset of the first record carries."""
    if start is None:
        return Fraction(0)
    if not isinstance(start, datetime):
        raise UsageError(f"the start must be a datetime, not {start!r}.")
    if start.tzinfo is not None:
        raise UsageError("EDF knows no time zones; give the local time, start.replace(tzinfo=None).")
    if not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise UsageError(
            f"EDF can state dates from {FIRST_YEAR} to {LAST_YEAR}, not {start.date()}; shift the start into these "
            "years, or leave it out."
        )
    return Fraction(start.microsecond, 10**6)


def _annotations(given: Sequence[tuple[float, float | None, str]], first: Fraction) -> list[Annotation]:
    try:
        items = list(given)
    except TypeError as error:
        raise UsageError("annotations must be a sequence of (onset, duration or None, text).") from error
    return [_annotation(item, first) for item in items]


def _annotation(given: tuple[float, float | None, str], first: Fraction) -> Annotation:
    try:
        onset, duration, text = given
    except (TypeError, ValueError) as error:
        raise UsageError(f"an annotation is (onset, duration or None, text), not {given!r}.") from error
    for seconds in (onset, 0.0 if duration is None else duration):
        if not _is_number(seconds) or not abs(float(seconds)) <= _LATEST:
            raise UsageError(f"the annotation {text!r} has an onset or a duration that is no number of seconds.")
    # The marks between the parts of an annotation list; a text that holds one would come back in pieces.
    if not isinstance(text, str) or not text or set(text) & set("\0\x14\x15"):
        raise UsageError("the text of an annotation must not be empty nor hold the characters 0, 20 or 21.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the annotation {text!r} can't be written in UTF-8.") from error
    length = None if duration is None or duration < 0 else float(duration)
    return Annotation(float(first) + float(onset), length, str(text), 0)


def _planned(
    names: Sequence[str],
    calibrations: Sequence[Calibration],
    record: RecordLength,
    n_records: int,
    start: datetime | None,
    first: Fraction,
    annotations: Sequence[Annotation],
    bits: int,
) -> Cut:
    """Lay the recording out: a cut of all of it, as that is what knows how to place annotations."""
    header = new_header(names, calibrations, record, n_records, start, bits=bits)
    step = Fraction(record.duration)
    onsets = np.array([float(first + step * number) for number in range(n_records)])
    timeline = Timeline(onsets, tuple(annotations), ())
    return plan_cut(header, timeline, first_record=0, stop_record=n_records, signals=range(len(names)))


def _write(
    path: Path,
    planned: Cut,
    data: npt.NDArray[np.float64],
    calibrations: Sequence[Calibration],
    record_samples: int,
) -> None:
    step = max(1, _BLOCK_SAMPLES // (record_samples * len(data)))
    with path.open("wb") as stream:
        writer = EdfWriter(stream)
        writer.write_header(planned.header.raw)
        for begin in range(0, planned.stop_record, step):
            where = slice(begin * record_samples, (begin + step) * record_samples)
            digits = {
                index: calibration.digits(row[where]).reshape(-1, record_samples)
                for index, (calibration, row) in enumerate(zip(calibrations, data, strict=True))
            }
            writer.write_records(planned.records(begin, digits))
