"""The header of an EDF or BDF file, as values beside the verbatim bytes.

The specification is "EDF" (Kemp et al. 1992), "EDF+" (Kemp and Olivan 2003) and BioSemi's BDF, which is EDF with
24-bit samples. The bytes are the truth: `EdfHeader.raw` is what gets written again, the parsed values serve
only for reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise

from eegzip.formats.edf.deviations import Deviation
from eegzip.formats.edf.units import microvolts_per_unit

_ANNOTATION_LABELS = ("edf annotations", "bdf annotations")


@dataclass(frozen=True)
class SignalHeader:
    """One signal of a header (EDF; EDF+ section 2.1.3).

    Attributes
    ----------
    index : int
        Position in the file, from 0.
    label, transducer, unit, prefiltering : str
        Text fields without padding; `unit` is EDF's "physical dimension".
    physical_minimum, physical_maximum : float or None
        Calibration in `unit`; None where the field can't be read. The minimum may exceed the maximum
        (inverted polarity).
    digital_minimum, digital_maximum : int or None
        The same in digits.
    samples_per_record : int
        Samples in one data record, 0 or more.
    """

    index: int
    label: str
    transducer: str
    unit: str
    physical_minimum: float | None
    physical_maximum: float | None
    digital_minimum: int | None
    digital_maximum: int | None
    prefiltering: str
    samples_per_record: int

    @property
    def is_annotations(self) -> bool:
        """Whether the signal holds annotations (EDF+ section 2.2.1) instead of samples; capitals don't matter."""
        return self.label.casefold() in _ANNOTATION_LABELS

    @property
    def gain(self) -> float | None:
        """Physical units per digit, negative for inverted polarity; None where the calibration is unusable."""
        low, high = self.digital_minimum, self.digital_maximum
        if self.physical_minimum is None or self.physical_maximum is None or low is None or high is None:
            return None
        if low == high or self.physical_minimum == self.physical_maximum:
            return None
        return (self.physical_maximum - self.physical_minimum) / (high - low)

    @property
    def offset(self) -> float | None:
        """Physical value of digit 0: physical = gain * digital + offset; None like `gain`."""
        gain = self.gain
        if gain is None or self.physical_minimum is None or self.digital_minimum is None:
            return None
        return self.physical_minimum - gain * self.digital_minimum

    @property
    def microvolts_per_digit(self) -> float | None:
        """`gain` in microvolts; None where the unit is missing or no voltage, or the calibration unusable."""
        gain, scale = self.gain, microvolts_per_unit(self.unit)
        return None if gain is None or scale is None else gain * scale


@dataclass(frozen=True)
class EdfHeader:
    """The header of one file.

    Attributes
    ----------
    raw : bytes
        The header exactly as it stands in the file; its length is the offset of the first data record.
    is_bdf : bool
        Whether samples have 24 bits.
    variant : str
        ``EDF``, ``EDF+C``, ``EDF+D``, ``BDF``, ``BDF+C`` or ``BDF+D``.
    patient, recording : str
        The two local identification fields.
    start : datetime or None
        Start of the recording; None where it can't be read.
    declared_records : int or None
        The "number of data records" field, which may be wrong (see `EdfFile.n_records`).
    record_duration_exact : Fraction or None
        Duration of a data record in s; None where it can't be read.
    signals : tuple of SignalHeader
        In file order.
    deviations : tuple of Deviation
        What is not to the letter of the specification.
    """

    raw: bytes = field(repr=False)
    is_bdf: bool
    variant: str
    patient: str
    recording: str
    start: datetime | None
    declared_records: int | None
    record_duration_exact: Fraction | None
    signals: tuple[SignalHeader, ...]
    deviations: tuple[Deviation, ...]

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample: 2 in EDF, 3 in BDF."""
        return 3 if self.is_bdf else 2

    @property
    def is_discontinuous(self) -> bool:
        """Whether there may be gaps between the records (EDF+D, BDF+D)."""
        return self.variant.endswith("D")

    @property
    def record_duration(self) -> float | None:
        """Duration of a data record in s; None where it can't be read."""
        return None if self.record_duration_exact is None else float(self.record_duration_exact)

    @cached_property
    def signal_slices(self) -> tuple[slice, ...]:
        """Where each signal's bytes stand in a data record."""
        ends = list(accumulate((s.samples_per_record * self.sample_bytes for s in self.signals), initial=0))
        return tuple(slice(a, b) for a, b in pairwise(ends))

    @cached_property
    def record_bytes(self) -> int:
        """Bytes of one data record."""
        return self.signal_slices[-1].stop if self.signals else 0

    @property
    def annotation_indices(self) -> tuple[int, ...]:
        """Positions of the annotation signals."""
        return tuple(s.index for s in self.signals if s.is_annotations)

    def sample_rate_exact(self, index: int) -> Fraction | None:
        """Return the sampling rate of a signal as an exact fraction.

        Parameters
        ----------
        index : int
            Position of the signal.

        Returns
        -------
        Fraction or None
            Samples per record over record duration in Hz; None where the duration is unknown or 0.
        """
        if not self.record_duration_exact:
            return None
        return self.signals[index].samples_per_record / self.record_duration_exact

    def sample_rate(self, index: int) -> float:
        """Return the sampling rate of a signal.

        Parameters
        ----------
        index : int
            Position of the signal.

        Returns
        -------
        float
            Rate in Hz; 0.0 where the record duration is unknown or 0.
        """
        exact = self.sample_rate_exact(index)
        return 0.0 if exact is None else float(exact)
