"""Digits for the samples of a channel of MNE: those that they were, where they were integers once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.calibration import Calibration, calibrate, stated_bound, text_of
from eegzip.formats.errors import UsageError
from eegzip.mne.lattice import find_step, on_lattice

if TYPE_CHECKING:
    from mne.io import BaseRaw

_PER_VOLT = {"uV": 1e6, "mV": 1e3, "": 1.0}
"""What samples of MNE are multiplied with for a calibration in some unit."""

_FIFF_VOLT = 107
_VOLTAGES = frozenset({"V", "mV", "µV", "uV", "nV"})


class ChannelDigits:
    """How a channel is stored.

    Parameters
    ----------
    raw : BaseRaw
    index : int
        Of the channel.
    values : ndarray of float64, shape (n,)
        Its samples, in V or another unit.
    recorded : ndarray of bool, shape (n,)
        Which are not the zeros of a gap.
    """

    def __init__(
        self, raw: BaseRaw, index: int, values: npt.NDArray[np.float64], recorded: npt.NDArray[np.bool_]
    ) -> None:
        self._name = raw.ch_names[index]
        self._values = values
        self._recorded = values[recorded]
        self._precision = float(np.finfo(np.float32 if raw.orig_format == "single" else np.float64).eps)
        unit = raw._orig_units.get(self._name)
        if unit is None:
            # MNE gives counts of triggers the unit V, too.
            counts = raw.get_channel_types([index])[0] == "stim"
            is_voltage = raw.info["chs"][index]["unit"] == _FIFF_VOLT and not counts
        else:
            is_voltage = unit in _VOLTAGES
        self._unit = "uV" if is_voltage else ""
        self._read = _header_of(raw, self._name)

    @cached_property
    def _step(self) -> float | None:
        return find_step(self._recorded, self._precision)

    @property
    def bits(self) -> int:
        """How many bits the integers take: 24 where they were so wide when read, or there are more than 16 hold."""
        if self._read is not None and self._read[1] == "bdf":
            return 24
        if self._step is None:
            return 16
        return 24 if np.ptp(self._recorded) / self._step >= 1 << 16 else 16

    def factor_of(self, calibration: Calibration) -> float:
        """What the samples are to be multiplied with for a calibration."""
        return _PER_VOLT[calibration.unit]

    def calibration(self, bits: int) -> Calibration:
        """Choose the calibration: one under which the samples are integers, where there is one."""
        for candidate in self._candidates(bits):
            if self._fits(candidate, bits):
                return candidate
        found = calibrate(self._values * _PER_VOLT[self._unit], bits, self._name)
        if found.unit == "nV":
            # A thousandth of the unit, which MNE would not read as such.
            low, high = found.physical
            bounds = stated_bound(float(low) / 1000, ROUND_FLOOR), stated_bound(float(high) / 1000, ROUND_CEILING)
            return Calibration(self._unit, bounds, found.digital)
        return replace(found, unit=self._unit)

    def _candidates(self, bits: int) -> Iterator[Calibration]:
        if self._read is not None:
            yield self._read[0]
        if self._step is not None:
            factor = _PER_VOLT[self._unit]
            yield from _around(self._recorded * factor, self._step * factor, self._unit, bits)

    def _fits(self, calibration: Calibration, bits: int) -> bool:
        """Whether all samples are integers within the digits of a calibration, and these are of so many bits."""
        limit = 1 << (bits - 1)
        first, last = calibration.digital
        low, high = map(float, calibration.physical)
        step = (high - low) / (last - first)
        if not -limit <= first < last < limit or max(map(len, map(text_of, calibration.physical))) > 8:
            return False
        values = self._recorded * _PER_VOLT[calibration.unit]
        digits = np.rint((values[[values.argmin(), values.argmax()]] - low) / step) + first
        return bool(first <= digits.min() and digits.max() <= last) and on_lattice(values, low, step)


def _header_of(raw: BaseRaw, name: str) -> tuple[Calibration, str] | None:
    """What the header said of a channel that was read from EDF or BDF, and which of them it was."""
    extras: dict[str, Any] = raw._raw_extras[0] if raw._raw_extras else {}
    if extras.get("subtype") not in ("edf", "bdf") or name not in extras["ch_names"]:
        return None
    place = list(extras["ch_names"]).index(name)
    unit = {1e-6: "uV", 1e-3: "mV", 1.0: ""}.get(float(extras["units"][place]))
    low, high = (Decimal(repr(float(extras[key][place]))) for key in ("physical_min", "physical_max"))
    first, last = (int(extras[key][place]) for key in ("digital_min", "digital_max"))
    if unit is None or low == high or first >= last:
        return None
    return Calibration(unit, (low, high), (first, last)), extras["subtype"]


def _around(samples: npt.NDArray[np.float64], step: float, unit: str, bits: int) -> Iterator[Calibration]:
    """Calibrations with a step: 0 being the digit 0 where that is possible, or the middle of the samples."""
    low, high, limit = float(samples.min()), float(samples.max()), 1 << (bits - 1)
    steps = round((high - low) / step)
    for first in (round(low / step), -(steps // 2)):
        if not -limit <= first <= first + steps < limit:
            continue
        for digital in ((-limit, limit - 1), (first, first + steps)):
            try:
                bounds = [stated_bound(low + (digit - first) * step, ROUND_HALF_EVEN) for digit in digital]
            except UsageError:
                continue  # too far out for the header
            if bounds[0] < bounds[1]:
                yield Calibration(unit, (bounds[0], bounds[1]), digital)
