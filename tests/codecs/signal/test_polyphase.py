"""The resampler's filter and sums are scipy's, to the bit: files are what they were when it did them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import firwin, upfirdn

from eegzip.codecs.signal.resampling import Resampler, rate_ratio


@pytest.mark.parametrize("rate", [100.0, 160.0, 199.8, 250.0, 500.0, 512.0, 1000.0, 2048.0])
@pytest.mark.parametrize("back", [False, True])
def test_the_same_as_upfirdn(rate: float, back: bool) -> None:
    up, down = rate_ratio(256.0, rate) if back else rate_ratio(rate, 256.0)
    ours = Resampler(up, down)
    reach = 32 * max(up, down)
    taps = firwin(2 * reach + 1, 1 / max(up, down), window=("kaiser", 8.6)) * up
    for phase in range(up):
        branch = np.rint(taps[phase::up] / taps[phase::up].sum() * 2.0**32) / 2.0**32
        branch[np.argmax(branch)] += 1.0 - branch.sum()
        taps[phase::up] = branch
    first, count = 37, 150
    start, stop = ours.input_range(first, first + count)
    x = 100 * np.random.default_rng(int(rate)).standard_normal((3, stop - start))
    # Leading zeros bring the first output onto a multiple of `down`.
    centre = first * down - start * up + reach
    lead = -centre % down
    wanted = upfirdn(np.concatenate([np.zeros(lead), taps]), x, up, down, axis=1)[:, (centre + lead) // down :]
    assert np.array_equal(ours.resample(x, start, first, first + count), wanted[:, :count])
