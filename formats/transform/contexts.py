"""What is known about a coefficient before it is decoded, and the adaptive model that makes probabilities of it.

A magnitude is coded as binary decisions: decision 0 says that it is not 0, decision i that it is at least 2**i, up to
the first no; then come the bits below the highest. Each of the first kind is an opinion of several contexts, mixed
(:mod:`~eegzip.formats.entropy.mixing`). Contexts are made of the magnitudes of neighbours that are known already: bins
before it in its block, bins around it in the two blocks before, the same bins of the components before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import MAX_WEIGHT, learn, learn_weights, mix, new_probabilities, squash, stretch

LEVELS = 24
BANDS = 28
FIRST_CONTEXTS = 7
"""Of layers of version 1.2."""
OWN_BINS = 256
"""Bins of a component that have a context of their own; those above share the last."""
DECISIONS = 12
"""Decisions beyond share the last one's probabilities."""
MAX_BITS = 31
LARGEST_NEIGHBOUR = 1 << 16
"""Neighbours count as no larger than this."""

_MARGIN = 2
_CERTAIN = 32
_FIRST_WEIGHT = 12000
_WEIGHT_RATE = 1
_SLOWEST = 250
_AVERAGE_SHIFT = 3

# Where the probabilities of each context begin, in units of DECISIONS; those that grow with the components come last.
_STARTS = np.array(
    [
        0,
        LEVELS * LEVELS,
        2 * LEVELS * LEVELS,
        3 * LEVELS * LEVELS,
        4 * LEVELS * LEVELS,
        5 * LEVELS * LEVELS,
        5 * LEVELS * LEVELS + 768,
    ],
    np.int64,
)


@jit
def level(value: int) -> int:
    """A size on a scale of two steps an octave: 0, 1, 2, 3, then 4 for 4 and 5, 5 for 6 and 7... up to LEVELS - 1."""
    if value < 2:
        return value
    octave = 1
    while value >> (octave + 1):
        octave += 1
    return min(2 * octave + ((value >> (octave - 1)) & 1), LEVELS - 1)


@jit
def band_of(place: int, bins: int) -> int:
    """The band of a bin: eight of width 1/256 of all bins, then four an octave."""
    place = 256 * place // bins
    if place < 8:
        return place
    octave = 3
    while place >> (octave + 1):
        octave += 1
    return 4 * octave - 4 + ((place >> (octave - 2)) & 3)


