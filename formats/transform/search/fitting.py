"""Finds the layer with the fewest bytes that keeps to a bound on every signal's error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eegzip.formats.transform.layer import step_size
from eegzip.formats.transform.layer_header import LayerHeader
from eegzip.formats.transform.search.band_planning import plan
from eegzip.formats.transform.search.blocks import choose_blocks
from eegzip.formats.transform.search.choosing import quantise_by_costs, quantise_by_estimate
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
from eegzip.formats.transform.spatial import Band, apply

PENALTY = 0.1
"""Squared error, in squared steps, that one bit is worth. 6 dB a bit would be 0.1155."""

_EARLY_TRIALS = 8
_MAX_TRIALS = 16
_GOOD_TRIALS = 3
"""So many layers within their bounds are looked at, of which the smallest is taken."""
_ESTIMATES = 3
_FOLLOWING = 0.15
"""How near an estimate's errors are to their bounds, as a logarithm, when they follow the steps from there on."""
_FAR = 0.3
"""How far an estimate's errors are where they won't follow the steps, as a rule, and no more time is spent on it."""
_STILL_FOLLOWING = 0.08
_NEARLY = 0.025
"""Likewise of the layer that was coded with the steps found, and of those with steps a little beside them."""
_NEAR = 0.012
"""How near errors are when steps can't bring them nearer."""
_ATTEMPTS = 4
_TRIMS = 5
_GENTLE_TRIMS = 8
_AIM = 0.9997
_AIM_OF_STEPS = 0.998
_RETREAT = 0.9985
_RETREAT_OF_STEPS = 0.99
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
    if judge is None:
        return _about_as_wanted(work)
    return _at_once(work, judge) or _by_trials(work, judge)


def _about_as_wanted(work: _Work) -> FittedLayer | None:
    """Code with steps that an estimate showed to be about right."""
    first = work.estimated(work.first_steps)
    if first is None:
        return None
    search = _Search(work.first_steps)
    search.learn(work.sizes, np.maximum(work.judge(first.samples), 1e-9))
    layer = work.weighed(search.steps)
    return None if layer is None else FittedLayer(layer.stream, layer.samples)


def _at_once(work: _Work, judge: Judge) -> FittedLayer | None:
    """Look for steps by estimates, and write the layer once; ``None`` where errors don't follow the steps.

    Such a layer is as small as the smallest of several, and takes the time of one and a half.
    """
    steps, aim = work.first_steps, _AIM_OF_STEPS
    for _ in range(_ESTIMATES):
        layer: QuantisedLayer | None = work.estimated(steps)
        if layer is None:
            return None
        excess = np.maximum(judge(layer.samples), 1e-9)
        steps = work.sizes / (excess / aim)
        if _furthest(excess) < _FOLLOWING:
            break
        if _furthest(excess) > _FAR:
            return None
    else:
        return None
    for attempt in range(_ATTEMPTS):
        layer = work.requantised(steps) if attempt else work.weighed(steps)
        if layer is None:
            return None
        # What coefficients cost is known of these components.
        work.settled = True
        excess = np.maximum(judge(layer.samples), 1e-9)
        if _furthest(excess) > (_NEARLY if attempt else _STILL_FOLLOWING):
            return None
        if attempt or _furthest(excess) < _NEAR:
            found = work.trimmed(layer, judge, excess, gently=True)
            if found is not None:
                return found
            # There is little to choose from where nearly all are large: smaller steps must do.
            aim *= _RETREAT_OF_STEPS
        steps = work.sizes / (excess / aim)
    return None


def _furthest(excess: np.ndarray) -> float:
    """How far from its bound any error is, as a logarithm."""
    return float(np.abs(np.log(excess)).max())


