"""Cut of a chunk into blocks: as promises the fewest bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.fixed_order import binary_logarithm, eigenvectors, gram, log2, product
from eegzip.formats.transform.layer_header import block_size
from eegzip.formats.transform.search.layer_encoder import analyse

_SECONDS = (0.125, 0.25, 0.5, 0.75, 1.0, 2.0)
_AN_OCTAVE = 0.004
"""By how much more than is promised each doubling of a block costs, as its past says less of it."""
_JUMP = 8.0
"""Squared steps between samples, over the usual, from which on a border may be better off without an overlap."""
_NEAR = 1e-6
"""A share of an error within which two orders of its sum may lie on either side of what is wanted."""

_STEPS = 1 << 14
_FEW = 13
"""One coefficient of so many says nearly what all do."""


@dataclass(frozen=True)
class Blocks:
    """Blocks of a chunk.

    Parameters
    ----------
    count : int
    cuts : ndarray of bool, shape (count - 1,), or None
        Borders at which nothing overlaps.
    unit : float
        The quantiser's step, in units of the wanted error, at which the error is about as wanted.
    """

    count: int
    cuts: np.ndarray | None
    unit: float


def choose_blocks(samples: np.ndarray, errors: np.ndarray, rate: float) -> Blocks:
    """Choose the blocks for samples [signals, n] and the root-mean-square errors [signals] that are wanted of them."""
    n_samples = samples.shape[1]
    scaled = samples / errors[:, None]
    # What the signals have in common counts once, as when they are coded.
    scaled = product(eigenvectors(gram(scaled))[1].T, scaled)
    jumps = np.square(np.diff(scaled, axis=1)).sum(axis=0)
    most = max(1, n_samples // 2)
    promises: list[tuple[float, Blocks]] = []
    counts = {int(np.clip(round(n_samples / (seconds * rate)), 1, most)) for seconds in _SECONDS}
    for count in sorted(counts):
        borders = block_size(n_samples, count) * np.arange(1, count) - 1
        cuts = np.zeros(count - 1, bool)
        inside = borders < len(jumps)
        cuts[inside] = jumps[borders[inside]] > _JUMP * jumps.mean()
        for chosen in (None, cuts) if cuts.any() else (None,):
            size = np.abs(analyse(scaled, count, chosen))
            unit = _unit_step(size, n_samples)
            bits = float(log2(1 + size / unit).sum()) * (1 - _AN_OCTAVE * binary_logarithm(count))
            promises.append((bits, Blocks(count, chosen, unit)))
    return min(promises, key=lambda promise: promise[0])[1]


@jit
def _error_at(size: np.ndarray, step: float) -> float:
    """Squared error of coefficients that a quantiser with a step leaves, about; to 1e-9 of it."""
    kept, lost = 0, np.zeros(4)
    threshold = 0.6 * step
    whole = len(size) // 4 * 4
    for place in range(0, whole, 4):
        for lane in range(4):
            value = size[place + lane]
            small = value < threshold
            lost[lane] += value * value if small else 0.0
            kept += 0 if small else 1
    for place in range(whole, len(size)):
        small = size[place] < threshold
        lost[0] += size[place] * size[place] if small else 0.0
        kept += 0 if small else 1
    return lost[0] + lost[1] + lost[2] + lost[3] + kept * (step * step / 12)


def _unit_step(size: np.ndarray, n_samples: int) -> float:
    """The step at which coefficients (in units of the wanted error) have about the wanted error on average."""
    wanted = len(size) * n_samples
    flat = np.ascontiguousarray(size).reshape(-1)
    some = np.ascontiguousarray(flat[::_FEW])

    def small(place: int) -> bool:
        step = _step_at(place)
        error = _error_at(flat, step)
        if abs(error - wanted) < _NEAR * wanted:
            # Which side it is on is then a matter of the order of the sum, and that stays numpy's.
            error = float(np.where(size < 0.6 * step, size * size, step * step / 12).sum())
        return error < wanted

    # Of a part of them the answer is near, and all of them are looked at a few times only.
    share = wanted * len(some) / len(flat)
    low = near = _last(lambda place: _error_at(some, _step_at(place)) < share, 0, _STEPS)
    high, stride = near + 1, 4
    while low > 0 and not small(low):
        low, high, stride = max(low - stride, 0), low, 4 * stride
    while high < _STEPS and high > near and small(high):
        low, high, stride = high, min(high + stride, _STEPS), 4 * stride
    return _step_at(_last(small, low, high))


def _step_at(place: int) -> float:
    """A step on a scale of :data:`_STEPS`, from 2**-4 to 2**40."""
    return float(2.0 ** (44 * place / _STEPS - 4))


def _last(small: Callable[[int], bool], low: int, high: int) -> int:
    """The last place from `low` up to `high` that is small, as `low` is, where `high` is not and all lie in order."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if small(middle) else (low, middle)
    return low
