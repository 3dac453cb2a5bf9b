"""Whether peaks came back: their height and their time, of the largest ones and of spikes.

Both kinds are sought in the EEG part (:mod:`~eegzip.evaluation.eeg_part`) of the original, of either polarity, with
SciPy's ``find_peaks``; what became of each is what the restored EEG part holds near it.

largest peaks
    The largest :data:`PEAKS_PER_MINUTE` a minute (one at least) of those that are the largest within
    :data:`PEAK_APART` s. Height: the value. They are amplitude and latency as they are read off an evoked response
    (Luck, *An Introduction to the Event-Related Potential Technique*, 2nd ed. 2014, chapter 9), of the EEG's own peaks.
spikes
    Sharp transients. Of a spike or a sharp wave the IFCN's glossary (Kane et al., Clinical Neurophysiology Practice
    2, 2017) says that it stands out from the background and lasts 20 to 200 ms. Here that is a prominence of
    :data:`SPIKE_SIZE` or more times the background, and a width at half of it of :data:`SPIKE_WIDTHS` s (a triangle is
    half as wide there as at its base). The background is 1.4826 times the median of the magnitudes (Hampel, JASA 69,
    1974: the standard deviation of a normal distribution, unmoved by what stands out). Height: the value above the
    straight line between the values one such width before and after. They are candidates: sharp muscle artefacts and
    rhythms count too, and nothing is said about epilepsy.

What became of a peak is the extremum of its polarity within :data:`NEAR` s of it. Change of amplitude:
100 * (height there / height before - 1), in percent; -100 and less means that it is gone. Error of timing: how far away
it lies, in ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PEAKS_PER_MINUTE = 10
PEAK_APART = 0.2
SPIKE_SIZE = 6.0
SPIKE_WIDTHS = (0.01, 0.1)
NEAR = 0.05
FLATTENED = -50.0
"""Percent. A spike that lost as much of its height or more counts as flattened."""

MIN_RATE = 100.0
"""Hz. Spikes of 20 ms can't be seen below it."""


@dataclass(frozen=True)
class PeakErrors:
    """What became of some peaks of one channel; see the module for definitions.

    Parameters
    ----------
    count : int
        How many there are in the original.
    amplitude_change, worst_amplitude_change : float or None
        Percent: in the median, and of the peak that lost the most. ``None`` without peaks, as for the next two.
    timing_error, worst_timing_error : float or None
        ms: in the median, and the largest.
    flattened : int
        How many lost half of their height or more.
    """

    count: int = 0
    amplitude_change: float | None = None
    worst_amplitude_change: float | None = None
    timing_error: float | None = None
    worst_timing_error: float | None = None
    flattened: int = 0


def largest_peaks(original: np.ndarray, restored: np.ndarray, rate: float) -> PeakErrors:
    """Follow the largest peaks of a signal.

    Parameters
    ----------
    original, restored : ndarray of float, shape (samples,)
        EEG parts.
    rate : float
        Samples a second.
    """
    from scipy.signal import find_peaks

    size = np.abs(original)
    places, _ = find_peaks(size, distance=max(1, round(PEAK_APART * rate)))
    wanted = max(1, int(PEAKS_PER_MINUTE * len(original) / rate / 60))
    # Of equal ones the first; a stable order is the same everywhere.
    chosen = np.sort(places[np.argsort(-size[places], kind="stable")[:wanted]])
    found = _found_again(original, restored, chosen, round(NEAR * rate))
    heights = [(abs(original[at]), np.sign(original[at]) * restored[there]) for at, there in found]
    return _errors(heights, found, rate)


def spikes(original: np.ndarray, restored: np.ndarray, rate: float) -> PeakErrors:
    """Follow the sharp transients of a signal; none are seen at less than 100 Hz. Parameters as above."""
    if rate < MIN_RATE or not len(original):
        return PeakErrors()
    from scipy.signal import find_peaks

    background = 1.4826 * float(np.median(np.abs(original)))
    if background == 0:
        return PeakErrors()
    least, most = (width * rate for width in SPIKE_WIDTHS)
    found, heights = [], []
    for sign in (1, -1):
        places, shape = find_peaks(sign * original, prominence=SPIKE_SIZE * background, width=(least, most))
        pairs = _found_again(original, restored, places, round(NEAR * rate), sign)
        for (at, there), width in zip(pairs, shape["widths"], strict=True):
            heights.append((_rise(sign * original, at, width), _rise(sign * restored, there, width)))
        found += pairs
    return _errors(heights, found, rate)


def _found_again(
    original: np.ndarray, restored: np.ndarray, places: np.ndarray, near: int, sign: int | None = None
) -> list[tuple[int, int]]:
    """Where each peak lies in the original and in the restored signal."""
    pairs = []
    for place in places.tolist():
        begin = max(0, place - near)
        stretch = restored[begin : place + near + 1] * (np.sign(original[place]) if sign is None else sign)
        # Of equal values the nearest: a plateau has not moved.
        tops = begin + np.flatnonzero(stretch == stretch.max())
        pairs.append((place, int(tops[np.abs(tops - place).argmin()])))
    return pairs


def _rise(values: np.ndarray, at: int, width: float) -> float:
    """Height above the line between the values a width before and after."""
    away = max(1, round(width))
    before, after = values[max(0, at - away)], values[min(len(values) - 1, at + away)]
    return float(values[at] - (before + after) / 2)


def _errors(heights: list[tuple[float, float]], found: list[tuple[int, int]], rate: float) -> PeakErrors:
    kept = [index for index, (before, _) in enumerate(heights) if before > 0]
    if not kept:
        return PeakErrors()
    changes = np.array([100 * (heights[index][1] / heights[index][0] - 1) for index in kept])
    delays = np.array([1000 * abs(found[index][1] - found[index][0]) / rate for index in kept])
    return PeakErrors(
        count=len(kept),
        amplitude_change=float(np.median(changes)),
        worst_amplitude_change=float(changes.min()),
        timing_error=float(np.median(delays)),
        worst_timing_error=float(delays.max()),
        flattened=int((changes <= FLATTENED).sum()),
    )
