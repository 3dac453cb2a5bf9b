"""References of token streams: which are used, and how; the encoder's choice, which a stream writes down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.formats.fixed_order import gram, log2, solve_positive
from eegzip.formats.tokens.coder import LARGEST_WEIGHT
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.search.whole_streams import predictions, vectors
from eegzip.formats.tokens.stream import MAX_REFERENCES, StreamParameters, stacked
from eegzip.formats.tokens.tables import BANDS, TokenPrior
from eegzip.formats.tokens.tracking import STARTS, WEIGHT_BITS, start_variance

_RIDGE = 1e-3
_TINY = 1e-9
# What a reference must save: its name and weights take about this.
_REFERENCE_BITS = 16 + 5 * BANDS
# Streams that are looked at beyond the first reference: those that would have been the best first ones.
_CANDIDATES = 16


@dataclass(frozen=True)
class Plan:
    """How one stream is to be coded.

    Parameters
    ----------
    place : int
        Number of the stream.
    parameters : StreamParameters
        With references as numbers of streams.
    weights : ndarray of int32, shape (references, BANDS)
    """

    place: int
    parameters: StreamParameters
    weights: np.ndarray


def plan_streams(prior: TokenPrior, streams: Sequence[np.ndarray]) -> list[Plan]:
    """Choose for each stream what it is predicted from.

    The stream that is most like all others comes first; each later one takes what of the earlier ones saves most, one
    after the other as long as another saves more than it takes.

    Parameters
    ----------
    prior : TokenPrior
    streams : sequence of ndarray of uint16, each of shape (codebooks, frames)
        Of the same frames.

    Returns
    -------
    list of Plan
        In an order in which references come first.
    """
    streams = [np.array(codes, np.uint16, order="C") for codes in streams]
    products = _products(prior, streams)
    whole = np.diagonal(products, axis1=1, axis2=2) + _TINY
    alike = (products**2 / (whole[:, :, None] * whole[:, None, :])).mean(axis=0)
    order = [int(place) for place in np.argsort(-alike.sum(axis=1), kind="stable")]
    # What tokens of such a depth leave open anyway, no reference can tell.
    depth = float(np.mean([(codes != ABSENT).sum() / max(codes.shape[1], 1) for codes in streams]))
    left = prior.tables.rest[min(max(round(depth), 1), prior.levels) - 1]
    floors = np.bincount(prior.tables.bands, left, BANDS)
    widths = np.bincount(prior.tables.bands, minlength=BANDS)
    frames = streams[0].shape[1]
    result = []
    for rank, place in enumerate(order):
        # Bits that a residual of so much energy takes, up to a constant.
        def bits(energy: np.ndarray) -> np.ndarray:
            worth: np.ndarray = 0.5 * frames * widths * log2(np.maximum(energy, 0.0) + frames * floors + _TINY)
            return worth.sum(axis=-1)

        chosen, weights = _chosen(products, place, order[:rank], bits)
        parameters = StreamParameters(bool((streams[place] == ABSENT).any()), 0, tuple(chosen))
        result.append(_started(prior, Plan(place, parameters, weights), streams))
    return result


def _products(prior: TokenPrior, streams: Sequence[np.ndarray]) -> np.ndarray:
    """Inner products of all streams' vectors, band by band: shape (BANDS, streams, streams)."""
    words = np.stack([vectors(prior.tables.words, codes) for codes in streams]).astype(np.float64)
    result = np.zeros((BANDS, len(streams), len(streams)))
    for band in range(BANDS):
        flat = words[:, :, prior.tables.bands == band].reshape(len(streams), -1)
        result[band] = gram(flat)
    return result


def _chosen(
    products: np.ndarray, place: int, earlier: Sequence[int], bits: Callable[[np.ndarray], np.ndarray]
) -> tuple[list[int], np.ndarray]:
    """References of a stream and their weights, by greedy regression in each band."""
    own = products[:, place, place]
    chosen: list[int] = []
    weights = np.zeros((0, BANDS))
    spent = float(bits(own))
    candidates = list(earlier)
    while candidates and len(chosen) < MAX_REFERENCES:
        trials = np.array([[*chosen, other] for other in candidates])
        size = trials.shape[1]
        # Normal equations of every candidate in every band: [candidates, BANDS, size, size].
        matrix = products[:, trials[:, :, None], trials[:, None, :]].transpose(1, 0, 2, 3)
        target = products[:, trials, place].transpose(1, 0, 2)
        ridge = (_RIDGE * own[:, None, None] + _TINY) * np.eye(size)
        solved = solve_positive(matrix + ridge, target)
        explained = (solved[..., :, None] * matrix * solved[..., None, :]).sum((-2, -1))
        left = own - 2 * (solved * target).sum(-1) + explained
        costs = bits(left)
        best = int(np.argmin(costs))
        if costs[best] > spent - _REFERENCE_BITS:
            break
        spent, weights = float(costs[best]), solved[best].T
        chosen.append(candidates[best])
        nearest = np.argsort(costs, kind="stable")[: _CANDIDATES + 1]
        candidates = [candidates[int(number)] for number in nearest if number != best]
    limited = np.clip(np.rint(weights * (1 << WEIGHT_BITS)), -LARGEST_WEIGHT, LARGEST_WEIGHT)
    return chosen, limited.astype(np.int32).reshape(-1, BANDS)


def predicted(prior: TokenPrior, plan: Plan, streams: Sequence[np.ndarray]) -> np.ndarray:
    """What a plan's references say of its stream: int64, shape (frames, D)."""
    others = stacked([streams[other] for other in plan.parameters.references], streams[plan.place].shape[1])
    return predictions(prior.tables.words, prior.tables.bands, others, plan.weights)


def _started(prior: TokenPrior, plan: Plan, streams: Sequence[np.ndarray]) -> Plan:
    """The same plan with the start class that fits the stream's mean variance."""
    missed = vectors(prior.tables.words, streams[plan.place]) - predicted(prior, plan, streams)
    mean = float(np.square(missed, dtype=np.float64).sum(axis=1).mean()) if len(missed) else 0.0
    start = prior.tables.start[int(bool(plan.parameters.references))]
    variance = np.zeros(prior.width, np.int64)
    sums = np.empty(STARTS)
    for number in range(STARTS):
        start_variance(start, number, variance)
        sums[number] = variance.sum()
    best = int(np.argmin(np.abs(log2(sums) - log2(np.float64(mean + 1.0)))))
    parameters = StreamParameters(plan.parameters.varying, best, plan.parameters.references)
    return Plan(plan.place, parameters, plan.weights)
