"""References of exact signals: an order of coding, and for each signal some before it that help to predict it.

Only an encoder needs this; what it chose stands in the streams. The measure is what is left of each signal after a
short prediction from its own past: signals that share what is new in them help each other.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.fixed_order import gram, product, solve_positive

_OWN = 8
_MIN_GAIN = 0.003
_RIDGE = 1e-6
_CANDIDATES = 64
"""Of more signals, those most like a signal are looked at."""
MAX_SIGNALS = 256
"""Signals that are compared with each other; more are taken in parts."""


def choose_references(signals: np.ndarray, most: int) -> list[list[int]]:
    """Choose references for signals of one length.

    Parameters
    ----------
    signals : ndarray of int32, shape (signals, n)
    most : int
        References a signal.

    Returns
    -------
    list of list of int
        For each signal the places of its references, the most useful first; without circles.
    """
    chosen: list[list[int]] = []
    for first in range(0, len(signals), MAX_SIGNALS):
        part = signals[first : first + MAX_SIGNALS]
        chosen += [[first + other for other in row] for row in _choose(part, most)]
    return chosen


def _choose(signals: np.ndarray, most: int) -> list[list[int]]:
    news = _news(signals)
    covariance = gram(news)
    power = np.sqrt(np.diag(covariance)) + 1e-9
    likeness = np.abs(covariance / np.outer(power, power))
    np.fill_diagonal(likeness, 0.0)
    count = len(signals)
    chosen: list[list[int]] = [[] for _ in range(count)]
    # Grows a tree from the signal that is most like the others: next comes whichever is most like one that is in it.
    order = [int(np.argmax((likeness**2).sum(axis=0)))]
    nearest = likeness[order[0]].copy()
    nearest[order[0]] = -1.0
    while len(order) < count:
        following = int(np.argmax(nearest))
        candidates = order
        if len(order) > _CANDIDATES:
            alike = np.argsort(-likeness[following, order], kind="stable")
            candidates = [order[place] for place in alike[:_CANDIDATES]]
        chosen[following] = _select(covariance, following, candidates, most)
        order.append(following)
        nearest = np.maximum(nearest, likeness[following])
        nearest[order] = -1.0
    return chosen


def _news(signals: np.ndarray) -> np.ndarray:
    """What a least-squares prediction from the last samples leaves, scaled to an energy of about 1."""
    result = np.zeros(signals.shape)
    for row, signal in zip(result, signals, strict=True):
        values = signal - signal.mean()
        values /= np.sqrt((values**2).mean()) + 1e-9
        lagged = np.zeros((_OWN + 1, len(values)))
        lagged[_OWN] = values
        for lag in range(1, min(_OWN, len(values) - 1) + 1):
            lagged[lag - 1, lag:] = values[:-lag]
        products = gram(lagged)
        normal = products[:_OWN, :_OWN] + _RIDGE * len(values) * np.eye(_OWN)
        weights = solve_positive(normal, products[_OWN, :_OWN])
        left = values - product(weights[None], lagged[:_OWN])[0]
        row[:] = left / (np.sqrt((left**2).sum()) + 1e-9)
    return result


def _select(covariance: np.ndarray, target: int, candidates: list[int], most: int) -> list[int]:
    """Take the most useful candidate, then the most useful next to it, and so on."""
    index = [*candidates, target]
    left = covariance[np.ix_(index, index)].copy()
    last = len(candidates)
    start = np.diag(left)[:last].copy()
    found: list[int] = []
    while len(found) < min(most, last):
        power = np.diag(left)[:last]
        useful = power > 1e-4 * start + 1e-12
        gain = np.where(useful, left[:last, last] ** 2 / np.where(useful, power, 1.0), 0.0)
        best = int(np.argmax(gain))
        if not gain[best] > _MIN_GAIN * left[last, last]:
            break
        found.append(candidates[best])
        left -= np.outer(left[:, best], left[best]) / left[best, best]
    return found
