"""Contexts of a coefficient: what is known before it is decoded, and the adaptive model that makes probabilities of it.

A magnitude is coded as binary decisions: decision 0 says that it is not 0, decision i that it is at least 2**i, up to
the first no; then come the bits below the highest. Each of the first kind is an opinion of several contexts, mixed
(:mod:`~eegzip.formats.entropy.mixing`). Contexts are made of the magnitudes of neighbours that are known already: bins
before it in its block, bins around it in the two blocks before, the same bins of the components before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.entropy.mixing import (
    LIMIT,
    MAX_WEIGHT,
    RATES,
    learn,
    learn_weights,
    new_probabilities,
    squash,
    stretch,
)

LEVELS = 24
BANDS = 28
CONTEXTS = 8
"""Opinions of a decision; layers of version 1.2 lack the last."""
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
_COUNT_BITS = 8
_AVERAGE_SHIFT = 3

# Where the probabilities of contexts begin, in units of DECISIONS; those that grow with the components come last.
_PAIRS = LEVELS * LEVELS
_CORNERS = 5 * _PAIRS
_BANDS_OF_COMPONENTS = _CORNERS + 768

_TABLE_SIZE = 1024


def _level_from(value: int, octave: int) -> int:
    while value >> (octave + 1):
        octave += 1
    return min(2 * octave + ((value >> (octave - 1)) & 1), LEVELS - 1)


_LEVELS = np.array([0, 1, *(_level_from(value, 1) for value in range(2, _TABLE_SIZE))], np.uint8)
_large_level = jit(_level_from)


@jit
def level(value: int) -> int:
    """A size on a scale of two steps an octave: 0, 1, 2, 3, then 4 for 4 and 5, 5 for 6 and 7... up to LEVELS - 1."""
    # Nearly all are small, and looked up.
    return int(_LEVELS[value]) if value < _TABLE_SIZE else _large_level(value, 10)


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
def bands_of(bins: int) -> np.ndarray:
    """The band of each bin."""
    result = np.zeros(bins, np.int64)
    for place in range(bins):
        result[place] = band_of(place, bins)
    return result


@jit
def new_neighbours(components: int, blocks: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes known so far, with zeros around them, and running averages of each component's bins in 1/64."""
    known = np.zeros((components + _MARGIN, blocks + _MARGIN, bins + 2 * _MARGIN), np.int32)
    averages = np.zeros((components, bins + 2 * _MARGIN), np.int32)
    return known, averages


@jit
def look(
    known: np.ndarray, averages: np.ndarray, component: int, block: int, place: int, band: int, found: np.ndarray
) -> int:
    """Fill in where the probabilities of a coefficient's contexts are; return what chooses the mixture's weights."""
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
    corner = (min(left, 3) * 4 + min(past, 3)) * 12 + min(left2, 2) * 4 + min(beside, 3)
    bands, bins_of_components = averages.shape[0] * BANDS, component * OWN_BINS + min(place, OWN_BINS - 1)
    found[0] = level(4 * left + 2 * left2) * LEVELS + level(2 * past + past_sides)
    found[1] = _PAIRS + around * LEVELS + usual
    found[2] = 2 * _PAIRS + level(4 * beside + 2 * beside_sides) * LEVELS + level(3 * left + 2 * past + left2 + old)
    found[3] = 3 * _PAIRS + usual * LEVELS + level(near)
    found[4] = 4 * _PAIRS + level(4 * old + 2 * old_sides) * LEVELS + level(4 * second + 4 * beside)
    found[5] = _CORNERS + corner * 3 + min(before[place + 3], 2)
    found[6] = _BANDS_OF_COMPONENTS + component * BANDS + band
    found[7] = _BANDS_OF_COMPONENTS + bands + bins_of_components
    for context in range(CONTEXTS):
        found[context] *= DECISIONS
    return around


@jit
def remember(known: np.ndarray, averages: np.ndarray, component: int, block: int, place: int, magnitude: int) -> None:
    """Take note of a magnitude, for the contexts of those to come."""
    kept = min(magnitude, LARGEST_NEIGHBOUR)
    known[component + 2, block + 2, place + 2] = kept
    averages[component, place + 2] += ((kept << 6) - averages[component, place + 2]) >> _AVERAGE_SHIFT


class Model(NamedTuple):
    """What the entropy coder has learnt; all arrays are changed in place.

    Attributes
    ----------
    states : ndarray of int32
        Of decisions, in the contexts one after another: the probability, and in the lowest bits its count. One look
        into memory for both is half the time of it.
    lower_probabilities, lower_counts : ndarray
        Of lower bits.
    weights_by_size, weights_by_band : ndarray of int32, shape (rows, CONTEXTS + 1)
        Of the two mixtures; of version 1.2 the second has no rows.
    """

    states: np.ndarray
    lower_probabilities: np.ndarray
    lower_counts: np.ndarray
    weights_by_size: np.ndarray
    weights_by_band: np.ndarray


