"""SPEC.md 13.1: every decision comes back, near the cost that its probabilities say, within the coder's bounds."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eegzip.formats.entropy.binary_coder import decode_bit, encode_bit, finish, new_decoder, new_encoder

decisions = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 65535)), max_size=300)


def encoded(pairs: list[tuple[int, int]], room: int = 4096) -> bytes:
    out, state = np.zeros(room, np.uint8), new_encoder()
    for bit, probability in pairs:
        encode_bit(state, out, bit, probability)
    return out[: finish(state, out)].tobytes()


@given(decisions)
def test_every_decision_comes_back(pairs):
    data = np.frombuffer(encoded(pairs), np.uint8)
    state = new_decoder(data)
    assert [decode_bit(state, data, probability) for _, probability in pairs] == [bit for bit, _ in pairs]


@given(decisions)
def test_cost_is_what_the_probabilities_say(pairs):
    bits = sum(-math.log2((p if bit else 65536 - p) / 65536) for bit, p in pairs)
    # The carry-less interval wastes a little where its ends lie on both sides of a byte's border.
    assert len(encoded(pairs)) * 8 <= bits * 1.05 + 0.05 * len(pairs) + 32


@given(decisions, st.integers(0, 8))
def test_a_stream_without_room_is_counted_and_nothing_is_written_beyond(pairs, room):
    guarded = np.full(room + 16, 77, np.uint8)
    state = new_encoder()
    for bit, probability in pairs:
        encode_bit(state, guarded[:room], bit, probability)
    length = finish(state, guarded[:room])
    assert (guarded[room:] == 77).all()
    whole = encoded(pairs)
    # Zeros at the end that had no room are told as such, though a stream does without them.
    assert length > room if len(whole) > room else length > room or guarded[:length].tobytes() == whole


@given(st.binary(max_size=40), st.integers(1, 65535))
def test_any_bytes_decode_to_something_without_end(data, probability):
    """Beyond its end a stream is zeros; a damaged one gives wrong decisions, which its checksum tells, and no crash."""
    values = np.frombuffer(data, np.uint8)
    state = new_decoder(values)
    assert {decode_bit(state, values, probability) for _ in range(1000)} <= {0, 1}


def by_the_text(data: bytes, probabilities: list[int]) -> list[int]:
    """A decoder written from SPEC.md 13.1 alone."""
    source = iter(data)
    low, high = 0, 2**32 - 1
    value = int.from_bytes(bytes(next(source, 0) for _ in range(4)), "big")
    bits = []
    for p in probabilities:
        span = high - low
        middle = low + (span // 65536) * p + (span % 65536) * p // 65536
        bits.append(int(value <= middle))
        low, high = (low, middle) if bits[-1] else (middle + 1, high)
        while low >> 24 == high >> 24:
            low, high = (low << 8) % 2**32, (high << 8) % 2**32 + 255
            value = (value << 8) % 2**32 + next(source, 0)
    return bits


@given(decisions)
def test_a_decoder_from_the_text_agrees(pairs):
    assert by_the_text(encoded(pairs), [probability for _, probability in pairs]) == [bit for bit, _ in pairs]
