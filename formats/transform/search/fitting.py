"""Finds the layer with the fewest bytes that keeps to a bound on every signal's error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eegzip.formats.transform.layer import step_size
from eegzip.formats.transform.layer_header import LayerHeader
from eegzip.formats.transform.search.band_planning import plan
from eegzip.formats.transform.search.blocks import choose_blocks
from eegzip.formats.transform.search.layer_encoder import (
    EncodedLayer,
    QuantisedLayer,
    analyse,
    encode_layer,
    quantised_layer,
    step_code,
    written_layer,
)
from eegzip.formats.transform.search.trimming import trim
from eegzip.formats.transform.spatial import Band

PENALTY = 0.1
"""Squared error, in squared steps, that one bit is worth. 6 dB a bit would be 0.1155."""

_EARLY_TRIALS = 8
_MAX_TRIALS = 16
_GOOD_TRIALS = 3
"""So many layers within their bounds are looked at, of which the smallest is taken."""
_TRIMS = 5
_AIM = 0.9997
_AIM_OF_STEPS = 0.998
_RETREAT = 0.9985
_LATE_TRIM_THRESHOLD = 1.25
_TRIM_THRESHOLD = 1.08
"""Times its bound that an error may be to be worth trimming."""
_SETTLED_THRESHOLD = 1.2
"""Times its bound that an error may be for rotations to stay as they are: then errors follow the steps."""
_ROUNDING = 1 / 12
_REPLAN = 0.05
_MOVED = 0.03
_CHANCE_THRESHOLD = 0.04
_CENTRE_WORTH = 0.1

Judge = Callable[[np.ndarray], np.ndarray]
"""Given a layer's samples [signals, n], how many times the bound each signal's error is."""


@dataclass(frozen=True)
class FittedLayer:
    """A layer's stream and the samples [signals, n] that a decoder makes of it."""

    stream: bytes
    samples: np.ndarray


def fit_layer(
    samples: np.ndarray, members: np.ndarray, errors: np.ndarray, rate: float, judge: Judge | None
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
    judge : callable or None
        See :data:`Judge`; ``None`` where it will do that errors are about as wanted.

    Returns
    -------
    FittedLayer or None
        ``None`` where no layer keeps to the bounds, as when they are finer than digital values.
    """
    work = _Work(samples, members, errors, rate)
    search = _Search(work.steps)
    best: FittedLayer | None = None
    good = 0
    for trial in range(_MAX_TRIALS):
        layer = work.encode(search.steps)
        if layer is None:
            return None
        if judge is None:
            if trial:
                return FittedLayer(layer.stream, layer.samples)
            search.learn(work.sizes, np.maximum(work.judge(layer.samples), 1e-9))
            continue
        excess = np.maximum(judge(layer.samples), 1e-9)
        if excess.max() < (_TRIM_THRESHOLD if trial < _EARLY_TRIALS else _LATE_TRIM_THRESHOLD):
            found = work.trimmed(layer, judge, excess)
            if found is not None and (best is None or len(found.stream) < len(best.stream)):
                best = found
            good += found is not None
        if good >= _GOOD_TRIALS or (best is not None and trial >= _EARLY_TRIALS):
            break
        work.settled = trial > 0 and float(excess.max()) < _SETTLED_THRESHOLD
        search.learn(work.sizes, excess / _AIM_OF_STEPS)
        if trial >= _EARLY_TRIALS:
            # Errors don't follow the steps of single signals; those of all make way.
            search.steps = work.sizes / float(excess.max()) ** 1.3
    return best


class _Work:
    """Signals on their way to a layer: what doesn't change from trial to trial, and the plan that they share."""

    def __init__(self, samples: np.ndarray, members: np.ndarray, errors: np.ndarray, rate: float) -> None:
        self._samples, self._members, self._errors = samples, members, errors
        means = samples.mean(axis=1)
        centres = np.where(np.abs(means) > _CENTRE_WORTH * samples.std(axis=1), np.rint(means), 0).astype(np.int64)
        self._centres = tuple(map(int, centres))
        centred = samples - centres[:, None]
        self._blocks = choose_blocks(centred, errors, rate)
        self._coefficients = analyse(centred, self._blocks.count, self._blocks.cuts)
        self._bands: list[Band] = []
        self._planned = np.full(len(samples), np.finfo(np.float64).max)
        self.steps = errors * self._blocks.unit
        self.settled = False

    def encode(self, steps: np.ndarray) -> EncodedLayer | None:
        """Code with steps near to these, which :attr:`sizes` then has; ``None`` where they are too fine."""
        codes = step_code(steps)
        self.sizes = step_size(codes)
        scaled = self._coefficients / self.sizes[:, None, None]
        if np.abs(scaled).max(initial=0.0) * np.sqrt(len(scaled)) >= 1 << 30:
            return None
        if not self.settled and np.abs(np.log(self.sizes / self._planned)).max() > _REPLAN:
            # The unit of the plan is a step, of which a quantiser's error is a twelfth, squared.
            self._bands = plan(scaled, 1 / 12)
            self._planned = self.sizes
        self._header = LayerHeader(
            self._members,
            self._blocks.count,
            self._centres,
            tuple(map(int, codes)),
            (),
            tuple(self._bands),
            self._blocks.cuts,
        )
        return encode_layer(self._coefficients, self._samples.shape[1], self._header, PENALTY)

    def judge(self, restored: np.ndarray) -> np.ndarray:
        """Errors in units of the wanted ones."""
        errors = restored - self._samples
        return np.sqrt(np.einsum("ij,ij->i", errors, errors) / errors.shape[1]) / self._errors

    def trimmed(self, layer: EncodedLayer, judge: Judge, excess: np.ndarray) -> FittedLayer | None:
        """Bring all errors of the latest layer to their bounds coefficient by coefficient."""
        aim, squares = _AIM, self._errors**2
        # Rounding to digital values adds its own error, which no coefficient can change.
        costs = layer.costs
        now: QuantisedLayer = layer
        rounding = np.minimum(_ROUNDING, 0.5 * squares)
        for _ in range(_TRIMS):
            shares = (aim**2 * squares - rounding) / np.maximum(excess**2 * squares - rounding, 1e-12)
            quantised = trim(now.values, now.quantised, now.restored, self._bands, shares, costs)
            now = quantised_layer(now.values, quantised, self._samples.shape[1], self._header)
            excess = np.maximum(judge(now.samples), 1e-9)
            if excess.max() <= 1:
                # Only now, as to write takes several times longer than to see what is lost.
                return FittedLayer(written_layer(now, self._header), now.samples)
            aim *= min(_RETREAT, _AIM / float(excess.max()))
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
        speed = np.where(np.abs(np.log(excess)) < _CHANCE_THRESHOLD, 0.6, 1.0)
        self.steps = sizes * np.clip((1 / excess) ** (speed / self._slopes), 0.3, 2.5)
