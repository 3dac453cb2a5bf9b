"""Components of a recording: a rotation of its channels that leaves little in common (Karhunen-Loeve transform).

Channels count relative to their own ordinary level, so the same error in a component is the same error in percent
everywhere. Of all components the error is to have one level (reverse water-filling): a loud one takes many tokens, one
that is not louder than the error takes none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNIT = 1024.0
"""A component of the ordinary level of one channel is so loud; scales are of such numbers, and not below a half."""


@dataclass(frozen=True)
class Distortion:
    """The error that components are to have.

    Attributes
    ----------
    level : float
        About its RMS.
    multiplier : float
        Lagrange multiplier: squared error, in the latents times the scale, that a token must take away to be worth it.
    """

    level: float
    multiplier: float


@dataclass(frozen=True)
class KltComponents:
    """What is coded in place of channels.

    Attributes
    ----------
    matrix : ndarray of float64, shape (components, channels)
        Makes components of channels.
    distortion : Distortion
    """

    matrix: np.ndarray
    distortion: Distortion
