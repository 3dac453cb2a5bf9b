"""From microvolts to the digits of EDF or BDF: each signal over its own range, whose bounds have eight characters."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
import numpy.typing as npt

from eegzip.formats.errors import UsageError

LARGEST_MICROVOLTS = 9_999_999
"""What fits into eight characters with a sign."""

_WIDTH = 8
_MAX_DECIMALS = 6
# Below this a range in uV has too few decimals left.
_SMALL = 0.1
# Steps per range below which a signal would be no more than a staircase, and the rounding of float64 besides.
_MIN_STEPS, _FLOAT_NOISE = 100, 1e-9


@dataclass(frozen=True)
class Calibration:
    """What EDF says of a signal's samples.

    Attributes
    ----------
    unit : str
        ``uV``, or ``nV`` where all samples are small.
    physical : tuple of Decimal
        Minimum and maximum in `unit`.
    digital : tuple of int
        The same in digits.
    """

    unit: str
    physical: tuple[Decimal, Decimal]
    digital: tuple[int, int]

    def digits(self, microvolts: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        """Round samples to the nearest digit."""
        values = microvolts * 1000.0 if self.unit == "nV" else microvolts
        low, high = map(float, self.physical)
        scale = (self.digital[1] - self.digital[0]) / (high - low)
        return np.clip(np.rint((values - low) * scale) + self.digital[0], *self.digital).astype(np.int32)


def calibrate(microvolts: npt.NDArray[np.float64], bits: int, name: str) -> Calibration:
    """Choose the calibration of a signal.

    Its range is that of its samples, rounded outwards to what fits into the fields. Whole numbers of microvolts that
    fit into the digits are their own digits, so counts and triggers stay what they are.

    Parameters
    ----------
    microvolts : numpy.ndarray of float64, shape (n,)
        Its samples, n > 0, all finite and none beyond `LARGEST_MICROVOLTS`.
    bits : {16, 24}
    name : str
        Its label, for the error.

    Returns
    -------
    Calibration

    Raises
    ------
    UsageError
        Its samples differ by less than EDF can state.
    """
    low, high = float(microvolts.min()), float(microvolts.max())
    limit = 1 << (bits - 1)
    if -limit <= low and high < limit and bool((np.rint(microvolts) == microvolts).all()):
        first, last = int(low), int(high)
        if first == last:
            first, last = (first, last + 1) if last + 1 < limit else (first - 1, last)
        return Calibration("uV", (Decimal(first), Decimal(last)), (first, last))
    largest = max(abs(low), abs(high))
    factor, unit = (1000.0, "nV") if largest < _SMALL else (1.0, "uV")
    below, above = stated_bound(low * factor, ROUND_FLOOR), stated_bound(high * factor, ROUND_CEILING)
    if below == above:
        above = _next_above(above)
    step = float(above - below) / (2 * limit - 1) / factor
    if step * _MIN_STEPS > high - low > largest * _FLOAT_NOISE:
        raise UsageError(
            f"the samples of '{name}' lie within {high - low:.3g} uV around {low:.6g} uV, which is finer than the "
            "eight characters of EDF's bounds can state; are they really in uV? Take an offset away first."
        )
    return Calibration(unit, (below, above), (-limit, limit - 1))


def text_of(value: Decimal) -> str:
    """Write a bound without an exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def stated_bound(value: float, rounding: str) -> Decimal:
    """Round to the most decimals that fit into a field; raises UsageError where none do."""
    for decimals in range(_MAX_DECIMALS, -1, -1):
        rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding)
        if len(f"{rounded:f}") <= _WIDTH:
            return rounded if rounded else Decimal(0)
    raise UsageError(f"a value of {value:g} does not fit into the header of an EDF file.")


def _next_above(value: Decimal) -> Decimal:
    for decimals in range(_MAX_DECIMALS, -1, -1):
        larger = value + Decimal(1).scaleb(-decimals)
        if len(text_of(larger)) <= _WIDTH:
            return larger
    raise UsageError(f"a value of {value:g} does not fit into the header of an EDF file.")
