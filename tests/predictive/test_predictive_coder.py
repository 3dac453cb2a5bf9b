"""The predictive coder: what comes back is what went in, or within the bound."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.errors import ContainerError
from eegzip.formats.predictive.coder import decode_residual, encode_residual
from eegzip.formats.predictive.shape import Shape

STEPS = [1, 3, 9, 201]


def wave(count: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(0, 30, count)).round().astype(np.int64)


def hostile(kind: str, count: int, low: int, high: int, seed: int) -> np.ndarray:
    """Signals that a predictor is not made for, within low..high."""
    rng = np.random.default_rng(seed)
    if kind == "steps":
        values = np.repeat(rng.integers(low, high + 1, count // 50 + 1), 50)[:count]
    elif kind == "clipping":
        values = 3 * (high - low) * np.sin(np.arange(count) / 17) + wave(count, seed)
    elif kind == "noise":
        values = rng.integers(low, high + 1, count)
    elif kind == "flat":
        values = np.full(count, rng.integers(low, high + 1))
    elif kind == "spike":
        values = np.zeros(count, np.int64)
        values[rng.integers(0, count)] = high
        values[rng.integers(0, count)] = low
    elif kind == "square":
        values = np.where(np.arange(count) // 3 % 2, low, high)
    else:
        values = high - 40 + wave(count, seed) // 8
    return np.clip(values, low, high).astype(np.int32)


KINDS = ["steps", "clipping", "noise", "flat", "spike", "square", "offset"]
RANGES = [(-(1 << 15), (1 << 15) - 1), (-(1 << 23), (1 << 23) - 1), (-(1 << 31), (1 << 31) - 1), (-3, 4)]


@given(
    kind=st.sampled_from(KINDS),
    other=st.sampled_from(KINDS),
    bounds=st.sampled_from(RANGES),
    step=st.sampled_from(STEPS),
    count=st.integers(1, 1500),
    references=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150)
def test_hostile_signals_come_back_within_the_bound(kind, other, bounds, step, count, references, seed):
    values = hostile(kind, count, *bounds, seed)
    others = [hostile(other, count, *bounds, seed + number) for number in range(references)]
    data = encode_residual(values, others, step)
    restored = decode_residual(data, count, others, step)
    assert restored.dtype == np.int32
    assert int(np.abs(restored.astype(np.int64) - values).max()) <= step // 2
    # Noise over the whole range of 32 bits takes 32 bits, and little more.
    assert len(data) <= 40 + 4.2 * count


@given(
    values=st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=60),
    step=st.sampled_from([1, 5, 2**31 - 1]),
    past=st.integers(1, 20),
    around=st.integers(0, 4),
    memory=st.integers(1, 16),
)
@settings(max_examples=100)
def test_any_integers_with_any_shape(values, step, past, around, memory):
    given_values = np.array(values, np.int32)
    reference = given_values[::-1]
    data = encode_residual(given_values, [reference], step, Shape(past, around, around, memory))
    restored = decode_residual(data, len(values), [reference], step)
    assert np.abs(restored.astype(np.int64) - given_values).max(initial=0) <= step // 2


def test_real_channels_come_back_exactly_and_references_help():
    with EdfFile.open("tests/data/eegmat/Subject16_rest_70s.edf") as file:
        block = file.read_records(0, 20)
        rows = [decode_signal(block, file.header, index).reshape(-1) for index in range(3)]
    alone = encode_residual(rows[2], [])
    helped = encode_residual(rows[2], rows[:2])
    assert np.array_equal(decode_residual(alone, len(rows[2]), []), rows[2])
    assert np.array_equal(decode_residual(helped, len(rows[2]), rows[:2]), rows[2])
    assert len(helped) < len(alone)


def test_what_a_reference_says_of_the_next_samples_is_used():
    """A channel that follows another with some noise costs little more than the noise."""
    reference = wave(2000, 1)
    target = np.roll(reference, 2) + np.random.default_rng(2).integers(-1, 2, 2000)
    assert len(encode_residual(target, [reference])) < 0.5 * len(encode_residual(target, []))


@given(data=st.binary(max_size=80), count=st.integers(0, 200), references=st.integers(0, 3))
@settings(max_examples=200)
def test_any_bytes_give_samples_or_a_sentence(data, count, references):
    others = [wave(count, number) for number in range(references)]
    with contextlib.suppress(ContainerError):
        assert len(decode_residual(data, count, others)) == count


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_damaged_stream_gives_samples_in_its_range_or_a_sentence(place):
    values = wave(400, 5)
    data = bytearray(encode_residual(values, []))
    data[place] ^= 0x55
    with contextlib.suppress(ContainerError):
        assert len(decode_residual(bytes(data), 400, [])) == 400


def test_no_samples_take_no_bytes():
    assert encode_residual(np.zeros(0, np.int32), []) == b""
    assert len(decode_residual(b"", 0, [])) == 0
    with pytest.raises(ContainerError, match="should be empty"):
        decode_residual(b"\0", 0, [])


def test_references_of_another_length_are_refused():
    data = encode_residual(wave(50, 1), [wave(50, 2)])
    with pytest.raises(ContainerError, match="another length"):
        decode_residual(data, 50, [wave(49, 2)])