def _by_trials(work: _Work, judge: Judge) -> FittedLayer | None:
    """Code several layers that come near their bounds, and take the smallest.

    Where signals are nearly sums of each other, or very quiet but for a few coefficients, the next step of one is a
    leap for another, and no estimate tells which layer is small.
    """
    work.forget_plan()
    search = _Search(work.first_steps)
    best: FittedLayer | None = None
    good = 0
    for trial in range(_MAX_TRIALS):
        layer = work.weighed(search.steps)
        if layer is None:
            return None
        excess = np.maximum(judge(layer.samples), 1e-9)
        if excess.max() < (_TRIM_THRESHOLD if trial < _EARLY_TRIALS else _LATE_TRIM_THRESHOLD):
            found = work.trimmed(layer, judge, excess, gently=False)
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
        self.first_steps = errors * self._blocks.unit
        self.forget_plan()

    def forget_plan(self) -> None:
        """Let the next layer plan its bands, whatever those before had."""
        self._bands: list[Band] = []
        self._planned = np.full(len(self._samples), np.finfo(np.float64).max)
        self.settled = False

    def estimated(self, steps: np.ndarray) -> QuantisedLayer | None:
        """Quantise with steps near to these, which :attr:`sizes` then has, by what coefficients cost by estimate.

        ``None``, as of the others, where the steps are too fine.
        """
        values = self._scaled(steps)
        return None if values is None else self._layer(values, quantise_by_estimate(values, PENALTY))

    def weighed(self, steps: np.ndarray) -> EncodedLayer | None:
        """Code with steps near to these, and note what each coefficient costs."""
        if self._scaled(steps) is None:
            return None
        layer = encode_layer(self._coefficients, self._samples.shape[1], self._header, PENALTY)
        self._costs = layer.costs
        return layer

    def requantised(self, steps: np.ndarray) -> QuantisedLayer | None:
        """Quantise by what coefficients cost in the layer coded last, whose steps were not far from these."""
        values = self._scaled(steps)
        return None if values is None else self._layer(values, quantise_by_costs(values, self._costs, PENALTY))

    def _layer(self, values: np.ndarray, quantised: np.ndarray) -> QuantisedLayer:
        return quantised_layer(values, quantised, self._samples.shape[1], self._header)

    def _scaled(self, steps: np.ndarray) -> np.ndarray | None:
        """Coefficients of the components in units of steps near to these."""
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
        return apply(scaled, self._bands)

    def judge(self, restored: np.ndarray) -> np.ndarray:
        """Errors in units of the wanted ones."""
        errors = restored - self._samples
        return np.sqrt(np.einsum("ij,ij->i", errors, errors) / errors.shape[1]) / self._errors

    def trimmed(self, layer: QuantisedLayer, judge: Judge, excess: np.ndarray, *, gently: bool) -> FittedLayer | None:
        """Bring all errors of the latest layer to their bounds coefficient by coefficient.

        `gently`: where signals hardly bear on each other, those that are within their bounds are left alone.
        """
        aim, squares = np.full(len(excess), _AIM), self._errors**2
        # Rounding to digital values adds its own error, which no coefficient can change.
        now = layer
        rounding = np.minimum(_ROUNDING, 0.5 * squares)
        for turn in range(_GENTLE_TRIMS if gently else _TRIMS):
            shares = (aim**2 * squares - rounding) / np.maximum(excess**2 * squares - rounding, 1e-12)
            # The first brings all to their bounds; then chance has left some of them a little outside.
            touch = gently and turn > 0
            quantised = trim(now.values, now.quantised, now.restored, self._bands, shares, self._costs, gently=touch)
            now = quantised_layer(now.values, quantised, self._samples.shape[1], self._header)
            excess = np.maximum(judge(now.samples), 1e-9)
            if excess.max() <= 1:
                # Only now, as to write takes several times longer than to see what is lost.
                return FittedLayer(written_layer(now, self._header), now.samples)
            retreat = np.minimum(_RETREAT, _AIM / excess)
            aim *= np.where(excess > 1, retreat, 1.0) if gently else retreat.min()
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
