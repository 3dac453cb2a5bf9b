"""Bounds on the error of a signal in a chunk, and how near an error is to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eegzip.evaluation.eeg_part import NORM, eeg_energy
from eegzip.formats.eegz.header import Targets

TIE = 2.0**-20
"""Digital units by which another machine's layers may differ (SPEC.md, section 9)."""

_SURELY = 1 - 1e-6
"""So that whoever computes the EEG part with other roundings finds the bound kept too."""

_MAX_PEAK = 1 << 25

_EVEN_SHARE = 0.98
"""The error of a quantiser with a step is not quite that of an even distribution."""


@dataclass(frozen=True)
class Bounds:
    """What one signal's error may be in one chunk, in digital units.

    Parameters
    ----------
    rms : float
        Root of the mean squared error; infinite where only `peak` counts.
    peak : int or None
        Every error; ``None`` where any is allowed.
    eeg_rms : float
        As `rms`, of the error's EEG part (SPEC.md, section 7.1).
    """

    rms: float
    peak: int | None
    eeg_rms: float = math.inf

    def least_rms(self) -> float:
        """The root-mean-square error of a white error that is just within the bounds on averages."""
        return min(self.rms, self.eeg_rms)

    def widest_step(self) -> int:
        """The largest odd step of a quantiser whose errors are all within the bounds."""
        rms = self.least_rms()
        step = 1 if rms <= 0 else math.sqrt(min(12 * rms**2, 4.0 * _MAX_PEAK**2) * _EVEN_SHARE + 1)
        half = int((step - 1) // 2)
        return 2 * (half if self.peak is None else min(half, self.peak)) + 1

    def less(self, slack: float) -> Bounds:
        """Bounds for a machine whose samples may be off by `slack` elsewhere; negative where none are left."""
        peak = None if self.peak is None else self.peak - math.ceil(slack)
        return Bounds(self.rms - slack, peak, self.eeg_rms - NORM * slack)


def bounds_of(targets: Targets, values: np.ndarray, eeg: float, microvolts: float | None) -> Bounds:
    """Bounds of a signal's samples of one chunk.

    Parameters
    ----------
    targets : Targets
    values : ndarray of int32, shape (n,)
        The original.
    eeg : float
        Energy of its EEG part: the sum of squares.
    microvolts : float or None
        Size of a digital unit; known where an error in uV has a bound.
    """
    percent = targets.prd_bound()
    rms = eeg_rms = math.inf
    if percent is not None:
        rms = percent / 100 * float(values.std())
        eeg_rms = _SURELY * percent / 100 * math.sqrt(eeg / len(values))
    if targets.max_error_uv is None or not microvolts:
        return Bounds(rms, None, eeg_rms)
    # What a float rounds away must not cost a whole digital unit.
    return Bounds(rms, int(min(targets.max_error_uv / abs(microvolts) * (1 + 1e-12), _MAX_PEAK)), eeg_rms)


def excess(
    original: np.ndarray,
    samples: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    bounds: list[Bounds],
    rate: float,
) -> np.ndarray:
    """How many times its bound each signal's error is, on whichever machine it is restored.

    Parameters
    ----------
    original : ndarray of int32, shape (signals, n)
    samples : ndarray of float64 or int32, shape (signals, n)
        What a decoder restores, before rounding.
    lowest, highest : ndarray of int, shape (signals, 1)
    bounds : list of Bounds
    rate : float
        Samples a second.
    """
    below = np.clip(np.rint(samples - TIE), lowest, highest)
    above = np.clip(np.rint(samples + TIE), lowest, highest)
    return excess_between(original, below, above, bounds, rate)


def excess_between(
    original: np.ndarray, below: np.ndarray, above: np.ndarray, bounds: list[Bounds], rate: float
) -> np.ndarray:
    """As :func:`excess`, of what is restored to the digital values `below` or `above`, sample by sample either."""
    # Where rounding is a matter of the last bits, the worse of both neighbours counts.
    below, above = below - original, above - original
    errors = np.maximum(np.abs(below), np.abs(above)).astype(np.float64)
    rms = np.sqrt(np.einsum("ij,ij->i", errors, errors) / errors.shape[1])
    result = np.array([value / max(bound.rms, 1e-9) for value, bound in zip(rms, bounds, strict=True)])
    if any(np.isfinite(bound.eeg_rms) for bound in bounds):
        # Whichever neighbours another machine takes, its error is no further from one than all that may differ.
        differing = np.sqrt(np.square(above - below).sum(axis=1))
        eeg_rms = (np.sqrt(eeg_energy(below, rate)) + NORM * differing) / math.sqrt(errors.shape[1])
        result = np.maximum(result, eeg_rms / np.maximum([bound.eeg_rms for bound in bounds], 1e-9))
    for place, bound in enumerate(bounds):
        if bound.peak is not None:
            result[place] = max(result[place], errors[place].max() / max(bound.peak, 0.5))
    return result
