"""The last step towards a bound: single coefficients a step up or down, until each signal's error is just within.

A quantiser that weighs errors against bits leaves every signal's error a percent or two beside what its step was chosen
for, which is up to that many percent of all bits. Moving the coefficients that matter most for a signal with too large
an error, and those that matter least where there is room, puts all errors at their bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.transform.search.choosing import UNSEEN_BITS
from eegzip.formats.transform.spatial import Band, apply, matrices

_RAISE_THRESHOLD = 0.45
"""Steps that a coefficient must be above what it was quantised to for a step up to make sense."""

_LOWER_THRESHOLD = -0.2
"""Steps above, at most, for a step down to be worth a look."""

_AT_ONCE = 16
_ROUNDS = 80
_SHORTLISTED = 8
"""Rounds for which the moves that were best at their beginning are the only ones looked at."""
_SLACK = 0.03
"""Of a signal's squared error: with so much room it hardly counts any more."""
_LITTLE_SLACK = 0.005
"""Likewise, where errors are all but right already and those that are should stay so."""
_MIN_WEIGHT = 0.05


@jit
def _effect(moves: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> float:
    """By how much the weighted squared errors of one bin fall when each signal's error changes by -`moves`."""
    gain = 0.0
    for signal in range(len(moves)):
        gain += weights[signal] * moves[signal] * (2 * errors[signal] - moves[signal])
    return gain


@jit
def _take(move: np.ndarray, errors: np.ndarray, excess: np.ndarray) -> None:
    for signal in range(len(move)):
        excess[signal] += move[signal] * (move[signal] - 2 * errors[signal])
        errors[signal] -= move[signal]


@jit
def _raise(
    moves: np.ndarray,
    where: np.ndarray,
    bits: np.ndarray,
    errors: np.ndarray,
    excess: np.ndarray,
    even: np.ndarray,
    slack: float,
    at_once: int,
) -> np.ndarray:
    """Choose the moves that bring all signals within their bounds (`excess` at most 0).

    Parameters
    ----------
    moves : ndarray of float64, shape (moves, signals)
        What each move takes from the error of each signal.
    where : ndarray of int64, shape (moves,)
        Row of `errors` that it concerns.
    bits : ndarray of float64, shape (moves,)
        What it costs.
    errors : ndarray of float64, shape (block and bin, signals)
    excess, even : ndarray of float64, shape (signals,)
        Squared errors beyond the bounds, and 1 over the bounds. `errors` and `excess` are changed.
    slack : float
        Room, as a share of a bound, with which a signal hardly counts.
    at_once : int
        Moves that are made before all are weighed anew.

    Returns
    -------
    ndarray of bool, shape (moves,)
    """
    chosen = np.zeros(len(moves), np.bool_)
    scores = np.zeros(len(moves))
    looked_at = np.arange(len(moves))
    for turn in range(_ROUNDS):
        if excess.max() <= 0:
            break
        # A signal within its bound needs no help, but should not be hurt either.
        weights = even * np.minimum(np.maximum(1 + excess * even / slack, _MIN_WEIGHT), 3.0)
        if turn % _SHORTLISTED == 0:
            looked_at = np.arange(len(moves))
        for place in looked_at:
            scores[place] = (
                -1.0 if chosen[place] else _effect(moves[place], errors[where[place]], weights) / bits[place]
            )
        looked_at = looked_at[np.argsort(-scores[looked_at])[: 2 * _SHORTLISTED * at_once]]
        taken = 0
        for place in looked_at[:at_once]:
            if scores[place] > 0 and _effect(moves[place], errors[where[place]], weights) > 0:
                _take(moves[place], errors[where[place]], excess)
                chosen[place] = True
                taken += 1
                if excess.max() <= 0:
                    break
        if not taken:
            break
    return chosen


@jit
def _lower(
    moves: np.ndarray, where: np.ndarray, bits: np.ndarray, errors: np.ndarray, excess: np.ndarray, even: np.ndarray
) -> np.ndarray:
    """Choose moves that leave all signals within their bounds, the least harmful a bit first; see :func:`_raise`."""
    chosen = np.zeros(len(moves), np.bool_)
    harms = np.zeros(len(moves))
    for place in range(len(moves)):
        harms[place] = -_effect(moves[place], errors[where[place]], even) / bits[place]
    for place in np.argsort(harms):
        row = errors[where[place]]
        bearable = True
        for signal in range(len(row)):
            move = moves[place, signal]
            if excess[signal] + move * (move - 2 * row[signal]) > 0:
                bearable = False
                break
        if bearable:
            _take(moves[place], row, excess)
            chosen[place] = True
    return chosen


def trim(
    values: np.ndarray,
    quantised: np.ndarray,
    restored: np.ndarray,
    bands: Sequence[Band],
    shares: np.ndarray,
    costs: np.ndarray,
    *,
    gently: bool,
) -> np.ndarray:
    """Move coefficients until each signal's squared error is what it should be.

    Parameters
    ----------
    values : ndarray of float64, shape (components, blocks, bins)
        In units of the quantiser's step.
    quantised : ndarray of int32, same shape
    restored : ndarray of float64, same shape
        What the quantised values stand for.
    bands : sequence of Band
    shares : ndarray of float64, shape (signals,)
        Squared error wanted of each signal, as a share of what it is.
    costs : ndarray of float32, shape (3, components, blocks, bins)
        See :func:`~eegzip.formats.transform.search.quantiser.encode_coefficients`.
    gently : bool
        Whether only the signals whose error is too large are seen to, with as few moves as will do.

    Returns
    -------
    ndarray of int32
        The better quantised values.
    """
    components, _, bins = values.shape
    errors = np.ascontiguousarray(apply(values - restored, bands, back=True).reshape(components, -1).T)
    energy = np.einsum("ij,ij->j", errors, errors)
    excess, even = energy * (1 - shares), 1 / np.maximum(energy * shares, 1e-300)
    turns = np.stack(matrices(components, bands))
    band_of_bin = np.repeat(np.arange(len(bands)), np.diff([0, *(band.stop for band in bands)]))
    above = np.abs(values) - np.abs(restored)
    result = quantised.copy()
    towards = np.where(values < 0, -1, 1)
    for candidates, steps, up in (
        (above >= _RAISE_THRESHOLD, towards, True),
        ((quantised != 0) & (above < _LOWER_THRESHOLD), -np.sign(quantised), False),
    ):
        if gently and not up:
            break
        component, block, place = np.nonzero(candidates)
        signed = steps[candidates]
        moves = turns[band_of_bin[place], component] * signed[:, None]
        smaller = np.minimum(np.abs(quantised[candidates]), np.abs(quantised[candidates] + signed))
        bits = costs[np.minimum(smaller, 2), component, block, place].astype(np.float64)
        bits[bits == 0] = UNSEEN_BITS
        where = block * bins + place
        if up:
            at_once = _AT_ONCE if gently else max(_AT_ONCE, len(moves) // _ROUNDS)
            chosen = _raise(moves, where, bits, errors, excess, even, _LITTLE_SLACK if gently else _SLACK, at_once)
        else:
            chosen = _lower(moves, where, bits, errors, excess, even)
        result[component[chosen], block[chosen], place[chosen]] += signed[chosen].astype(np.int32)
    return result
