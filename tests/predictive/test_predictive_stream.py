"""Streams of predicted signals: grids, held samples, references, and what a forger could write."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_varint
from eegzip.formats.predictive.grid import kept_times
from eegzip.formats.predictive.search.grids import find_grid, find_holds
from eegzip.formats.predictive.search.references import choose_references
from eegzip.formats.predictive.search.stream_encoder import encode_predicted, transform
from eegzip.formats.predictive.shape import Shape
from eegzip.formats.predictive.stream import decode_predicted, references_of


def walk(count: int, seed: int, size: float = 3.0) -> np.ndarray:
    return np.round(np.cumsum(np.random.default_rng(seed).normal(0, size, count))).astype(np.int32)


@given(
    step=st.floats(2.5, 400),
    origin=st.floats(-5000, 5000),
    towards_zero=st.booleans(),
    seed=st.integers(0, 1000),
)
@example(step=3.5, origin=0.25, towards_zero=False, seed=0)  # by turns 3 and 4 apart: 1.4 fits as well
@settings(max_examples=80)
def test_scaled_integers_are_found_to_sit_on_a_grid(step, origin, towards_zero, seed):
    exact = walk(3000, seed) * step + origin
    assume(np.abs(exact - np.round(exact)).min() > 1e-6)  # else rounding errors decide, as on no grid
    values = (np.trunc(exact) if towards_zero else np.floor(exact)).astype(np.int32)
    found = find_grid(values)
    assert found is not None
    grid, ranks = found
    assert np.array_equal(grid.values(ranks), values)
    assert ranks.min() == 0
    assert ranks.max() < 0.7 * (values.max() - values.min())


@pytest.mark.parametrize("strays", [[-30000], [30000], [-9999, 20000]])
def test_a_few_values_may_lie_beside_the_grid(strays):
    """Padding and a converter's overflow do."""
    values = np.trunc(walk(3000, 4) * 35.14 + 3.3).astype(np.int32)
    values[100 : 100 + len(strays)] = strays
    found = find_grid(values)
    assert found is not None
    assert set(found[0].strays) <= set(strays)
    assert found[0].step > 35 << 24
    assert np.array_equal(found[0].values(found[1]), values)
    assert (np.diff(found[1][np.argsort(values, kind="stable")]) >= 0).all()
    stream = encode_predicted(transform(values), {}, Shape())
    assert np.array_equal(decode_predicted(stream, 3000, []), values)


def test_what_sits_on_no_grid_is_left_alone():
    assert find_grid(walk(5000, 1)) is None
    assert find_grid(np.random.default_rng(0).integers(-30000, 30000, 3000).astype(np.int32)) is None
    assert find_grid(np.zeros(100, np.int32)) is None
    assert find_holds(walk(5000, 1)) is None
    assert find_holds(np.zeros(100, np.int32)) is None