def new_model(components: int, *, first: bool = False) -> Model:
    """Make a model that has seen nothing.

    Parameters
    ----------
    components : int
    first : bool
        Whether it is that of layers of version 1.2.
    """
    size = _BANDS_OF_COMPONENTS + components * BANDS + (0 if first else components * OWN_BINS)
    by_size, by_band = (
        np.full((rows, CONTEXTS + 1), _FIRST_WEIGHT, np.int32) for rows in (4 * LEVELS, 0 if first else 4 * BANDS)
    )
    lower = new_probabilities(MAX_BITS * LEVELS * 4)
    return Model(np.full(size * DECISIONS, 32768 << _COUNT_BITS, np.int32), *lower, by_size, by_band)


class Room(NamedTuple):
    """Working memory of a coefficient's decisions: of the first, the second, and any later one.

    Attributes
    ----------
    found : ndarray of int64, shape (CONTEXTS,)
        Where the probabilities of each context begin.
    opinions : ndarray of int32, shape (3, CONTEXTS + 1)
        Of the contexts, and the constant one.
    said : ndarray of int64, shape (3, 2)
        What the two mixtures made of them.
    """

    found: np.ndarray
    opinions: np.ndarray
    said: np.ndarray


@jit
def new_room() -> Room:
    """Working memory."""
    return Room(np.zeros(CONTEXTS, np.int64), np.zeros((3, CONTEXTS + 1), np.int32), np.zeros((3, 2), np.int64))


@jit
def _mixed(opinions: np.ndarray, weights: np.ndarray) -> int:
    """As :func:`~eegzip.formats.entropy.mixing.mix`, of so many opinions as there always are."""
    total = 0
    for place in range(CONTEXTS + 1):
        total += np.int64(opinions[place]) * weights[place]
    return min(max(total >> 16, -LIMIT), LIMIT)


@jit
def predict(model: Model, room: Room, decision: int, row: int, band: int) -> int:
    """Probability, in 1/65536, that the answer to a decision is yes; of a band of bins and a context of sizes."""
    kind, place = min(decision, DECISIONS - 1), min(decision, 2)
    opinions, said = room.opinions[place], room.said[place]
    for context in range(CONTEXTS - 1):
        opinions[context] = stretch(model.states[room.found[context] + kind] >> _COUNT_BITS)
    opinions[CONTEXTS] = 256
    again = min(decision, 3)
    if len(model.weights_by_band):
        opinions[CONTEXTS - 1] = stretch(model.states[room.found[CONTEXTS - 1] + kind] >> _COUNT_BITS)
        said[0] = _mixed(opinions, model.weights_by_size[again * LEVELS + row])
        said[1] = _mixed(opinions, model.weights_by_band[again * BANDS + band])
        return _bounded(squash((said[0] + said[1]) >> 1))
    # In layers of version 1.2 the last context has no opinion.
    return _bounded(squash(_mixed(opinions, model.weights_by_size[again * LEVELS + row])))


@jit
def _bounded(probability: int) -> int:
    return min(max(probability, _CERTAIN), 65536 - _CERTAIN)


@jit
def _learn(states: np.ndarray, where: int, bit: int) -> None:
    """As :func:`~eegzip.formats.entropy.mixing.learn`, of a probability that has its count beside it."""
    state = states[where]
    count, probability = state & ((1 << _COUNT_BITS) - 1), state >> _COUNT_BITS
    probability += (((65535 if bit else 0) - probability) * RATES[count]) >> 16
    states[where] = np.int32((probability << _COUNT_BITS) | min(count + 1, _SLOWEST))


@jit
def _learn_slowly(opinions: np.ndarray, weights: np.ndarray, said: int, bit: int) -> None:
    """Move the weights of one of two mixtures, by what it said itself, at half the least speed of others."""
    # All of it fits into 32 bits.
    error, half = np.int32((65536 if bit else 0) - _bounded(squash(said))), np.int32(1 << 14)
    least, most = np.int32(-MAX_WEIGHT), np.int32(MAX_WEIGHT)
    for place in range(CONTEXTS + 1):
        push = np.int32(np.int32(np.int32(opinions[place] * error) + half) >> 15)
        weights[place] = min(max(np.int32(weights[place] + push), least), most)


@jit
def adapt(model: Model, room: Room, decision: int, row: int, band: int, bit: int, probability: int) -> None:
    """Learn from the answer to a decision, of which :func:`predict` said `probability`.

    What it said of other decisions of the coefficient stays as it was.
    """
    kind, place, again = min(decision, DECISIONS - 1), min(decision, 2), min(decision, 3)
    opinions, said = room.opinions[place], room.said[place]
    contexts = CONTEXTS
    if len(model.weights_by_band):
        _learn_slowly(opinions, model.weights_by_size[again * LEVELS + row], said[0], bit)
        _learn_slowly(opinions, model.weights_by_band[again * BANDS + band], said[1], bit)
    else:
        contexts = CONTEXTS - 1
        learn_weights(opinions, model.weights_by_size, again * LEVELS + row, bit, probability, _WEIGHT_RATE)
    for context in range(contexts):
        _learn(model.states, room.found[context] + kind, bit)


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
