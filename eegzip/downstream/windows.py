"""Recordings cut into windows at the rate that features are computed at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from eegzip.downstream.bands import RATE
from eegzip.formats.errors import UsageError

SECONDS = 6.0
"""Length of a window."""


def cut_windows(
    signals: np.ndarray, rate: float, *, starts: Sequence[float] | None = None, limit: float | None = None
) -> np.ndarray:
    """Cut signals into windows of 6 s at 100 Hz.

    Parameters
    ----------
    signals : ndarray, shape (channels, samples)
        In uV.
    rate : float
        Samples a second. Other rates than 100 Hz are resampled with an anti-aliasing filter.
    starts : sequence of float, optional
        Seconds at which windows begin, of trials say; by default one begins where the one before ends. What would
        reach beyond the signals' end is left out.
    limit : float, optional
        uV. Signals are clipped there, and windows in which a channel reaches it are left out.

    Returns
    -------
    ndarray of float64, shape (windows, channels, 600)

    Raises
    ------
    UsageError
        The signals are shorter than a window, or the rate is none.
    """
    if not rate > 0 or signals.ndim != 2:
        raise UsageError("windows are cut from signals [channels, samples] with a rate above 0 Hz.")
    from scipy.signal import resample_poly

    ratio = Fraction(RATE / rate).limit_denominator(10_000)
    # Resampling pads with the signal's own line from end to end: an offset makes no step.
    even = np.asarray(signals, np.float64)
    if ratio != 1:
        even = resample_poly(even, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
    size = round(SECONDS * RATE)
    if even.shape[-1] < size:
        raise UsageError(f"signals of {even.shape[-1] / RATE:g} s are shorter than a window of {SECONDS:g} s.")
    last = even.shape[-1] - size
    begins = range(0, last + 1, size) if starts is None else [round(start * RATE) for start in starts]
    found = np.stack([even[:, begin : begin + size] for begin in begins if 0 <= begin <= last])
    if limit is None:
        return found
    found = np.clip(found, -limit, limit)
    return np.ascontiguousarray(found[(np.abs(found) < limit).all(axis=(1, 2))])
