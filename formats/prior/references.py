"""Which streams a stream is predicted from, and how: the encoder's choice, which a stream writes down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eegzip.formats.eegz.tokens import ABSENT
from eegzip.formats.prior.stream import WEIGHT_BITS, StreamParameters, predicted
from eegzip.formats.prior.tables import TokenPrior
from eegzip.formats.prior.tracking import STARTS, start_variance, vectors

MOST_REFERENCES = 4
_RIDGE = 1e-3
_WORTH = 0.01
_FLOOR = 1e-12


def choose_references(prior: TokenPrior, streams: Sequence[np.ndarray]) -> list[tuple[int, StreamParameters]]:
    """Choose an order of coding, and for each stream what it is predicted from.

    The stream that is most like all others comes first; each later one takes what of the earlier ones explains it
    best, one after the other as long as another helps.

    Parameters
    ----------
    prior : TokenPrior
    streams : sequence of ndarray of uint16, each of shape (codebooks, frames)
        Of the same frames.

    Returns
    -------
    list of (int, StreamParameters)
        Numbers of the streams in an order in which references come first; references are such numbers, too.
    """
    streams = [np.array(codes, np.uint16, order="C") for codes in streams]
    words = np.stack([vectors(prior.tables.words, codes) for codes in streams]).astype(np.float64)
    flat = words.reshape(len(streams), -1)
    products = flat @ flat.T
    lengths = np.sqrt(np.diag(products)) + _FLOOR
    alike = np.abs(products / np.outer(lengths, lengths))
    order = [int(place) for place in np.argsort(-alike.sum(axis=1), kind="stable")]
    result = []
    for rank, place in enumerate(order):
        chosen, weights = _chosen(products, place, order[:rank])
        parameters = StreamParameters(bool((streams[place] == ABSENT).any()), 0, tuple(chosen), tuple(weights))
        result.append((place, _started(prior, parameters, streams, place)))
    return result


def _chosen(products: np.ndarray, place: int, earlier: list[int]) -> tuple[list[int], list[int]]:
    """References of a stream and their weights, by one greedy regression."""
    whole = products[place, place]
    chosen: list[int] = []
    weights = np.zeros(0)
    explained = 0.0
    while len(chosen) < MOST_REFERENCES:
        best: tuple[float, int, np.ndarray] | None = None
        for other in earlier:
            if other in chosen:
                continue
            trial = [*chosen, other]
            ridge = _RIDGE * whole * np.eye(len(trial))
            solved = np.linalg.solve(
                products[np.ix_(trial, trial)] + ridge + _FLOOR * np.eye(len(trial)), products[trial, place]
            )
            gain = float(solved @ products[trial, place])
            if best is None or gain > best[0]:
                best = gain, other, solved
        if best is None or best[0] - explained <= _WORTH * (whole - explained):
            break
        explained, weights = best[0], best[2]
        chosen.append(best[1])
    rounded = [int(weight) for weight in np.clip(np.rint(weights * (1 << WEIGHT_BITS)), -128, 127)]
    kept = [(other, weight) for other, weight in zip(chosen, rounded, strict=True) if weight]
    return [other for other, _ in kept], [weight for _, weight in kept]


def _started(
    prior: TokenPrior, parameters: StreamParameters, streams: Sequence[np.ndarray], place: int
) -> StreamParameters:
    """The same parameters with the start class that fits the stream's mean variance."""
    codes = streams[place]
    known = {other: streams[other] for other in parameters.references}
    prediction, _ = predicted(prior, parameters, known, codes.shape[1])
    missed = vectors(prior.tables.words, codes) - prediction
    mean = float(np.mean(np.square(missed, dtype=np.float64).sum(axis=1))) if codes.shape[1] else 0.0
    start = prior.tables.start[int(bool(parameters.references))]
    variance = np.zeros(prior.width, np.int64)
    sums = np.empty(STARTS)
    for number in range(STARTS):
        start_variance(start, number, variance)
        sums[number] = variance.sum()
    best = int(np.argmin(np.abs(np.log(sums) - np.log(mean + 1.0))))
    return StreamParameters(parameters.varying, best, parameters.references, parameters.weights)
