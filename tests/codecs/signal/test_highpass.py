"""The high-pass: the paper's filter, the same samples however a recording is read."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from eegzip.codecs.signal.highpass import HighPass

RATE = 64.0


@pytest.fixture(scope="module")
def drifting() -> np.ndarray:
    """Five minutes of three signals on offsets, with drift a thousand times as large as what is above 0.1 Hz."""
    time = np.arange(round(300 * RATE)) / RATE
    fast = np.random.default_rng(0).standard_normal((3, len(time)))
    return fast + 1000 * np.sin(2 * np.pi * time / 250 + np.arange(3)[:, None]) + np.array([[0], [5e4], [-3e5]])


def expected(x: np.ndarray, corner: float) -> np.ndarray:
    """What scipy makes of the whole of it."""
    sections = signal.butter(2, corner, "highpass", fs=RATE, output="sos")
    return signal.sosfiltfilt(sections, x, axis=1, padlen=min(x.shape[1] - 1, int(3 * RATE / corner)))


@pytest.mark.parametrize("corner", [0.1, 0.5])
@pytest.mark.parametrize("seconds", [1, 70, 300])
def test_blocks_are_parts_of_the_whole(drifting: np.ndarray, seconds: int, corner: float) -> None:
    x = drifting[:, : round(seconds * RATE)]
    wanted = expected(x, corner)
    np.testing.assert_array_equal(HighPass(RATE, corner).whole(x), wanted)
    read = HighPass(RATE, corner).reader(lambda start, stop: x[:, start:stop], x.shape[1])
    # Of 1000 of drift, and 3e5 of offset.
    np.testing.assert_allclose(read(0, x.shape[1]), wanted, atol=1e-4)


def test_samples_depend_on_the_signal_alone(drifting: np.ndarray) -> None:
    total = drifting.shape[1]
    whole = HighPass(RATE, 0.1).reader(lambda start, stop: drifting[:, start:stop], total)(0, total)
    alone = HighPass(RATE, 0.1).reader(lambda start, stop: drifting[1:2, start:stop], total)
    for start, stop in ((total - 5, total), (0, 1), (3000, 9000), (3839, 3841), (100, 100)):
        np.testing.assert_array_equal(alone(start, stop), whole[1:2, start:stop])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_few_samples_are_filtered(n: int) -> None:
    x = np.full((2, n), 7.0)
    np.testing.assert_allclose(HighPass(RATE, 0.1).reader(lambda start, stop: x[:, start:stop], n)(0, n), 0, atol=1e-9)
