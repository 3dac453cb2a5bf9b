"""Samples that were integers once: the step between them, found again in floats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MAX_STEPS = 1 << 24
# Of a step: how far samples may lie beside their places.
_LOOSE = 0.01
_MAX_ROUNDS = 64


def find_step(samples: npt.NDArray[np.float64], precision: float) -> float | None:
    """Find the largest step of which all differences between samples are whole multiples.

    Parameters
    ----------
    samples : ndarray of float64, shape (n,)
        All finite.
    precision : float
        Of the samples, relative to the largest: ``numpy.finfo(numpy.float32).eps`` where they were float32 once.

    Returns
    -------
    float or None
        None where there is no such step, or one that takes more than 24 bits; and where all samples are equal.
    """
    levels = np.unique(samples)
    noise = 4 * precision * float(np.abs(levels[[0, -1]]).max())
    differences = np.diff(levels)
    differences = differences[differences > noise]
    if not len(differences):
        return None
    span = float(levels[-1] - levels[0])
    step = float(differences.min())
    # Euclid's algorithm on all differences at once: what is left of them, divided by the step, is the next step.
    for _ in range(_MAX_ROUNDS):
        if step * _MAX_STEPS < span:
            return None
        multiples = np.rint(differences / step)
        left = np.abs(differences - multiples * step)
        # The step itself is known no better than to the noise, until all differences together say what it is.
        beside = left > np.minimum(np.maximum(_LOOSE * step, noise * (1 + multiples)), step / 4)
        if not beside.any():
            step = float(differences.sum() / multiples.sum())
            return step if on_lattice(levels, levels[0], step) else None
        step = float(left[beside].min())
    return None


def on_lattice(samples: npt.NDArray[np.float64], origin: float, step: float) -> bool:
    """Whether all samples lie whole multiples of a step from an origin, but for a little."""
    places = (samples - origin) / step
    return bool(np.abs(places - np.rint(places)).max() <= 5 * _LOOSE)
