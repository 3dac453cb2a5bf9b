"""Pictures of the page, small enough to be sent about: traces of chosen windows, error over time, spectra."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

WINDOW = 10.0
"""Seconds of a page, as EEG is read."""

TRACE_RATE = 200.0
TRACE_BYTES = 2_250_000
"""Most that all traces may take, in base64."""

WORST, TYPICAL = 12, 4
LEVELS = 16
"""Steps of a trace within its usual size: less than the width of a line."""


@dataclass(frozen=True)
class ChannelPair:
    """A channel before and after.

    Parameters
    ----------
    label : str
    rate : float
        Samples a second.
    original, restored : ndarray of float32, shape (samples,)
        In uV where the unit is a voltage.
    """

    label: str
    rate: float
    original: np.ndarray
    restored: np.ndarray


def packed(values: np.ndarray) -> str:
    """Bytes of an array, deflated, as text."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode()


def window_errors(pairs: Sequence[ChannelPair], seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Error of each window: root of its mean square in uV, and in percent of the original's deviation there.

    Returns
    -------
    ndarray of float, shape (channels, windows), twice
        The last window may be a short one. Percent are 0 where both are the same, NaN where only the original is flat.
    """
    count = max(1, int(np.ceil(seconds / WINDOW - 1e-9)))
    errors, percents = np.zeros((len(pairs), count)), np.zeros((len(pairs), count))
    for row, pair in enumerate(pairs):
        for column in range(count):
            begin, end = (round(edge * WINDOW * pair.rate) for edge in (column, column + 1))
            x = pair.original[begin:end].astype(np.float64)
            if not len(x):
                continue
            errors[row, column] = np.sqrt(np.mean((x - pair.restored[begin:end]) ** 2))
            deviation = x.std()
            if errors[row, column]:
                percents[row, column] = 100 * errors[row, column] / deviation if deviation > 0 else np.nan
    return errors, percents


def chosen_windows(errors: np.ndarray) -> dict[str, list[int]]:
    """Choose the windows to be looked at first: those of the largest error in any channel, and typical ones."""
    largest, middle = errors.max(axis=0), np.median(errors, axis=0)
    worst = np.argsort(-largest, kind="stable")[:WORST].tolist()
    away = np.abs(middle - np.median(middle))
    typical = [index for index in np.argsort(away, kind="stable").tolist() if index not in worst][:TYPICAL]
    return {"worst": worst, "typical": typical}


def traces(pairs: Sequence[ChannelPair], first: Sequence[int], count: int) -> dict[str, Any]:
    """Traces of the windows in `first`, then of others spread over the recording, as many as there is room for."""
    resampled = [_at_trace_rate(pair) for pair in pairs]
    sizes = [float(np.median(np.abs(pair.original - np.median(pair.original)))) for pair in resampled]
    steps = [max(size, 1e-3) / LEVELS for size in sizes]
    stored: dict[int, str] = {}
    room = TRACE_BYTES
    for index in [*first, *_spread(count)]:
        if index in stored:
            continue
        text = packed(_window(resampled, steps, index))
        if len(text) > room:
            break
        stored[index] = text
        room -= len(text)
    return {"rates": [pair.rate for pair in resampled], "steps": steps, "windows": stored}


def _at_trace_rate(pair: ChannelPair) -> ChannelPair:
    if pair.rate <= TRACE_RATE:
        return pair
    from scipy.signal import resample_poly

    ratio = Fraction(TRACE_RATE / pair.rate).limit_denominator(1000)
    both = (
        resample_poly(values - values[:1], ratio.numerator, ratio.denominator).astype(np.float32) + values[:1]
        for values in (pair.original, pair.restored)
    )
    return ChannelPair(pair.label, pair.rate * float(ratio), *both)


def _spread(count: int) -> list[int]:
    """Numbers up to `count` in an order whose every beginning is spread evenly."""
    step, order = 1 << max(0, (count - 1).bit_length()), [0]
    while step > 1:
        order += range(step // 2, count, step)
        step //= 2
    return order


def _window(pairs: Sequence[ChannelPair], steps: Sequence[float], index: int) -> np.ndarray:
    """A window's bytes: of all channels first the low bytes, then the high ones, of uint16.

    A channel has its original as differences from sample to sample, then its error, both in steps. The sign is the
    lowest bit (0, -1, 1, -2... are 0, 1, 2, 3...), so that the high bytes of small values are all 0.
    """
    parts = []
    for pair, step in zip(pairs, steps, strict=True):
        begin, end = (round(edge * WINDOW * pair.rate) for edge in (index, index + 1))
        x = np.rint(pair.original[begin:end] / step)
        error = np.rint(pair.restored[begin:end] / step) - x
        # Differences wrap around, so that sums of them come out right whatever their size.
        parts += [np.diff(x, prepend=0), error]
    whole = np.concatenate(parts) if parts else np.zeros(0)
    wrapped = (whole.astype(np.int64) + 32768) % 65536 - 32768
    return ((wrapped << 1) ^ (wrapped >> 63)).astype("<u2").view(np.uint8).reshape(-1, 2).T


def spectra(pairs: Sequence[ChannelPair]) -> list[dict[str, Any]]:
    """Power of each channel in dB of uV^2/Hz, by Welch's method with windows of 2 s, up to 70 Hz."""
    from scipy.signal import welch

    found = []
    for pair in pairs:
        size = min(len(pair.original), round(2 * pair.rate))
        if size < 2:
            found.append({"step": 1.0, "original": [], "restored": []})
            continue
        frequencies, powers = welch(np.stack([pair.original, pair.restored]), pair.rate, nperseg=size)
        decibels = np.round(_decibels(powers[:, frequencies <= 70]), 1)
        found.append(
            {"step": float(frequencies[1]), "original": decibels[0].tolist(), "restored": decibels[1].tolist()}
        )
    return found


def spectrograms(pairs: Sequence[ChannelPair], seconds: float) -> dict[str, Any]:
    """Power from 1 to 50 Hz over time of each channel, before and after, in steps of 0.25 dB from -20 dB on."""
    columns = max(1, min(120, 3000 // max(1, len(pairs)), int(seconds)))
    return {"columns": columns, "rows": 50, "data": [packed(_spectrogram(pair, columns)) for pair in pairs]}


def _spectrogram(pair: ChannelPair, columns: int) -> np.ndarray:
    from scipy.signal import spectrogram

    size, result = round(pair.rate), np.zeros((2, 50, columns))
    if size >= 4 and len(pair.original) >= size:
        for row, values in enumerate((pair.original, pair.restored)):
            frequencies, times, power = spectrogram(values, pair.rate, nperseg=size, noverlap=0)
            edges = np.minimum(np.arange(columns) * len(times) // columns, len(times) - 1)
            sums = np.add.reduceat(power, edges, axis=1) / np.diff(np.append(edges, len(times))).clip(1)
            for band in range(min(50, int(pair.rate / 2))):
                result[row, band] = sums[np.abs(frequencies - band - 1).argmin()]
    return np.clip(np.rint(4 * (_decibels(result) + 20)), 0, 255).astype(np.uint8)


def _decibels(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 1e-9))