@pytest.mark.parametrize(("rate", "to"), [(100, 200), (128, 512), (200, 256), (173, 500), (64, 1000)])
@pytest.mark.parametrize("phase", [0, 3])
def test_a_recording_resampled_by_repetition_costs_what_it_held(rate, to, phase):
    values = walk(4000, rate, 20.0)
    held = values[(np.arange(phase, 3000 * to // rate) * rate) // to]
    others = walk(len(held), 7)
    stream = encode_predicted(transform(held), {5: others}, Shape())
    assert np.array_equal(decode_predicted(stream, len(held), [others]), held)
    plain = encode_predicted(transform(values[:3000]), {}, Shape())
    assert len(stream) < 1.1 * len(plain) + 60


@given(
    kind=st.sampled_from(["walk", "grid", "held", "both", "binary", "text"]),
    count=st.integers(1, 400),
    references=st.integers(0, 3),
    seed=st.integers(0, 100),
)
@settings(max_examples=120)
def test_every_transform_comes_back(kind, count, references, seed):
    rng = np.random.default_rng(seed)
    values = walk(count, seed)
    if kind in ("grid", "both"):
        values = np.floor(values * 3.7 - 11).astype(np.int32)
    if kind in ("held", "both"):
        values = np.repeat(values, 5)[seed % 5 :][:count]
    if kind == "binary":
        values = rng.integers(0, 2, count).astype(np.int32) * 4096
    if kind == "text":
        values = rng.integers(0, 1 << 15, count).astype(np.int32)
    others = {number: walk(count, seed + number + 1) for number in range(references)}
    stream = encode_predicted(transform(values), others, Shape(8, 1, 1, 9, 8))
    assert references_of(stream)[0] == list(others)
    restored = decode_predicted(stream, count, list(others.values()))
    assert np.array_equal(restored, values)


@given(data=st.binary(max_size=60), count=st.integers(0, 300))
@settings(max_examples=300)
def test_any_bytes_give_samples_or_a_sentence(data, count):
    with contextlib.suppress(ContainerError):
        needed, _ = references_of(data)
        assert len(decode_predicted(data, count, [walk(count, other % 1000) for other in needed])) == count


@pytest.mark.parametrize(
    ("step", "origin", "sentence"),
    [(1, 0, "impossible grid"), (1 << 60, 0, "impossible grid"), (1 << 24, 1 << 62, "impossible grid")],
)
@pytest.mark.parametrize("flags", [1, 3, 4])
def test_impossible_grids_are_refused(step, origin, sentence, flags):
    data = bytearray([0, flags])
    put_varint(data, step)
    put_varint(data, 2 * origin)
    with pytest.raises(ContainerError, match=sentence):
        decode_predicted(bytes(data) + bytes([16, 1, 1, 9, 8, 0, 0, 0]), 10, [])


def test_times_that_are_kept():
    found = find_holds(np.repeat(walk(50, 3, 30.0), 4)[1:])
    assert found is not None
    assert kept_times(found, 199).tolist() == [0, *range(3, 199, 4)]


def test_references_make_no_circles_and_find_the_source():
    rng = np.random.default_rng(0)
    source = rng.normal(0, 100, (3, 2000))
    mixed = np.round(rng.normal(0, 1, (12, 3)) @ source + rng.normal(0, 5, (12, 2000))).astype(np.int32)
    chosen = choose_references(mixed, 4)
    order: list[int] = []
    while len(order) < 12:
        ready = [row for row in range(12) if row not in order and set(chosen[row]) <= set(order)]
        assert ready
        order += ready
    assert sum(len(row) >= 3 for row in chosen) >= 8
    assert all(len(row) <= 4 for row in chosen)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_references_of_short_and_flat_signals(count):
    signals = np.vstack([np.zeros((2, count)), np.arange(3 * count).reshape(3, count)]).astype(np.int32)
    assert len(choose_references(signals, 3)) == 5


def test_many_signals_cost_no_more_bytes_than_few() -> None:
    """Beyond 64 signals the best shapes of some serve the others; the same signals in parts have all shapes tried."""
    from eegzip.formats.predictive.chunk import ExactDecoder
    from eegzip.formats.predictive.search.chunk_encoder import ExactEncoder

    common = walk(256, 7)
    signals = {number: common + walk(256, number + 100, 1.5) for number in range(80)}
    together = ExactEncoder(2, signals).encode(signals)
    parts = [dict(list(signals.items())[first : first + 40]) for first in (0, 40)]
    apart = {number: stream for part in parts for number, stream in ExactEncoder(2, part).encode(part).items()}
    assert sum(map(len, together.values())) < 1.02 * sum(map(len, apart.values()))
    decoder = ExactDecoder(together.__getitem__, dict.fromkeys(signals, (1, 256)), 2, lambda error: error)
    for number, values in signals.items():
        assert np.array_equal(decoder.decode(number).reshape(-1), values)


def test_a_search_that_is_cut_short_finds_the_same() -> None:
    """Tangents only say early that there is no room; where they don't, every step between is tried."""
    from eegzip.formats.predictive.search.grids import _no_room

    ranks = np.arange(400.0)
    used = np.floor(ranks * 3.7 + 0.2)
    assert not _no_room(ranks, used, used + 1.0, 3.6, 3.8)
    assert _no_room(ranks, used + 3 * (ranks == 200), used + 1.0 + 3 * (ranks == 200), 3.6, 3.8)
