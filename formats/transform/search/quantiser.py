"""The quantiser that weighs the error of coefficients against their bits, and writes them."""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.binary_coder import HALF, encode_bit
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

# Bits that a decision of probability (i + 1/2) / 4096 costs; to 2^-32, as a logarithm's last bits are the processor's.
_BITS = np.rint(np.log2((np.arange(4096) + 0.5) / 4096) * -(2.0**32)) / 2.0**32

WORTH_A_LOOK = 0.4
"""Steps, from which on a coefficient may be anything but 0."""
_MIN_COST = 0.3


@jit
def room(values: np.ndarray) -> int:
    """Bytes that the stream of coefficients of these magnitudes can take at most."""
    total = 64
    for value in values.flat:
        total += 6
        magnitude = int(abs(value) + 1)
        while magnitude:
            magnitude >>= 1
            total += 4
    return total


@jit
def _choose(magnitude: float, penalty: float, zero: int, two: int) -> int:
    """The cheaper of 0, 1 and 2 for a magnitude, given the probabilities of not 0 and of at least 2."""
    best, least = 0, magnitude * magnitude + penalty * _BITS[(65536 - zero) >> 4]
    nonzero = _BITS[zero >> 4] + 1.0
    error = magnitude - 1.0
    cost = error * error + penalty * (nonzero + _BITS[(65536 - two) >> 4])
    if cost < least:
        best, least = 1, cost
    error = magnitude - 2.0
    cost = error * error + penalty * (nonzero + _BITS[two >> 4] + 1.5)
    return 2 if cost < least else best


@jit
def step_down(size: float, penalty: float) -> int:
    """The magnitude that a size above 2 gets, which is a little below the nearest."""
    # The rate falls by about 1.44 / (usual magnitude) bits a step.
    return int(size + 0.5 - min(0.3, 0.72 * penalty / (0.4 + 0.5 * size)))


@jit
def weigh_steps(size: float, zero: int, two: int, costs: np.ndarray) -> None:
    """Note what the steps from 0 to 1, 1 to 2 and beyond cost, given the probabilities as for :func:`_choose`."""
    first = _BITS[zero >> 4] + 1.0 + _BITS[(65536 - two) >> 4] - _BITS[(65536 - zero) >> 4]
    second = _BITS[two >> 4] + 1.5 - _BITS[(65536 - two) >> 4]
    costs[0], costs[1], costs[2] = max(first, _MIN_COST), max(second, _MIN_COST), 1.44 / (0.4 + 0.5 * size)


@jit
def encode_coefficients(
    values: np.ndarray,
    ends: np.ndarray,
    penalty: float,
    model: Model,
    state: np.ndarray,
    out: np.ndarray,
    costs: np.ndarray,
) -> np.ndarray:
    """Quantise and write coefficients.

    Parameters
    ----------
    values : ndarray of float64, shape (components, blocks, bins)
        In units of the quantiser's step; magnitudes below 2**30.
    ends : ndarray of int64, shape (components,)
        Bins of each component that are written; the others are 0.
    penalty : float
        Squared error, in squared steps, that one bit is worth.
    model : Model
        From :func:`~eegzip.formats.transform.model.new_model`.
    state, out : ndarray
        Of the binary coder.
    costs : ndarray of float32, shape (3, components, blocks, bins) or (0, components, blocks, bins)
        Filled in, where there is room: about how many bits it costs to make a magnitude 1 of 0, 2 of 1, and one
        more of it anywhere above.

    Returns
    -------
    ndarray of int32, shape (components, blocks, bins)
        The quantised coefficients.
    """
    components, blocks, bins = values.shape
    known, averages = new_neighbours(components, bins)
    work = new_room()
    band_of_bin = bands_of(bins)
    result = np.zeros((components, blocks, bins), np.int32)
    for block in range(blocks):
        for component in range(components):
            for place in range(ends[component]):
                band = band_of_bin[place]
                row = look(known, averages, component, block, place, band, work.found)
                value = values[component, block, place]
                size = abs(value)
                magnitude = int(size + 0.5)
                zero = predict(model, work, 0, row, band)
                # What is said of the second decision stays true whatever becomes of the first.
                two = 0
                if magnitude > 0 or (len(costs) and size > WORTH_A_LOOK):
                    two = predict(model, work, 1, row, band)
                if len(costs) and size > WORTH_A_LOOK:
                    weigh_steps(size, zero, two, costs[:, component, block, place])
                if magnitude > 2:
                    magnitude = step_down(size, penalty)
                elif magnitude > 0:
                    magnitude = _choose(size, penalty, zero, two)
                decision = 0
                while True:
                    if decision > 1:
                        probability = predict(model, work, decision, row, band)
                    else:
                        probability = two if decision else zero
                    bit = int(magnitude >> decision > 0)
                    encode_bit(state, out, bit, probability)
                    adapt(model, work, decision, row, band, bit, probability)
                    if not bit:
                        break
                    decision += 1
                    if decision == MAX_BITS:
                        break
                if magnitude:
                    _put_lower(model, state, out, magnitude, decision - 1, row)
                    encode_bit(state, out, int(value < 0), HALF)
                    result[component, block, place] = -magnitude if value < 0 else magnitude
                remember(known, averages, component, block, place, magnitude)
    return result


@jit
def _put_lower(
    model: Model,
    state: np.ndarray,
    out: np.ndarray,
    magnitude: int,
    octave: int,
    row: int,
) -> None:
    prefix = 0
    for taken in range(octave):
        bit = (magnitude >> (octave - 1 - taken)) & 1
        if taken < 2:
            context = lower_context(octave, row, taken, prefix)
            encode_bit(state, out, bit, predict_lower(model, context))
            adapt_lower(model, context, bit)
            prefix = bit
        else:
            encode_bit(state, out, bit, HALF)
