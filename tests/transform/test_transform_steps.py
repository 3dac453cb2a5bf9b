"""The steps of the transform coder: lapped transform, rotations of channels, streams of coefficients and of layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from eegzip.formats.entropy.binary_coder import finish, new_decoder, new_encoder
from eegzip.formats.errors import ContainerError
from eegzip.formats.transform import lapped, spatial
from eegzip.formats.transform.coefficients import decode_coefficients
from eegzip.formats.transform.contexts import BANDS, LEVELS, band_of, level
from eegzip.formats.transform.layer import decode_layer, step_size
from eegzip.formats.transform.layer_header import LayerHeader, block_size
from eegzip.formats.transform.model import new_model
from eegzip.formats.transform.search.band_planning import plan
from eegzip.formats.transform.search.blocks import _unit_step
from eegzip.formats.transform.search.layer_encoder import (
    EncodedLayer,
    analyse,
    encode_layer,
    quantised_layer,
    step_code,
    written_layer,
)
from eegzip.formats.transform.search.quantiser import encode_coefficients, room


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40)
def test_the_lapped_transform_is_orthonormal_and_comes_back(blocks: int, half: int, seed: int, cut: bool) -> None:
    random = np.random.default_rng(seed)
    samples = random.normal(size=(2, blocks * 2 * half))
    cuts = random.random(blocks - 1) < 0.5 if cut else None
    coefficients = lapped.forward(samples, 2 * half, cuts)
    assert np.allclose((coefficients**2).sum(), (samples**2).sum())
    assert np.allclose(lapped.inverse(coefficients, cuts), samples, atol=1e-10)


def test_what_lies_beyond_a_cut_does_not_matter() -> None:
    samples = np.random.default_rng(2).normal(size=(1, 256))
    other = samples.copy()
    other[:, 128:] += 100
    for cuts, alike in ((np.array([False, True, False]), True), (None, False)):
        first, second = (lapped.forward(values, 64, cuts)[:, :2] for values in (samples, other))
        assert np.array_equal(first, second) == alike


def test_a_constant_is_one_coefficient_a_block() -> None:
    inner = lapped.forward(np.ones((1, 1280)), 128)[0, 1:-1]
    assert (inner[:, 0] ** 2).min() > 0.9999 * 128
    assert (inner[:, 1:] ** 2).sum(axis=1).max() < 0.0001 * 128


@pytest.mark.parametrize("signals", [1, 2, 7, 20])
def test_rotations_are_orthonormal_and_gather_what_channels_share(signals: int) -> None:
    random = np.random.default_rng(signals)
    common = random.normal(size=(1, 40, 64))
    coefficients = 50 * common * random.uniform(0.5, 2, (signals, 1, 1)) + random.normal(size=(signals, 40, 64))
    bands = plan(coefficients, 1.0)
    assert bands[-1].stop == 64
    turned = spatial.apply(coefficients, bands)
    assert np.allclose(spatial.apply(turned, bands, back=True), coefficients)
    for matrix in spatial.matrices(signals, bands):
        assert np.allclose(matrix @ matrix.T, np.eye(signals))
    if signals > 1:
        assert (turned[0] ** 2).sum() > 0.99 * ((coefficients**2).sum() - coefficients.size)


def test_channels_that_share_nothing_are_left_alone() -> None:
    coefficients = 30 * np.random.default_rng(3).normal(size=(6, 20, 32))
    assert all(not band.widths for band in plan(coefficients, 1.0))


def test_levels_and_bands_rise_and_stay_in_range() -> None:
    levels = [level(value) for value in range(1 << 14)]
    assert levels[:9] == [0, 1, 2, 3, 4, 4, 5, 5, 6]
    assert levels == sorted(levels)
    assert levels[-1] == LEVELS - 1
    for bins in (2, 64, 250, 1024):
        bands = [band_of(place, bins) for place in range(bins)]
        assert bands == sorted(bands)
        assert bands[-1] < BANDS


@given(
    arrays.arrays(
        np.int64,
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 12)),
        elements=st.integers(-(2**29), 2**29),
    ),
    st.integers(0, 3),
    st.booleans(),
)
@settings(max_examples=60)
def test_integers_come_back_from_coefficients(values: np.ndarray, shift: int, first: bool) -> None:
    wanted = values >> (10 * shift)
    shape = wanted.shape
    ends = np.full(shape[0], shape[2], np.int64)
    out, state = np.zeros(room(wanted.astype(np.float64)), np.uint8), new_encoder()
    # Without a penalty, integers are their own best quantisation.
    costs = np.zeros((3, *shape), np.float32)
    model = new_model(shape[0], first=first)
    quantised = encode_coefficients(wanted.astype(np.float64), ends, 0.0, model, state, out, costs)
    assert np.array_equal(quantised, wanted)
    assert (costs[:, np.abs(wanted) > 0] > 0).all()
    data, model = out[: finish(state, out)], new_model(shape[0], first=first)
    assert np.array_equal(decode_coefficients(shape, ends, model, new_decoder(data), data), wanted)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("components", "blocks", "bins"), [(1, 3, 9000), (3, 40, 200), (20, 400, 6), (5, 30, 70)])
def test_zeros_among_zeros_are_decoded_as_the_others_are(components: int, blocks: int, bins: int, first: bool) -> None:
    """Long silences, short ones, and what breaks them: small and large, alone and in a row."""
    random = np.random.default_rng(bins)
    wanted = np.zeros((components, blocks, bins))
    places = np.sort(random.integers(0, wanted.size, 24))
    wanted.reshape(-1)[places] = random.integers(-50_000, 50_000, 24) >> random.integers(0, 16, 24)
    wanted[:, blocks // 2, : bins // 8] = random.integers(-1, 2, (components, bins // 8))
    ends = np.full(components, bins, np.int64)
    ends[-1] = bins - bins // 3
    wanted[-1, :, ends[-1] :] = 0
    out, state, costs = np.zeros(room(wanted), np.uint8), new_encoder(), np.zeros((0, *wanted.shape), np.float32)
    encode_coefficients(wanted, ends, 0.0, new_model(components, first=first), state, out, costs)
    data = out[: finish(state, out)]
    shape = (components, blocks, bins)
    found = decode_coefficients(shape, ends, new_model(components, first=first), new_decoder(data), data)
    assert np.array_equal(found, wanted)


def made(
    seed: int, signals: int, n_samples: int, blocks: int, step: float
) -> tuple[EncodedLayer, LayerHeader, np.ndarray]:
    random = np.random.default_rng(seed)
    samples = np.cumsum(random.normal(size=(signals, n_samples)), axis=1) * random.uniform(1, 300, (signals, 1))
    members = np.ones(signals, bool)
    steps = step_code(np.full(signals, step))
    cuts = random.random(blocks - 1) < 0.3 if seed & 1 else None
    coefficients = analyse(samples, blocks, cuts)
    bands = plan(coefficients / step_size(steps)[:, None, None], 1 / 12)
    header = LayerHeader(members, blocks, (0,) * signals, tuple(map(int, steps)), (), tuple(bands), cuts)
    return encode_layer(coefficients, n_samples, header, 0.1), header, samples


def make(seed: int, signals: int, n_samples: int, blocks: int, step: float) -> tuple[bytes, np.ndarray, np.ndarray]:
    layer, _, samples = made(seed, signals, n_samples, blocks, step)
    return layer.stream, layer.samples, samples


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 200), st.floats(0.01, 500))
@settings(max_examples=40)
def test_what_a_layer_gives_is_known_before_it_is_written(seed: int, signals: int, n_samples: int, step: float) -> None:
    layer, header, _ = made(seed, signals, n_samples, min(3, n_samples // 2), step)
    moved = layer.quantised + np.random.default_rng(seed).integers(-1, 2, layer.quantised.shape).astype(np.int32)
    for quantised in (layer.quantised, moved):
        found = quantised_layer(layer.values, quantised, n_samples, header)
        assert np.array_equal(decode_layer(written_layer(found, header), signals, n_samples)[1], found.samples)
    assert np.array_equal(quantised_layer(layer.values, layer.quantised, n_samples, header).samples, layer.samples)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 400), st.floats(-8, 30))
@settings(max_examples=60)
def test_the_step_is_that_of_the_whole_sums(seed: int, signals: int, n: int, octave: float) -> None:
    size = np.abs(np.random.default_rng(seed).normal(size=(signals, n))) * 2.0**octave
    low, high = -4.0, 40.0
    for _ in range(14):
        middle = (low + high) / 2
        error = np.where(size < 0.6 * 2.0**middle, size * size, 4.0**middle / 12).sum()
        low, high = (middle, high) if error < size.size else (low, middle)
    assert _unit_step(size, n) == 2.0**low


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 300), st.integers(1, 6), st.floats(0.01, 500))
@settings(max_examples=40)
def test_a_layer_decodes_to_what_its_encoder_restored(
    seed: int, signals: int, n_samples: int, blocks: int, step: float
) -> None:
    blocks = min(blocks, n_samples // 2)
    stream, restored, samples = make(seed, signals, n_samples, blocks, step)
    members, again = decode_layer(stream, signals, n_samples)
    assert members.all()
    assert np.array_equal(again, restored)
    size = block_size(n_samples, blocks)
    assert np.abs(again - samples).max() <= step * np.sqrt(size * signals) * 2


@given(st.binary(max_size=200), st.integers(1, 64), st.integers(1, 400), st.booleans())
@settings(max_examples=200)
def test_any_bytes_decode_or_are_refused(data: bytes, signals: int, n_samples: int, first: bool) -> None:
    try:
        members, samples = decode_layer(data, signals, n_samples, first=first)
    except ContainerError:
        return
    assert samples.shape == (members.sum(), n_samples)


def test_damaged_layers_decode_or_are_refused() -> None:
    stream, _, _ = make(5, 3, 300, 4, 5.0)
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(stream[: random.integers(1, len(stream) + 1)])
        for place in random.integers(0, len(damaged), random.integers(0, 4)):
            damaged[place] = random.integers(0, 256)
        try:
            members, samples = decode_layer(bytes(damaged), 3, 300)
        except ContainerError:
            continue
        assert samples.shape == (members.sum(), 300)


def test_what_follows_a_layer_is_refused() -> None:
    stream, _, _ = make(6, 2, 200, 3, 2.0)
    with pytest.raises(ContainerError, match="followed by bytes"):
        decode_layer(stream + b"\1\2\3\4\5\6\7\10", 2, 200)
