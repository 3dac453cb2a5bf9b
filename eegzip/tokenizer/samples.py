"""A tensor of samples as the file route sees a recording: integers, in data records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf import EdfHeader, SignalHeader
from eegzip.formats.edf.recording import BLOCK_BYTES
from eegzip.formats.errors import UsageError

RESOLUTION = 2.0**-5
"""Microvolts of a digit, where no recording says: finer than amplifiers are, and 24 bits of them hold 260 mV."""

_LIMIT = 1 << 23
_SAMPLE_BYTES = 3


class Samples:
    """Samples that were never in a file, read as an EDF file is.

    Parameters
    ----------
    digits : ndarray of int32, shape (C, T)
        Digital values.
    header : EdfHeader
        Of signals that have one sample rate, in the order of the rows.
    n_records : int
        Data records in which they lie.
    record_bytes : int
        Of a data record of the recording that they are from; stretches by which a recording is judged follow from it.
    """

    trailing_size = 0

    def __init__(self, digits: npt.NDArray[np.int32], header: EdfHeader, n_records: int, record_bytes: int) -> None:
        self._digits = digits
        self.header = header
        self.n_records = n_records
        self._step = max(1, BLOCK_BYTES // max(1, record_bytes))

    def digital(self, start: int, stop: int, signals: Sequence[int]) -> npt.NDArray[np.int32]:
        """Digital values [signals, n] of the records from `start` up to `stop`."""
        per_record = self.header.signals[signals[0]].samples_per_record
        return self._digits[list(signals), start * per_record : stop * per_record]

    def spans(self) -> Iterator[tuple[int, int]]:
        """First record, and the one after the last, of what is read at a time; as of an EDF file."""
        for first in range(0, self.n_records, self._step):
            yield first, min(first + self._step, self.n_records)


class Layout:
    """How samples of some channels would lie in an EDF file.

    Parameters
    ----------
    channel_names : sequence of str
    sample_rate : float
        Hz.
    n_samples : int
        Of each channel.
    like : EdfHeader, optional
        Of the recording that they are from: it says what a digit is, and how long data records are. Without one a digit
        is :data:`RESOLUTION`.

    Attributes
    ----------
    gains, offsets : ndarray of float64, shape (C,)
        Microvolts a digit, and microvolts of digit 0; 1 and 0 where the recording has no calibration.
    rate : Fraction
        Hz.

    Raises
    ------
    UsageError
        The recording has no such channels or another sample rate.
    """

    def __init__(
        self, channel_names: Sequence[str], sample_rate: float, n_samples: int, like: EdfHeader | None = None
    ) -> None:
        if not (math.isfinite(sample_rate) and sample_rate > 0):
            raise UsageError(f"the sample rate must be a positive number of Hz, not {sample_rate}.")
        self.names = tuple(channel_names)
        self.n_samples = n_samples
        if like is None:
            self.rate = Fraction(sample_rate).limit_denominator(10**6)
            per_record = math.gcd(n_samples, max(round(self.rate), 1))
            signals = [_signal(name, per_record) for name in self.names]
            self._record_bytes = per_record * len(signals) * _SAMPLE_BYTES
            self._limit = _LIMIT
        else:
            signals = [_named(like, name) for name in self.names]
            self.rate = _rate_of(like, signals, sample_rate)
            per_record = signals[0].samples_per_record
            if n_samples % per_record:
                # A part of the recording that is no whole number of its data records.
                per_record = math.gcd(n_samples, per_record)
            self._record_bytes = like.record_bytes
            self._limit = 1 << (8 * like.sample_bytes - 1)
        self._n_records = n_samples // per_record
        scales = [_calibration(signal) for signal in signals]
        self.gains = np.array([gain for gain, _ in scales])
        self.offsets = np.array([offset for _, offset in scales])
        own = [replace(signal, index=i, samples_per_record=per_record) for i, signal in enumerate(signals)]
        self._header = EdfHeader(
            raw=b"",
            is_bdf=True if like is None else like.is_bdf,
            variant="BDF" if like is None else like.variant,
            patient="",
            recording="",
            start=None,
            declared_records=self._n_records,
            record_duration_exact=per_record / self.rate,
            signals=tuple(own),
            deviations=(),
        )

    def samples(self, microvolts: npt.NDArray[np.float64]) -> Samples:
        """Round samples [C, T] to digits.

        Raises
        ------
        UsageError
            They are beyond what the digits hold.
        """
        digits = np.rint((microvolts - self.offsets[:, None]) / self.gains[:, None])
        # Not by min and max, which would let NaN through.
        if not (np.abs(digits + 0.5) <= self._limit).all():
            channel = int(np.argmin((np.abs(digits + 0.5) <= self._limit).all(axis=1)))
            raise UsageError(
                f"channel '{self.names[channel]}' has samples that are no numbers, or beyond "
                f"{self._limit * abs(self.gains[channel]):.6g} uV; samples must be in uV, finite."
            )
        return Samples(digits.astype(np.int32), self._header, self._n_records, self._record_bytes)


def _signal(name: str, per_record: int) -> SignalHeader:
    """A channel of digits of `RESOLUTION`."""
    low, high = -_LIMIT * RESOLUTION, (_LIMIT - 1) * RESOLUTION
    return SignalHeader(0, name, "", "uV", low, high, -_LIMIT, _LIMIT - 1, "", per_record)


def _named(like: EdfHeader, name: str) -> SignalHeader:
    """The signal of a recording that has a label."""
    found = [signal for signal in like.signals if signal.label == name and not signal.is_annotations]
    if len(found) != 1:
        known = ", ".join(signal.label for signal in like.signals if not signal.is_annotations)
        raise UsageError(
            f"the recording has {len(found) or 'no'} channel{'s' if found else ''} '{name}'; channel_names must be "
            f"labels as they stand in its header: {known}."
        )
    return found[0]


def _rate_of(like: EdfHeader, signals: Sequence[SignalHeader], sample_rate: float) -> Fraction:
    rates = {like.sample_rate_exact(signal.index) or Fraction(0) for signal in signals}
    rate = rates.pop()
    if rates or not rate or not math.isclose(float(rate), sample_rate, rel_tol=1e-6):
        raise UsageError(f"the channels of the recording don't all have the sample rate of {sample_rate:g} Hz.")
    return rate


def _calibration(signal: SignalHeader) -> tuple[float, float]:
    """Microvolts a digit and microvolts of digit 0; digits themselves where there is no calibration."""
    if signal.gain is None or signal.offset is None:
        return 1.0, 0.0
    unit = 1.0 if signal.microvolts_per_digit is None else signal.microvolts_per_digit / signal.gain
    return signal.gain * unit, signal.offset * unit
