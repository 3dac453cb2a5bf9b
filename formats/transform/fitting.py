"""Finds the layer with the fewest bytes that keeps to a bound on every signal's error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eegzip.formats.transform import spatial
from eegzip.formats.transform.layer import Form, analyse, block_size, encode_layer, step_code, step_size

PENALTY = 0.1
"""Squared error, in squared steps, that one bit is worth. 6 dB a bit would be 0.1155."""

_BLOCK_SECONDS = (0.125, 0.25, 0.5, 1.0, 2.0)
_ROUGH_TRIALS = 5
_MOST_TRIALS = 10
_AIM = 0.995
_CLOSE = 0.985
_REPLAN = 0.05
_MOVED = 0.02
_CENTRE_WORTH = 0.1

Judge = Callable[[np.ndarray], np.ndarray]
"""Given a layer's samples [signals, n], how many times the bound each signal's error is."""


@dataclass(frozen=True)
class FittedLayer:
    """A layer's stream and the samples [signals, n] that a decoder makes of it."""

    stream: bytes
    samples: np.ndarray


def fit_layer(
    samples: np.ndarray, members: np.ndarray, errors: np.ndarray, rate: float, judge: Judge
) -> FittedLayer | None:
    """Code signals so that each keeps to its bound.

    Parameters
    ----------
    samples : ndarray of float64, shape (signals, n)
        Of the signals that the layer holds, in digital units.
    members : ndarray of bool, shape (signals of the set,)
        Which signals of the set they are.
    errors : ndarray of float64, shape (signals,)
        Root-mean-square error at which each signal should be about at its bound; above 0.
    rate : float
        Samples a second, which decides how long blocks may be.
    judge : callable
        See :data:`Judge`.

    Returns
    -------
    FittedLayer or None
        ``None`` where no layer keeps to the bounds, as when they are finer than digital values.
    """
    n_samples = samples.shape[1]
    means = samples.mean(axis=1)
    centres = np.where(np.abs(means) > _CENTRE_WORTH * samples.std(axis=1), np.rint(means), 0).astype(np.int64)
    centred = samples - centres[:, None]
    blocks, coefficients, unit = _choose_blocks(centred, errors, rate)
    steps = errors * unit
    bands = [spatial.Band(block_size(n_samples, blocks), (), ())]
    best: FittedLayer | None = None
    search = _Search(steps)
    planned = np.full(len(steps), np.finfo(np.float64).max)
    for trial in range(_MOST_TRIALS):
        codes = step_code(search.steps)
        sizes = step_size(codes)
        if (np.abs(coefficients) / sizes[:, None, None]).max(initial=0.0) * np.sqrt(len(samples)) >= 1 << 30:
            return None
        if np.abs(np.log(sizes / planned)).max() > _REPLAN:
            # The unit of the plan is a step, of which a quantiser's error is a twelfth, squared.
            bands = spatial.plan(coefficients / sizes[:, None, None], 1 / 12)
            planned = sizes
        form = Form(members, blocks, tuple(map(int, centres)), tuple(map(int, codes)), bands)
        stream, restored = encode_layer(coefficients, n_samples, form, PENALTY)
        excess = np.maximum(judge(restored), 1e-9)
        if excess.max() <= 1:
            if best is None or len(stream) < len(best.stream):
                best = FittedLayer(stream, restored)
            if excess.min() > _CLOSE or trial >= _ROUGH_TRIALS:
                break
        search.learn(sizes, excess, all_at_once=trial >= _ROUGH_TRIALS)
    return best


class _Search:
    """The steps to try next, from how the errors followed the steps so far."""

    def __init__(self, steps: np.ndarray) -> None:
        self.steps = steps
        self._slopes = np.full(len(steps), 0.7)
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def learn(self, sizes: np.ndarray, excess: np.ndarray, *, all_at_once: bool) -> None:
        """Take note of a trial and choose the next steps; `all_at_once` moves all alike, which is the surest."""
        if all_at_once:
            self.steps = sizes * (_AIM / excess.max()) ** 1.2
            return
        if self._last is not None:
            moved = np.log(sizes / self._last[0])
            followed = np.log(excess / self._last[1])
            known = np.abs(moved) > _MOVED
            seen = np.clip(followed[known] / moved[known], 0.4, 1.2)
            self._slopes[known] = (self._slopes[known] + seen) / 2
        self._last = (sizes, excess)
        self.steps = sizes * np.clip((_AIM / excess) ** (1 / self._slopes), 0.3, 2.5)


def _choose_blocks(samples: np.ndarray, errors: np.ndarray, rate: float) -> tuple[int, np.ndarray, float]:
    """The number of blocks that promises the fewest bits; with coefficients, and the step in units of the errors."""
    n_samples = samples.shape[1]
    most = max(1, n_samples // 2)
    numbers = {int(np.clip(round(n_samples / (seconds * rate)), 1, most)) for seconds in _BLOCK_SECONDS}
    promises = []
    for blocks in sorted(numbers):
        coefficients = analyse(samples, blocks)
        size = np.abs(coefficients / errors[:, None, None])
        unit = _unit_step(size, n_samples)
        promises.append((float(np.log2(1 + size / unit).sum()), blocks, coefficients, unit))
    _, blocks, coefficients, unit = min(promises, key=lambda promise: promise[0])
    return blocks, coefficients, unit


def _unit_step(size: np.ndarray, n_samples: int) -> float:
    """The step at which coefficients (in units of the wanted error) have about the wanted error on average."""
    low, high = -4.0, 40.0
    wanted = len(size) * n_samples
    squares = size * size
    for _ in range(14):
        middle = (low + high) / 2
        step = 2.0**middle
        error = float(np.where(size < 0.6 * step, squares, step * step / 12).sum())
        low, high = (middle, high) if error < wanted else (low, middle)
    return float(2.0**low)