@jit
def new_neighbours(components: int, blocks: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes known so far, with zeros around them, and running averages of each component's bins in 1/64."""
    known = np.zeros((components + _MARGIN, blocks + _MARGIN, bins + 2 * _MARGIN), np.int32)
    averages = np.zeros((components, bins + 2 * _MARGIN), np.int32)
    return known, averages


@jit
def look(
    known: np.ndarray, averages: np.ndarray, component: int, block: int, place: int, bins: int, found: np.ndarray
) -> int:
    """Fill in the contexts of a coefficient; return the one that chooses the mixture's weights."""
    here, before, older = known[component + 2, block + 2], known[component + 2, block + 1], known[component + 2, block]
    first, second = known[component + 1, block + 2], known[component, block + 2, place + 2]
    left, left2 = here[place + 1], here[place]
    past, past_sides = before[place + 2], before[place + 1] + before[place + 3]
    past_far = before[place] + before[place + 4]
    old, old_sides = older[place + 2], older[place + 1] + older[place + 3]
    beside, beside_sides = first[place + 2], first[place + 1] + first[place + 3]
    average = 2 * averages[component, place + 2] + averages[component, place + 1] + averages[component, place + 3]
    near = 2 * left + left2 + 2 * past + past_sides + old
    wide = (
        4 * left
        + 2 * left2
        + 3 * past
        + 2 * past_sides
        + past_far
        + 2 * old
        + old_sides
        + 3 * beside
        + beside_sides
        + second
    )
    usual = level(average >> 3)
    around = level(wide // 3)
    found[0] = level(4 * left + 2 * left2) * LEVELS + level(2 * past + past_sides)
    found[1] = around * LEVELS + usual
    found[2] = level(4 * beside + 2 * beside_sides) * LEVELS + level(3 * left + 2 * past + left2 + old)
    found[3] = usual * LEVELS + level(near)
    found[4] = level(4 * old + 2 * old_sides) * LEVELS + level(4 * second + 4 * beside)
    corner = (min(left, 3) * 4 + min(past, 3)) * 12 + min(left2, 2) * 4 + min(beside, 3)
    found[5] = corner * 3 + min(before[place + 3], 2)
    found[6] = component * BANDS + band_of(place, bins)
    if len(found) > FIRST_CONTEXTS:
        found[7] = component * OWN_BINS + min(place, OWN_BINS - 1)
    return around


@jit
def remember(known: np.ndarray, averages: np.ndarray, component: int, block: int, place: int, magnitude: int) -> None:
    """Take note of a magnitude, for the contexts of those to come."""
    kept = min(magnitude, LARGEST_NEIGHBOUR)
    known[component + 2, block + 2, place + 2] = kept
    averages[component, place + 2] += ((kept << 6) - averages[component, place + 2]) >> _AVERAGE_SHIFT


class Model(NamedTuple):
    """What the entropy coder has learnt; all arrays but the last are changed in place.

    Attributes
    ----------
    probabilities, counts : ndarray
        Of decisions, in the contexts one after another.
    lower_probabilities, lower_counts : ndarray
        Of lower bits.
    weights_by_size, weights_by_band : ndarray of int32, shape (rows, contexts + 1)
        Of the two mixtures; of version 1.2 the second has no rows.
    starts : ndarray of int64, shape (contexts,)
        Where the probabilities of each context begin, in units of DECISIONS.
    """

    probabilities: np.ndarray
    counts: np.ndarray
    lower_probabilities: np.ndarray
    lower_counts: np.ndarray
    weights_by_size: np.ndarray
    weights_by_band: np.ndarray
    starts: np.ndarray


def new_model(components: int, *, first: bool = False) -> Model:
    """Make a model that has seen nothing.

    Parameters
    ----------
    components : int
    first : bool
        Whether it is that of layers of version 1.2.
    """
    end = int(_STARTS[-1]) + components * BANDS
    starts, size = (_STARTS, end) if first else (np.append(_STARTS, end), end + components * OWN_BINS)
    by_size, by_band = (
        np.full((rows, len(starts) + 1), _FIRST_WEIGHT, np.int32) for rows in (4 * LEVELS, 0 if first else 4 * BANDS)
    )
    lower = new_probabilities(MAX_BITS * LEVELS * 4)
    return Model(*new_probabilities(size * DECISIONS), *lower, by_size, by_band, starts)


@jit
def room_for_contexts(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Arrays for the contexts of a coefficient, and for their opinions and the constant one."""
    return np.zeros(len(model.starts), np.int64), np.zeros(len(model.starts) + 1, np.int32)


@jit
def predict(model: Model, found: np.ndarray, decision: int, row: int, opinions: np.ndarray) -> int:
    """Probability, in 1/65536, that the answer to a decision is yes."""
    kind = min(decision, DECISIONS - 1)
    for context in range(len(found)):
        opinions[context] = stretch(model.probabilities[(model.starts[context] + found[context]) * DECISIONS + kind])
    opinions[len(found)] = 256
    said = mix(opinions, model.weights_by_size, min(decision, 3) * LEVELS + row)
    if len(model.weights_by_band):
        said = (said + mix(opinions, model.weights_by_band, min(decision, 3) * BANDS + found[6] % BANDS)) >> 1
    return _bounded(squash(said))


@jit
def _bounded(probability: int) -> int:
    return min(max(probability, _CERTAIN), 65536 - _CERTAIN)


@jit
def _learn_slowly(opinions: np.ndarray, weights: np.ndarray, row: int, bit: int) -> None:
    """Move the weights of one of two mixtures, by what it said itself, at half the least speed of others."""
    error = (65536 if bit else 0) - _bounded(squash(mix(opinions, weights, row)))
    for place in range(len(opinions)):
        moved = weights[row, place] + ((np.int64(opinions[place]) * error + (1 << 14)) >> 15)
        weights[row, place] = min(max(moved, -MAX_WEIGHT), MAX_WEIGHT)


@jit
def adapt(
    model: Model, found: np.ndarray, decision: int, row: int, opinions: np.ndarray, bit: int, probability: int
) -> None:
    """Learn from the answer to a decision; `opinions` and `probability` are those of :func:`predict`."""
    kind = min(decision, DECISIONS - 1)
    by_size = min(decision, 3) * LEVELS + row
    if len(model.weights_by_band):
        _learn_slowly(opinions, model.weights_by_size, by_size, bit)
        _learn_slowly(opinions, model.weights_by_band, min(decision, 3) * BANDS + found[6] % BANDS, bit)
    else:
        learn_weights(opinions, model.weights_by_size, by_size, bit, probability, _WEIGHT_RATE)
    for context in range(len(found)):
        learn(
            model.probabilities,
            model.counts,
            (model.starts[context] + found[context]) * DECISIONS + kind,
            bit,
            _SLOWEST,
        )


@jit
def lower_context(octave: int, row: int, taken: int, prefix: int) -> int:
    """Context of one of the two bits after the highest; `prefix` is the first of them once it is known."""
    return (octave * LEVELS + row) * 4 + 2 * taken + prefix


@jit
def predict_lower(model: Model, context: int) -> int:
    """Probability that a lower bit is 1."""
    return _bounded(model.lower_probabilities[context])


@jit
def adapt_lower(model: Model, context: int, bit: int) -> None:
    """Learn from a lower bit."""
    learn(model.lower_probabilities, model.lower_counts, context, bit, _SLOWEST)
