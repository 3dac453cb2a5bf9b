"""The sums of a resampler: each output a dot product from the oldest sample to the newest, channels side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eegzip.formats.entropy.jit import jit


@jit
def _sum_up(samples: np.ndarray, taps: np.ndarray, up: int, down: int, offset: int, result: np.ndarray) -> None:
    """Fill `result` [n, C] of `samples` [N, C]; `offset` is where the first output stands in `samples`, in 1 / up."""
    reach = len(taps) // 2
    count, channels = result.shape
    for place in range(count):
        centre = offset + place * down
        out = result[place]
        # The first sample within reach; never before the first that there is.
        first = -((reach - centre) // up)
        tap = centre - first * up + reach
        number = first
        while tap >= 0:
            weight, row = taps[tap], samples[number]
            for channel in range(channels):
                out[channel] = out[channel] + weight * row[channel]
            tap -= up
            number += 1


def resampled(
    samples: npt.NDArray[np.float64],
    taps: npt.NDArray[np.float64],
    up: int,
    down: int,
    out_start: int,
    count: int,
    start: int,
) -> npt.NDArray[np.float64]:
    """Return `count` outputs [C, n] from output `out_start` on.

    Parameters
    ----------
    samples : ndarray, shape (C, N)
        All samples within reach, the first of them sample `start`.
    taps : ndarray, shape (2 * reach + 1,)
        The filter, at `up` times the samples' rate.
    up, down : int
    out_start, count, start : int
    """
    result = np.zeros((count, len(samples)))
    _sum_up(np.ascontiguousarray(samples.T), taps, up, down, out_start * down - start * up, result)
    return np.ascontiguousarray(result.T)
