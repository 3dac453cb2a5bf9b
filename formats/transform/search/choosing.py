"""Quantised values chosen by what they cost, without writing any: in a tenth of the time of writing them.

What they cost is known where values near these were written
(:func:`~eegzip.formats.transform.search.quantiser.encode_coefficients`), or estimated: how often neighbourhoods like
theirs hold anything else than 0.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import jit
from eegzip.formats.transform.contexts import (
    LARGEST_NEIGHBOUR,
    LEVELS,
    average,
    new_neighbours,
    surroundings,
    usually,
)
from eegzip.formats.transform.search.quantiser import WORTH_A_LOOK, step_down, weigh_steps

UNSEEN_BITS = 12.0
"""What a coefficient costs of which nothing was noted, as beyond the last that was written."""

_PASSES = 2
"""Each goes by the neighbourhoods that the one before left."""
_ROUNDED_DOWN = 0.08
"""Steps by which values are smaller, before anything is known."""
_DOUBT = 8
"""Coefficients of a neighbourhood that say as much of it as all that are alike in what is near."""
_LIKELIEST = 65536 - 32


def quantise_by_estimate(values: np.ndarray, penalty: float) -> np.ndarray:
    """Quantise coefficients about as :func:`~eegzip.formats.transform.search.quantiser.encode_coefficients` would.

    Parameters
    ----------
    values : ndarray of float64, shape (components, blocks, bins)
        In units of the quantiser's step.
    penalty : float
        Squared error, in squared steps, that one bit is worth.

    Returns
    -------
    ndarray of int32
    """
    quantised = (np.abs(values) + (0.5 - _ROUNDED_DOWN)).astype(np.int32)
    for _ in range(_PASSES):
        costs = _estimated(values, np.abs(quantised))
        quantised = quantise_by_costs(values, costs, penalty)
    return quantised


@jit
def quantise_by_costs(values: np.ndarray, costs: np.ndarray, penalty: float) -> np.ndarray:
    """Quantise coefficients, given about what each step of each costs: `costs` as of the quantiser that writes."""
    components, blocks, bins = values.shape
    result = np.zeros((components, blocks, bins), np.int32)
    for component in range(components):
        for block in range(blocks):
            for place in range(bins):
                value = values[component, block, place]
                size = abs(value)
                magnitude = int(size + 0.5)
                if magnitude > 2:
                    magnitude = step_down(size, penalty)
                elif magnitude:
                    first, second = costs[0, component, block, place], costs[1, component, block, place]
                    bits = first if first > 0 else UNSEEN_BITS
                    magnitude, least = 0, size * size
                    error = size - 1.0
                    cost = error * error + penalty * bits
                    if cost < least:
                        magnitude, least = 1, cost
                    error = size - 2.0
                    if error * error + penalty * (bits + second) < least:
                        magnitude = 2
                if magnitude:
                    result[component, block, place] = -magnitude if value < 0 else magnitude
    return result


@jit
def _estimated(values: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
    """Costs of values [components, blocks, bins], from how often neighbourhoods like theirs hold these magnitudes."""
    places = _neighbourhoods(magnitudes)
    # Of each neighbourhood: all coefficients, those that are not 0, and those of at least 2.
    counts = np.zeros((LEVELS * LEVELS, 3), np.int64)
    of_all, sizes = places.reshape(-1), magnitudes.reshape(-1)
    for place in range(len(sizes)):
        for least in range(min(sizes[place], 2) + 1):
            counts[of_all[place], least] += 1
    alike = np.zeros((LEVELS, 3), np.int64)
    for place in range(len(counts)):
        alike[place // LEVELS] += counts[place]
    likely = np.zeros((LEVELS * LEVELS, 2), np.int64)
    for place in range(len(likely)):
        for least in range(2):
            all_alike = alike[place // LEVELS]
            usual = 65536 * (2 * all_alike[least + 1] + 1) // (2 * all_alike[least] + 2)
            found = 65536 * counts[place, least + 1] + _DOUBT * usual
            likely[place, least] = min(max(found // (counts[place, least] + _DOUBT), 65536 - _LIKELIEST), _LIKELIEST)
    components, blocks, bins = values.shape
    costs = np.zeros((3, components, blocks, bins), np.float32)
    for component in range(components):
        for block in range(blocks):
            for bin_ in range(bins):
                size = abs(values[component, block, bin_])
                if size > WORTH_A_LOOK:
                    zero, two = likely[places[component, block, bin_]]
                    weigh_steps(size, zero, two, costs[:, component, block, bin_])
    return costs


@jit
def _neighbourhoods(magnitudes: np.ndarray) -> np.ndarray:
    """Levels of what is near each coefficient, and of what is usual there, as the context of the two."""
    components, blocks, bins = magnitudes.shape
    padded = np.zeros((components + 2, blocks + 2, bins + 4), np.int32)
    for component in range(components):
        for block in range(blocks):
            for place in range(bins):
                padded[component + 2, block + 2, place + 2] = min(
                    magnitudes[component, block, place], LARGEST_NEIGHBOUR
                )
    found = np.zeros((components, blocks, bins), np.int16)
    _, averages = new_neighbours(components, bins)
    for component in range(components):
        for block in range(blocks):
            here, before, older = (
                padded[component + 2, block + 2],
                padded[component + 2, block + 1],
                padded[component + 2, block],
            )
            first, second = padded[component + 1, block + 2], padded[component, block + 2]
            for place in range(bins):
                near = surroundings(here, before, older, first, second[place + 2], place)
                found[component, block, place] = near * LEVELS + usually(averages, component, place)
            for place in range(bins):
                average(averages, component, place, here[place + 2])
    return found
