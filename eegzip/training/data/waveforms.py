"""Whole recordings at a network's rate and level, by the codec's own resampler and scaling."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from eegzip.codecs.signal.resampling import Resampler, rate_ratio
from eegzip.codecs.signal.scaling import AdaptiveScaling, choose_offset_step, normalise

Waves = npt.NDArray[np.float64]


def resampled(x: Waves, rate_in: Fraction | float, rate_out: float) -> Waves:
    """Resample whole waveforms [C, n], their end values held beyond their ends as the codec does; rates in Hz."""
    resampler = Resampler(*rate_ratio(rate_in, rate_out))
    count = resampler.output_length(x.shape[1])
    start, stop = resampler.input_range(0, count)
    where = np.clip(np.arange(start, stop), 0, x.shape[1] - 1)
    return np.asarray(resampler.resample(x[:, where], start, 0, count))


def at_level(x: Waves, scaling: AdaptiveScaling) -> tuple[npt.NDArray[np.float32], Waves]:
    """Return whole waveforms [C, n] after the codec's adaptive scaling, and the scale at every sample [C, n].

    Parameters
    ----------
    x
        Digital values: the scaling's steps are made for integers.
    scaling
        The model's.
    """
    total = x.shape[1]
    step = choose_offset_step(x.std(axis=1))
    codes = scaling.knots(x, 0, 0, scaling.n_knots(total), total, step)
    offset, scale = scaling.curves(codes, 0, 0, total, step)
    return normalise(x, offset, scale), scale
