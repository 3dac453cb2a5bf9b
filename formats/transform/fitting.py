"""Finds the layer with the fewest bytes that keeps to a bound on every signal's error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eegzip.formats.transform import spatial
from eegzip.formats.transform.layer import EncodedLayer, Form, analyse, block_size, encode_layer, step_code, step_size
from eegzip.formats.transform.trimming import trim

PENALTY = 0.1
"""Squared error, in squared steps, that one bit is worth. 6 dB a bit would be 0.1155."""

_BLOCK_SECONDS = (0.125, 0.25, 0.5, 1.0, 2.0)
_ROUGH_TRIALS = 3
_MOST_TRIALS = 6
_TRIMS = 4
_AIM = 0.9997
_NEAR = 1.05
_FAR = 1.25
_ROUNDING = 1 / 12
_REPLAN = 0.05
_MOVED = 0.03
_CHANCE = 0.04
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
        layer = encode_layer(coefficients, n_samples, form, PENALTY)
        excess = np.maximum(judge(layer.samples), 1e-9)
        near = excess.max() < _NEAR and excess.min() > 1 / _NEAR
        if near or (trial >= _ROUGH_TRIALS and excess.max() < _FAR):
            best = _trimmed(coefficients, n_samples, form, layer, judge, excess, errors)
            if best is not None:
                break
        search.learn(sizes, excess)
    return best


def _trimmed(
    coefficients: np.ndarray,
    n_samples: int,
    form: Form,
    layer: EncodedLayer,
    judge: Judge,
    excess: np.ndarray,
    errors: np.ndarray,
) -> FittedLayer | None:
    """Bring all errors to their bounds coefficient by coefficient."""
    aim = _AIM
    for _ in range(_TRIMS):
        # Rounding to digital values adds its own error, which no coefficient can change.
        rounding = np.minimum(_ROUNDING, 0.5 * errors**2)
        shares = ((aim * errors) ** 2 - rounding) / np.maximum((excess * errors) ** 2 - rounding, 1e-12)
        quantised = trim(layer.values, layer.quantised, layer.restored, form.bands, shares)
        layer = encode_layer(coefficients, n_samples, form, PENALTY, quantised)
        excess = np.maximum(judge(layer.samples), 1e-9)
        if excess.max() <= 1:
            return FittedLayer(layer.stream, layer.samples)
        aim *= 0.999
    return None


class _Search:
    """The steps to try next, from how the errors followed the steps so far."""

    def __init__(self, steps: np.ndarray) -> None:
        self.steps = steps
        self._slopes = np.full(len(steps), 0.7)
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def learn(self, sizes: np.ndarray, excess: np.ndarray) -> None:
        """Take note of a trial and choose the next steps."""
        if self._last is not None:
            moved = np.log(sizes / self._last[0])
            followed = np.log(excess / self._last[1])
            known = np.abs(moved) > _MOVED
            seen = np.clip(followed[known] / moved[known], 0.4, 1.2)
            self._slopes[known] = (self._slopes[known] + seen) / 2
        self._last = (sizes, excess)
        # Near the bound half of what is seen is chance.
        speed = np.where(np.abs(np.log(excess)) < _CHANCE, 0.6, 1.0)
        self.steps = sizes * np.clip((1 / excess) ** (speed / self._slopes), 0.3, 2.5)


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
