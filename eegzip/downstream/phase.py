"""Phase locking between channels, band by band.

The phase locking value of two channels is the magnitude of the mean over time of exp(i (phase of one - phase of the
other)): 1 where they keep their distance, near 0 where they know nothing of each other (Lachaux, Rodriguez, Martinerie,
Varela, Human Brain Mapping 8, 1999). Phases are those of analytic signals behind a linear-phase FIR filter, whose delay
is taken out. A channel that is flat has no phase; its values are 0.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from eegzip.downstream.bands import OVERLAPPING, RATE, Band

TAPS = 331
"""Length of the filters: with Hamming's window edges of 1 Hz at 100 Hz, half as wide as the narrowest band."""

_FLAT = 1e-12
"""Share of the window's standard deviation below which a band holds rounding errors only."""


def locking(windows: np.ndarray) -> np.ndarray:
    """Return the phase locking values [windows, 15 bands, pairs] of windows [windows, channels, samples].

    Pairs are (0, 1), (0, 2) ... in the order of :func:`numpy.triu_indices`.
    """
    from scipy.fft import fft, ifft

    count, channels, size = windows.shape
    half = TAPS // 2
    first, second = np.triu_indices(channels, 1)
    found = np.empty((count, len(OVERLAPPING), len(first)))
    responses = _responses(size + 2 * half)
    for place, window in enumerate(windows):
        centred = window - window.mean(axis=-1, keepdims=True)
        deviation = centred.std(axis=-1)[:, None]
        # Mirrored ends, so that filters see a signal there instead of a step.
        spectrum = fft(np.pad(centred, ((0, 0), (half, half)), mode="reflect"), responses.shape[-1], axis=-1)
        analytic = ifft(spectrum * responses[:, None], axis=-1)[..., 2 * half : 2 * half + size]
        level = np.abs(analytic)
        sounding = (level > _FLAT * deviation) & (deviation > 0)
        units = np.divide(analytic, level, out=np.zeros_like(analytic), where=sounding)
        found[place] = np.abs(units @ units.conj().swapaxes(-1, -2))[:, first, second] / size
    return found


@cache
def _responses(samples: int) -> np.ndarray:
    """Frequency responses [bands, bins] that make of a real signal the analytic one of a band."""
    from scipy.fft import fft, next_fast_len
    from scipy.signal import firwin

    size = next_fast_len(samples + TAPS - 1)
    one_sided = np.zeros(size)
    one_sided[: (size + 1) // 2] = 2.0
    # 0 Hz and, of an even size, half the rate are their own mirror images.
    one_sided[[0, size // 2] if size % 2 == 0 else [0]] = 1.0
    return np.stack([fft(firwin(TAPS, **_edges(band), fs=RATE), size) * one_sided for band in OVERLAPPING])


def _edges(band: Band) -> dict[str, object]:
    low, high = band
    return {"cutoff": high, "pass_zero": "lowpass"} if low == 0 else {"cutoff": [low, high], "pass_zero": "bandpass"}
