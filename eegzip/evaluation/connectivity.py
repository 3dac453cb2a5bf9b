"""Whether channels still go together: phase locking and correlation between them, before and after, band by band.

Each stretch of :data:`STRETCH` s (what is left at the end belongs to the last one; shorter recordings are one) loses
its straight line, and a band's analytic signal z is what the discrete Fourier transform has from the band's lower edge,
included, to its upper, excluded, doubled. A second at either end of a stretch, where that wraps around, is left out.
Of two channels, over all that is left:

phase locking
    |mean(exp(i * (phase of one - phase of the other)))|: 0 for phases that have nothing to do with each other, 1 for
    such as keep their distance (Lachaux et al., Human Brain Mapping 8, 1999, its mean taken over time, not trials).
correlation
    Pearson's r of the band's signals, Re(sum(z1 * conj(z2))) over the root of the product of their sums of squares.

Compared are all pairs of EEG channels that have the rate which most of them have. Neighbours on the scalp lock because
of volume conduction; what matters here is only whether the figures changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eegzip.evaluation.metrics import BANDS

STRETCH = 60.0
LEFT_OUT = 1.0
MIN_SECONDS = 5.0
CONNECTIVITY_BANDS = {**BANDS, "all": (0.5, 45.0)}


@dataclass(frozen=True)
class Connectivity:
    """Pairs of channels in one band; see the module for definitions.

    Parameters
    ----------
    pairs : int
        How many there are.
    plv_before, plv_after : float
        Phase locking, mean over pairs, of the original and of the restored recording.
    plv_change, largest_plv_change : float
        Magnitude of its change: mean over pairs, and the largest.
    plv_pair : tuple of (str, str)
        Channels of the latter.
    r_change, largest_r_change : float
        The same of the correlation.
    r_pair : tuple of (str, str)
    """

    pairs: int
    plv_before: float
    plv_after: float
    plv_change: float
    largest_plv_change: float
    plv_pair: tuple[str, str]
    r_change: float
    largest_r_change: float
    r_pair: tuple[str, str]


def band_matrices(values: np.ndarray, rate: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Phase locking and correlation of all pairs of channels.

    Parameters
    ----------
    values : ndarray of float, shape (channels, samples)
    rate : float
        Samples a second.

    Returns
    -------
    dict of str to (ndarray, ndarray), each of shape (channels, channels)
        By band; without those that reach beyond half the rate. NaN where a channel has nothing in the band.
    """
    from scipy.signal import detrend

    n, total = values.shape
    bands = {name: edges for name, edges in CONNECTIVITY_BANDS.items() if edges[1] <= rate / 2}
    sums = {name: (np.zeros((n, n), complex), np.zeros((n, n), complex)) for name in bands}
    counts = dict.fromkeys(bands, 0)
    edges = [round(STRETCH * rate * number) for number in range(max(1, int(total / rate / STRETCH)))] + [total]
    for begin, end in pairwise(edges):
        spectrum = np.fft.rfft(detrend(values[:, begin:end].astype(np.float64)), axis=1)
        frequencies = np.fft.rfftfreq(end - begin, 1 / rate)
        seconds = (end - begin) / rate
        for name, (low, high) in bands.items():
            inside = (frequencies >= low) & (frequencies < high)
            # A band holds nothing above its edge, so fewer points in time say all there is to say.
            points = min(end - begin, max(16, int(np.ceil(8 * high * seconds))))
            padded = np.zeros((n, points), complex)
            padded[:, : len(frequencies)][:, inside[:points]] = 2 * spectrum[:, inside]
            analytic = np.fft.ifft(padded, axis=1) * (points / (end - begin))
            left_out = int(np.ceil(LEFT_OUT * points / seconds))
            analytic = analytic[:, left_out : points - left_out]
            size = np.abs(analytic)
            phases = np.divide(analytic, size, out=np.zeros_like(analytic), where=size > 0)
            sums[name][0][...] += phases @ phases.conj().T
            sums[name][1][...] += analytic @ analytic.conj().T
            counts[name] += analytic.shape[1]
    result = {}
    for name, (phase, product) in sums.items():
        power = np.real(np.diag(product))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.real(product) / np.sqrt(np.outer(power, power))
        plv = np.abs(phase) / max(counts[name], 1)
        plv[np.isnan(r)] = np.nan
        result[name] = (plv, r)
    return result


def connectivity(
    labels: Sequence[str], original: np.ndarray, restored: np.ndarray, rate: float
) -> dict[str, Connectivity]:
    """Compare what pairs of channels have to do with each other.

    Parameters
    ----------
    labels : sequence of str
    original, restored : ndarray, shape (channels, samples)
        In any unit, one a channel.
    rate : float

    Returns
    -------
    dict of str to Connectivity
        By band, ``all`` being 0.5 to 45 Hz. Empty for fewer than two channels or 5 s.
    """
    if len(labels) < 2 or original.shape[1] < MIN_SECONDS * rate:
        return {}
    before, after = band_matrices(original, rate), band_matrices(restored, rate)
    rows, columns = np.triu_indices(len(labels), 1)
    result = {}
    for name in before:
        plv = np.stack([found[name][0][rows, columns] for found in (before, after)])
        r = np.stack([found[name][1][rows, columns] for found in (before, after)])
        # A channel that has nothing in the band before has no phase to lose; one that lost it all goes with none.
        there = ~np.isnan(plv[0])
        if not there.any():
            continue
        plv, r = np.nan_to_num(plv[:, there]), np.nan_to_num(r[:, there])
        pairs = [(labels[a], labels[b]) for a, b in zip(rows[there], columns[there], strict=True)]
        locked, together = np.abs(plv[1] - plv[0]), np.abs(r[1] - r[0])
        result[name] = Connectivity(
            pairs=len(pairs),
            plv_before=float(plv[0].mean()),
            plv_after=float(plv[1].mean()),
            plv_change=float(locked.mean()),
            largest_plv_change=float(locked.max()),
            plv_pair=pairs[int(locked.argmax())],
            r_change=float(together.mean()),
            largest_r_change=float(together.max()),
            r_pair=pairs[int(together.argmax())],
        )
    return result
