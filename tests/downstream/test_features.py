"""The table of features as a whole."""

from __future__ import annotations

import numpy as np
import pytest

import eegzip
from eegzip.downstream import window_features
from eegzip.downstream.bands import BANDS, OVERLAPPING
from eegzip.downstream.windows import cut_windows

# The 21 of Temple's recordings.
NAMES = [
    "A1", "A2", "C3", "C4", "CZ", "F3", "F4", "F7", "F8", "FP1", "FP2", "FZ", "O1", "O2", "P3", "P4", "PZ", "T3", "T4",
    "T5", "T6",
]  # fmt: skip


def test_21_channels_have_8631_features() -> None:
    found = window_features(np.random.default_rng(1).standard_normal((1, 21, 600)), NAMES)
    assert found.values.shape == (1, 8631)
    assert len(set(found.names)) == 8631
    counts = {d: sum(n.startswith(d + ".") for n in found.names) for d in ("cwt", "dwt", "dft", "phase", "time")}
    assert counts == {"cwt": 1344, "dwt": 840, "dft": 2835, "phase": 3150, "time": 462}


def test_bands_are_those_of_brainfeatures() -> None:
    assert [low for low, _ in BANDS] == [0, 2, 4, 8, 13, 18, 24, 30]
    between = [(1, 3), (3, 6), (6, 10), (10, 15), (15, 21), (21, 27), (27, 39)]
    assert list(OVERLAPPING) == sorted([*BANDS, *between])


def test_columns_are_what_their_names_say(windows: np.ndarray) -> None:
    """A channel by itself has the features that it has among others; phase locking those of its pair."""
    together = window_features(windows, ["F3", "Cz", "O1"])
    alone = window_features(windows[:, 1:2], ["Cz"])
    columns = [together.names.index(name) for name in alone.names]
    np.testing.assert_allclose(together.values[:, columns], alone.values, rtol=1e-9, atol=1e-12)
    pair = window_features(windows[:, [0, 2]], ["F3", "O1"], ["phase"])
    columns = [together.names.index(name) for name in pair.names]
    np.testing.assert_allclose(together.values[:, columns], pair.values, rtol=1e-9)
    assert together.of("phase").names == window_features(windows, ["F3", "Cz", "O1"], ["phase"]).names


def test_windows_do_not_know_each_other(windows: np.ndarray) -> None:
    many = np.concatenate([windows] * 9)
    assert np.array_equal(window_features(many).values[-len(windows) :], window_features(windows).values)


@pytest.mark.parametrize("value", [0.0, -37.5])
def test_a_flat_channel_has_finite_features(value: float, windows: np.ndarray) -> None:
    flat = windows.copy()
    flat[:, 1] = value
    found = window_features(flat, ["a", "flat", "c"])
    assert np.isfinite(found.values).all()
    locked = [place for place, name in enumerate(found.names) if name.startswith("phase") and "flat" in name]
    assert locked
    assert not found.values[:, locked].any()


def test_what_makes_no_sense_is_refused(windows: np.ndarray) -> None:
    with pytest.raises(eegzip.UsageError, match="no domain chaos"):
        window_features(windows, domains=["chaos"])
    with pytest.raises(eegzip.UsageError, match="2 labels"):
        window_features(windows, ["a", "b"])
    with pytest.raises(eegzip.UsageError, match="not finite"):
        window_features(windows * np.nan)


def test_windows_lie_where_they_should() -> None:
    """A ramp says at what time a sample was taken, resampled or not."""
    for rate in (100.0, 128.0, 500.0):
        ramp = np.arange(20 * int(rate)) / rate
        cut = cut_windows(ramp[None], rate)
        assert cut.shape == (3, 1, 600)
        times = np.concatenate(list(cut[:, 0]))
        # The filter's edges aside.
        np.testing.assert_allclose(times[50:], np.arange(1800)[50:] / 100, atol=0.02)
        chosen = cut_windows(ramp[None], rate, starts=[2.5, 13.0, 14.01])
        np.testing.assert_allclose(chosen[:, 0, 300], [5.5, 16.0], atol=0.02)


def test_resampling_keeps_tones_and_drops_what_would_fold() -> None:
    time = np.arange(12 * 256) / 256
    kept, folded = (cut_windows(np.sin(2 * np.pi * f * time)[None], 256.0)[0, 0, 100:500] for f in (10.0, 70.0))
    np.testing.assert_allclose(kept, np.sin(2 * np.pi * 10 * np.arange(100, 500) / 100), atol=0.01)
    assert np.abs(folded).max() < 0.01


def test_windows_at_the_limit_are_left_out() -> None:
    signals = np.zeros((2, 1800))
    signals[1, 700] = 900.0
    assert len(cut_windows(signals, 100.0)) == 3
    left = cut_windows(signals, 100.0, limit=800.0)
    assert len(left) == 2
    assert not left.any()


def test_a_short_signal_is_refused() -> None:
    with pytest.raises(eegzip.UsageError, match="shorter than a window"):
        cut_windows(np.zeros((1, 599)), 100.0)
