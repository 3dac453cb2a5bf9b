"""The adaptive model that makes probabilities of a coefficient's contexts, and learns from what came."""

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
from eegzip.formats.transform.contexts import BANDS, BANDS_OF_COMPONENTS, CONTEXTS, DECISIONS, LEVELS, OWN_BINS

MAX_BITS = 31
CONSTANT = 256
"""The opinion that is always the same."""

_CERTAIN = 32
_FIRST_WEIGHT = 12000
_WEIGHT_RATE = 1
_SLOWEST = 250
_COUNT_BITS = 8

SETTLED = _SLOWEST
"""The state of a probability that has seen so many zeros that one more changes nothing: it is 0 of 65536."""


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
    size = BANDS_OF_COMPONENTS + components * BANDS + (0 if first else components * OWN_BINS)
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
    opinions = room.opinions[place]
    # In layers of version 1.2 the last context has no opinion.
    for context in range(CONTEXTS if len(model.weights_by_band) else CONTEXTS - 1):
        opinions[context] = opinion(model, room.found[context] + kind)
    opinions[CONTEXTS] = CONSTANT
    return weigh(model, opinions, room.said[place], min(decision, 3), row, band)


@jit
def opinion(model: Model, where: int) -> int:
    """What a probability says, in the logistic domain."""
    return stretch(model.states[where] >> _COUNT_BITS)


@jit
def weigh(model: Model, opinions: np.ndarray, said: np.ndarray, again: int, row: int, band: int) -> int:
    """Probability that opinions make together; `again` is the number of the decision, at most 3."""
    if len(model.weights_by_band):
        said[0] = _mixed(opinions, model.weights_by_size[again * LEVELS + row])
        said[1] = _mixed(opinions, model.weights_by_band[again * BANDS + band])
        return _bounded(squash((said[0] + said[1]) >> 1))
    return _bounded(squash(_mixed(opinions, model.weights_by_size[again * LEVELS + row])))


@jit
def _bounded(probability: int) -> int:
    return min(max(probability, _CERTAIN), 65536 - _CERTAIN)


@jit
def learn_state(model: Model, where: int, bit: int) -> None:
    """As :func:`~eegzip.formats.entropy.mixing.learn`, of a probability that has its count beside it."""
    states = model.states
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
    kind, place = min(decision, DECISIONS - 1), min(decision, 2)
    learn_opinions(model, room.opinions[place], room.said[place], min(decision, 3), row, band, bit, probability)
    for context in range(CONTEXTS if len(model.weights_by_band) else CONTEXTS - 1):
        learn_state(model, room.found[context] + kind, bit)


@jit
def learn_opinions(
    model: Model, opinions: np.ndarray, said: np.ndarray, again: int, row: int, band: int, bit: int, probability: int
) -> None:
    """Move the weights of opinions of which :func:`weigh` made `probability`."""
    if len(model.weights_by_band):
        _learn_slowly(opinions, model.weights_by_size[again * LEVELS + row], said[0], bit)
        _learn_slowly(opinions, model.weights_by_band[again * BANDS + band], said[1], bit)
    else:
        learn_weights(opinions, model.weights_by_size, again * LEVELS + row, bit, probability, _WEIGHT_RATE)


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
