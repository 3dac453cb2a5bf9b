"""Streams predicted by blocks in the hands of a forger: refused before compiled code runs, or decoded in range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import put_signed_varint, put_varint
from eegzip.formats.predictive.block_coder import decode_by_blocks

COUNT = 300
REFERENCE = (np.arange(COUNT, dtype=np.int32) * 7919) % 1000
GOOD = {"past": 4, "before": 1, "after": 1, "block": 5, "memory": 3, "ridge": 8, "taps": 8}


def stream(lowest: int = -100, span: int = 200, height: int = 100, words: int = 0, tail: bytes = b"", **shape) -> bytes:
    data = bytearray({**GOOD, **shape}.values())
    put_signed_varint(data, lowest)
    put_varint(data, span)
    put_varint(data, height)
    put_varint(data, words)
    return bytes(data) + tail


@pytest.mark.parametrize(
    "wrong",
    [
        {"past": 0},
        {"past": 94},
        {"past": 255},
        {"before": 95},
        {"after": 255},
        {"block": 3},
        {"block": 11},
        {"block": 255},
        {"memory": 0},
        {"memory": 16},
        {"ridge": 25},
        {"taps": 2},
        {"taps": 68},
        {"span": 1 << 25, "height": 0},
        {"height": 201},
        {"lowest": -(1 << 31) - 1},
        {"lowest": (1 << 31) - 200},
        {"words": 1},
        {"words": 1 << 62},
    ],
)
def test_what_the_format_does_not_allow_is_refused(wrong, monkeypatch):
    def never(*_):
        raise AssertionError("the compiled decoder ran")

    monkeypatch.setattr("eegzip.formats.predictive.block_coder._run", never)
    with pytest.raises(ContainerError):
        decode_by_blocks(stream(**wrong), COUNT, [REFERENCE])


@pytest.mark.parametrize("data", [b"", b"\4", stream()[:7], stream()[:9], stream(span=0, height=0, tail=b"x")])
def test_what_is_cut_short_or_too_long_is_refused(data):
    with pytest.raises(ContainerError):
        decode_by_blocks(data, COUNT, [REFERENCE])


def test_references_of_another_length_are_refused():
    with pytest.raises(ContainerError, match="another length"):
        decode_by_blocks(stream(), COUNT, [REFERENCE[1:]])


def test_nothing_is_nothing():
    assert len(decode_by_blocks(b"", 0, [])) == 0
    with pytest.raises(ContainerError):
        decode_by_blocks(stream(), 0, [])


@given(
    st.builds(
        lambda shape, lowest, span, part, body: stream(
            lowest, span, span * part // 8, len(body) // 3, body, **dict(zip(GOOD, shape, strict=True))
        ),
        st.tuples(
            st.integers(1, 20), st.integers(0, 20), st.integers(0, 20), st.integers(4, 10), st.integers(1, 15),
            st.integers(0, 24), st.integers(0, 16).map(lambda quarter: 4 * quarter),
        ),
        st.integers(-(1 << 30), 1 << 30),
        st.integers(0, (1 << 25) - 1),
        st.integers(0, 8),
        st.binary(max_size=200),
    )
)  # fmt: skip
def test_whatever_bytes_say_samples_stay_in_range(data):
    try:
        found = decode_by_blocks(data, COUNT, [REFERENCE])
    except ContainerError:
        return
    assert len(found) == COUNT
    assert int(found.max()) - int(found.min()) < 1 << 25
