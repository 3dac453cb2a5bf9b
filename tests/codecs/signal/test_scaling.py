from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.codecs.signal.scaling import (
    AdaptiveScaling,
    FixedScaling,
    choose_offset_step,
    denormalise,
    normalise,
    scale_of,
)
from eegzip.formats.errors import UsageError

SCALING = AdaptiveScaling(spacing=64, level_rms=1.0, level_peak=8.0)


def waveform(seed: int, n: int, channels: int = 3) -> np.ndarray:
    """Noise with drifts, bursts, a step and a dead stretch."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((channels, n)) * 10.0 ** rng.uniform(-1, 4, (channels, 1))
    x += np.cumsum(rng.standard_normal((channels, n)), axis=1) * 10.0 ** rng.uniform(0, 3)
    at = int(rng.integers(0, n))
    x[:, at : at + 20] *= 50
    x[:, at:] += 10.0 ** rng.uniform(0, 5)
    x[0, n // 3 : n // 2] = 7
    return np.rint(x)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 1500))
def test_never_clips_and_comes_back(seed: int, n: int) -> None:
    x = waveform(seed, n)
    step = choose_offset_step(x.std(axis=1))
    codes = SCALING.knots(x, 0, 0, SCALING.n_knots(n), n, step)
    offset, scale = SCALING.curves(codes, 0, 0, n, step)
    y = normalise(x, offset, scale)
    assert np.abs(y).max() <= SCALING.level_peak
    assert scale.min() >= 0.5
    assert np.allclose(denormalise(y, offset, scale), x, rtol=1e-6, atol=2e-6 * scale.max())


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(200, 1500), st.data())
def test_knots_do_not_depend_on_what_is_computed_at_once(seed: int, n: int, data: st.DataObject) -> None:
    x = waveform(seed, n)
    step = choose_offset_step(x.std(axis=1))
    knots = SCALING.n_knots(n)
    whole = SCALING.knots(x, 0, 0, knots, n, step)
    first = data.draw(st.integers(0, knots - 1))
    last = data.draw(st.integers(first + 1, knots))
    a, b = SCALING.support(first, last, n)
    part = SCALING.knots(x[:, a:b], a, first, last, n, step)
    assert np.array_equal(part, whole[:, first:last])
    channel = SCALING.knots(x[1:2], 0, 0, knots, n, step[1:2])
    assert np.array_equal(channel, whole[1:2])
    start = first * SCALING.spacing
    stop = min((last - 1) * SCALING.spacing + 1, n)
    if stop > start:
        full = SCALING.curves(whole, 0, 0, n, step)
        here = SCALING.curves(part, first, start, stop, step)
        assert np.array_equal(here[0], full[0][:, start:stop])
        assert np.array_equal(here[1], full[1][:, start:stop])


def test_curves_have_no_steps() -> None:
    codes = np.zeros((1, 3, 2), dtype=np.int64)
    codes[0, :, 0] = [0, 40, 8]
    codes[0, :, 1] = [0, 1000, -1000]
    offset, scale = SCALING.curves(codes, 0, 0, 129, 2.0)
    assert np.abs(np.diff(scale)).max() <= (1024 - 1) / 64 + 1e-9
    assert np.abs(np.diff(offset)).max() <= 4000 / 64 + 1e-9
    assert scale[0, 64] == 1024
    assert offset[0, 128] == -2000


@given(st.integers(0, 10**6), st.integers(1, 400), st.data())
def test_curves_are_straight_between_knots_to_the_last_bit(seed: int, n: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    count, first = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 3))
    codes = np.stack([rng.integers(-4, 124, (2, count)), rng.integers(-900, 900, (2, count))], axis=2)
    start, step = data.draw(st.integers(0, 500)), np.array([0.25, 8.0])
    offset, scale = SCALING.curves(codes, first, start, start + n, step)
    for place, sample in enumerate(range(start, start + n)):
        left = min(max(sample // 64 - first, 0), count - 1)
        right, part = min(left + 1, count - 1), min(max((sample - (left + first) * 64) / 64, 0.0), 1.0)
        for found, values in ((offset, codes[:, :, 1] * step[:, None]), (scale, scale_of(codes[:, :, 0]))):
            assert (found[:, place] == values[:, left] + (values[:, right] - values[:, left]) * part).all()


@given(st.integers(0, 10**6), st.integers(1, 700))
def test_a_scale_is_the_smallest_that_holds_what_is_around_its_knot(seed: int, n: int) -> None:
    x = waveform(seed, n)
    step = choose_offset_step(x.std(axis=1))
    knots = SCALING.n_knots(n)
    codes = SCALING.knots(x, 0, 0, knots, n, step)
    offset = SCALING.curves(codes, 0, 0, n, step)[0]
    for knot in range(knots):
        around = slice(max(knot * 64 - 64, 0), knot * 64 + 65)
        rest = x[:, around] - offset[:, around]
        need = np.maximum(np.sqrt(np.square(rest).mean(axis=1)), np.abs(rest).max(axis=1) / 8)
        scale = scale_of(codes[:, knot, 0])
        assert (scale * (1 + 1e-5) >= need).all()
        less = codes[:, knot, 0] > -4
        assert (scale_of(codes[:, knot, 0] - 1) < need * (1 + 1e-5))[less].all()


def test_scale_table_is_exact_at_octaves_and_monotone() -> None:
    codes = np.arange(-4, 100)
    values = scale_of(codes)
    assert np.all(np.diff(values) > 0)
    assert np.array_equal(values[::4], 2.0 ** np.arange(-1, 25))
    assert np.allclose(values, 2.0 ** (codes / 4), rtol=1e-15)


def test_constant_channel_is_all_zero() -> None:
    x = np.full((1, 500), -32768.0)
    step = choose_offset_step(x.std(axis=1))
    codes = SCALING.knots(x, 0, 0, SCALING.n_knots(500), 500, step)
    offset, scale = SCALING.curves(codes, 0, 0, 500, step)
    assert not normalise(x, offset, scale).any()


def test_missing_samples_are_named() -> None:
    with pytest.raises(UsageError, match="0 to 500"):
        SCALING.knots(np.zeros((1, 100)), 0, 0, SCALING.n_knots(500), 500, 1.0)


def test_fixed_scaling_clips_at_its_limit() -> None:
    fixed = FixedScaling(limit=np.array([400.0]), centre=np.array([10.0]))
    y = fixed.normalise(np.array([[10.0, 210.0, 410.0, 5000.0, -9000.0]]))
    assert y.tolist() == [[0.0, 0.5, 1.0, 1.0, -1.0]]
    offset, scale = fixed.curves(0, 5)
    assert denormalise(y, offset, scale)[0, :3].tolist() == [10.0, 210.0, 410.0]
