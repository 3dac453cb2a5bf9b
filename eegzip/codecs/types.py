"""Arrays that pass between the parts of a codec."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
CodeArray = npt.NDArray[np.uint16]


class WindowAnalysis(NamedTuple):
    """What an encoder finds in a window of frames.

    Attributes
    ----------
    codes : ndarray of uint16, shape (groups, codebooks, frames)
        Tokens of least error.
    latents : ndarray of float32, shape (groups, D, frames)
        What they stand for.
    scales : ndarray of float64, shape (channels, frames)
        Scale in the middle of each frame; of components, where these are coded in place of channels.
    """

    codes: CodeArray
    latents: FloatArray
    scales: npt.NDArray[np.float64]
