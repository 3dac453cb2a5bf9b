"""Rivals: coders that others would reach for, each to real bytes and back from those bytes alone.

All code the EEG channels of a whole recording as one stream, at the recording's own sample rate, from and to digital
integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rival:
    """One coder.

    Attributes
    ----------
    name, text : str
        As in the tables; what it is.
    settings : tuple of float
        Settings that make a curve, from small and coarse to large and fine.
    encode : callable
        From integers [channels, samples], their rate in Hz, and a setting to bytes.
    decode : callable
        From those bytes to integers [channels, samples].
    missing : str or None
        Why it can't run here.
    """

    name: str
    text: str
    settings: tuple[float, ...]
    encode: Callable[[np.ndarray, float, float], bytes]
    decode: Callable[[bytes], np.ndarray]
    missing: str | None = None


def all_rivals() -> list[Rival]:
    """Every rival, those that can't run here too."""
    from rivals.audio import MP3, OPUS
    from rivals.transform import KLT_BANDS, KLT_MDCT, MDCT
    from rivals.wavelet import WAVELET

    return [MDCT, KLT_MDCT, KLT_BANDS, WAVELET, OPUS, MP3]
