"""Zeros among zeros, in a third of the time of other coefficients.

A few bytes can say millions of zeros, and nobody should wait for them. Where all neighbours are 0 most contexts are the
same from coefficient to coefficient, and once they have seen some hundred zeros another one teaches them nothing. What
is decoded here is what :func:`~eegzip.formats.transform.coefficients.decode_coefficients` would decode.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.binary_coder import decode_bit, next_bit
from eegzip.formats.entropy.jit import jit
from eegzip.formats.transform.contexts import (
    BY_AVERAGE,
    BY_AVERAGE_TOO,
    CONTEXTS,
    SHARED,
    average,
    look_at_averages,
    look_at_nothing,
    look_at_place,
)
from eegzip.formats.transform.model import (
    CONSTANT,
    SETTLED,
    Model,
    Room,
    learn_opinions,
    learn_state,
    opinion,
    weigh,
)

PIECE = 32
"""Bins of a component in a block that are looked at together."""
_STILL = 3
"""Blocks of zeros after which none of the blocks that are remembered holds anything else."""


@jit
def new_stillness(components: int, bins: int) -> np.ndarray:
    """Return how many blocks of zeros each component's pieces end with, with what is always 0 around them."""
    return np.full((components + 2, (bins + PIECE - 1) // PIECE + 2), _STILL, np.int8)


@jit
def is_still(still: np.ndarray, component: int, piece: int) -> bool:
    """Whether all neighbours of a piece, which comes next, are 0."""
    for place in range(piece, piece + 3):
        if still[component + 2, place] < _STILL or still[component + 1, place] == 0:
            return False
    return still[component, piece + 1] > 0


@jit
def note(still: np.ndarray, component: int, piece: int, largest: int) -> None:
    """Take note of the largest magnitude of a piece."""
    before = still[component + 2, piece + 1]
    still[component + 2, piece + 1] = 0 if largest else min(before + 1, _STILL)


@jit
def take_zeros(
    model: Model,
    room: Room,
    averages: np.ndarray,
    component: int,
    begin: int,
    end: int,
    band_of_bin: np.ndarray,
    state: np.ndarray,
    data: np.ndarray,
) -> int:
    """Read the zeros that a piece begins with, all neighbours being 0; return where the first other coefficient is.

    Or the first from which the model may learn more than is done here.
    """
    found, opinions, said = room.found, room.opinions[0], room.said[0]
    look_at_nothing(found)
    for context in range(SHARED):
        opinions[context] = opinion(model, found[context])
        if model.states[found[context]] != SETTLED:
            return begin
    opinions[CONTEXTS] = CONSTANT
    own = CONTEXTS if len(model.weights_by_band) else CONTEXTS - 1
    for place in range(begin, end):
        band = band_of_bin[place]
        look_at_averages(averages, component, place, found)
        if model.states[found[BY_AVERAGE]] != SETTLED or model.states[found[BY_AVERAGE_TOO]] != SETTLED:
            return place
        look_at_place(len(averages), component, place, band, found)
        for context in range(SHARED, own):
            opinions[context] = opinion(model, found[context])
        probability = weigh(model, opinions, said, 0, 0, band)
        if next_bit(state, probability):
            return place
        decode_bit(state, data, probability)
        learn_opinions(model, opinions, said, 0, 0, band, 0, probability)
        for context in range(SHARED, own):
            learn_state(model, found[context], 0)
        average(averages, component, place, 0)
    return end
