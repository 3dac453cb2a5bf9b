"""Coefficients as a stream of bits.

Blocks in order of time; in a block the components in their order; in a component the bins from low to high.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.binary_coder import HALF, decode_bit, is_over
from eegzip.formats.entropy.jit import jit
from eegzip.formats.transform.contexts import bands_of, look, new_neighbours, remember
from eegzip.formats.transform.model import (
    MAX_BITS,
    Model,
    adapt,
    adapt_lower,
    lower_context,
    new_room,
    predict,
    predict_lower,
)
from eegzip.formats.transform.quiet import PIECE, is_still, new_stillness, note, take_zeros


@jit
def decode_coefficients(
    shape: tuple[int, int, int],
    ends: np.ndarray,
    model: Model,
    state: np.ndarray,
    data: np.ndarray,
) -> np.ndarray:
    """Read quantised coefficients. Any bytes decode to something, but for those that end too soon.

    Parameters
    ----------
    shape : tuple of int
        Components, blocks, bins.
    ends : ndarray of int64, shape (components,)
        Bins of each component that are written; the others are 0.
    model : Model
        From :func:`~eegzip.formats.transform.model.new_model`.
    state, data : ndarray
        Of the binary coder.

    Returns
    -------
    ndarray of int32, of the given shape; empty where the stream is over before, as all the others would have the
    largest magnitude that can be said
    """
    components, blocks, bins = shape
    known, averages = new_neighbours(components, bins)
    room = new_room()
    band_of_bin = bands_of(bins)
    result = np.zeros((components, blocks, bins), np.int32)
    still = new_stillness(components, bins)
    for block in range(blocks):
        for component in range(components):
            for piece in range((ends[component] + PIECE - 1) // PIECE):
                end, largest = min((piece + 1) * PIECE, ends[component]), 0
                place = piece * PIECE
                if is_still(still, component, piece):
                    place = take_zeros(model, room, averages, component, place, end, band_of_bin, state, data)
                while place < end:
                    if is_over(state, data):
                        return np.zeros((0, 0, 0), np.int32)
                    band = band_of_bin[place]
                    row = look(known, averages, component, block, place, band, room.found)
                    decision = 0
                    while decision < MAX_BITS:
                        probability = predict(model, room, decision, row, band)
                        bit = decode_bit(state, data, probability)
                        adapt(model, room, decision, row, band, bit, probability)
                        if not bit:
                            break
                        decision += 1
                    magnitude = 0
                    if decision:
                        magnitude = _take_lower(model, state, data, decision - 1, row)
                        result[component, block, place] = -magnitude if decode_bit(state, data, HALF) else magnitude
                    remember(known, averages, component, block, place, magnitude)
                    largest = max(largest, magnitude)
                    place += 1
                note(still, component, piece, largest)
    return result


@jit
def _take_lower(
    model: Model,
    state: np.ndarray,
    data: np.ndarray,
    octave: int,
    row: int,
) -> int:
    magnitude, prefix = 1, 0
    for taken in range(octave):
        if taken < 2:
            context = lower_context(octave, row, taken, prefix)
            bit = decode_bit(state, data, predict_lower(model, context))
            adapt_lower(model, context, bit)
            prefix = bit
        else:
            bit = decode_bit(state, data, HALF)
        magnitude = 2 * magnitude + bit
    return magnitude
