"""Products of signals and a line: the same bits as sums written out, in the order of time."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegzip.encoding.lines import baseband
from eegzip.encoding.lines.baseband import Signals, seen_from, steady_phases
from eegzip.encoding.lines.correlation import by_signal, correlate, side_by_side, sum_products
from eegzip.encoding.lines.demodulation import oscillate
from eegzip.formats.lines.oscillator import NO_SWITCH
from eegzip.formats.vectors import LANES


@numba.njit
def summed(sums, basis, tile, first, stop):
    sum_products(sums, basis, tile, first, stop)


def written_out(values: np.ndarray, basis: np.ndarray, spacing: int, start: int, knots: int) -> np.ndarray:
    """Sums [signals, knots, 2], sample by sample."""
    result = np.zeros((len(values), knots, 2))
    count = values.shape[1]
    for first in {0, *range(-start % spacing, count, spacing)}:
        knot = (start + first) // spacing
        total = np.zeros((4, len(values)))
        for n in range(first, min((knot + 1) * spacing - start, count)):
            total = total + basis[:, n, None] * values[:, n]
        result[:, knot] += total[:2].T
        result[:, knot + 1] += total[2:].T
    return result


@given(st.integers(0, 1 << 16), st.integers(1, 19), st.integers(1, 70), st.integers(1, 9), st.integers(0, 20))
def test_products_are_summed_in_the_order_of_time(
    seed: int, signals: int, count: int, spacing: int, start: int
) -> None:
    rng = np.random.default_rng(seed)
    values, basis = rng.integers(-(1 << 23), 1 << 23, (signals, count)), rng.standard_normal((4, count))
    centres = rng.integers(-9000, 9000, signals).astype(np.float64)
    knots = (start + count - 1) // spacing + 2
    tiles = side_by_side(values, centres)
    sums = np.zeros((len(tiles), knots, 2, LANES))
    correlate(tiles, basis, spacing, start, sums)
    expected = written_out(values - centres[:, None], basis, spacing, start, knots)
    assert np.array_equal(by_signal(sums, signals), expected)


@pytest.mark.parametrize("stop", [3, 5, 99])
def test_nothing_beyond_what_is_there_is_summed(stop: int) -> None:
    rng = np.random.default_rng(3)
    basis, room = rng.standard_normal((4, 5)), rng.standard_normal((8, LANES))
    sums = np.zeros((4, LANES))
    summed(sums, basis, room, 1, stop)
    expected = written_out(room[1 : min(stop, 5)].T, basis[:, 1:stop], 9, 0, 2)
    assert np.array_equal(sums[:2].T, expected[:, 0])
    assert np.array_equal(sums[2:].T, expected[:, 1])
    for narrow in (room[:, :5].copy(), np.zeros((8, 2 * LANES))):
        kept = np.full((4, LANES), 7.0)
        summed(kept, basis, narrow, 0, 5)
        assert (kept == 7.0).all()


def test_arrays_that_do_not_lie_row_after_row_are_refused() -> None:
    with pytest.raises(numba.TypingError, match="row after row"):
        summed(np.zeros((4, LANES)), np.zeros((4, 10))[:, :5], np.zeros((5, LANES)), 0, 5)


@pytest.mark.parametrize("n", [1000, 4 * 64 + 1, 37 * 64])
def test_blocks_do_not_show_in_what_is_seen(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    monkeypatch.setattr(baseband, "_BLOCK_SAMPLES", 5 * 64 * 7)
    samples = rng.integers(-3000, 3000, (5, n)).astype(np.int32)
    signals = Signals(lambda start, stop: samples[:, start:stop], n, np.arange(5.0), np.full(5, 900.0), 64.0, 64)
    words = [round(hz / 64 * (1 << 32)) for hz in (9.7, 16.7)]
    amplitudes, noise = seen_from(signals, words)
    monkeypatch.setattr(baseband, "_BLOCK_SAMPLES", 1)
    for found, expected in zip(seen_from(signals, words), (amplitudes, noise), strict=True):
        assert found.tobytes() == expected.tobytes()
    # Where a knot has all its samples, amplitudes are twice the mean of the products under its hat.
    knots = signals.n_knots
    basis = np.empty((4, n))
    none = np.full(knots - 1, NO_SWITCH, np.int64)
    oscillate(steady_phases(words[0], 64, knots), np.full(knots - 1, words[0], np.int64), none, 64, 0, basis)
    products = written_out(samples - np.arange(5.0)[:, None], basis, 64, 0, knots)
    inner = slice(1, max((n - 1) // 64, 1))
    assert np.allclose(amplitudes[0][:, inner], products[:, inner] * 2 / 64, rtol=1e-5, atol=1e-3)
