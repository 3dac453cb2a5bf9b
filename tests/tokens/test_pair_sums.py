"""Sums of pairs of integers: those of numpy, whatever the shapes, and nothing beside them."""

from __future__ import annotations

import platform

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.formats.tiles import in_tiles
from eegzip.formats.tokens.pair_sums import PAIR_ROOM, add_pairs
from eegzip.formats.tokens.tables import PAIR_COLUMNS


@numba.njit
def added(sums, first, second, room, tiles):
    add_pairs(sums, first, second, room, tiles)


def pairs_in_tiles(pairs: np.ndarray) -> np.ndarray:
    return in_tiles(pairs.reshape(len(pairs), -1), 2 * PAIR_COLUMNS)


@settings(max_examples=200)
@given(st.integers(0, 1 << 16), st.integers(1, 40), st.integers(1, 150), st.booleans())
def test_sums_are_those_of_ordinary_integers(seed, rows, columns, extreme):
    rng = np.random.default_rng(seed)
    draw = (lambda end, *shape: rng.choice([-end, end], shape)) if extreme else (
        lambda end, *shape: rng.integers(-end, end, shape, endpoint=True)
    )  # fmt: skip
    pairs = draw(511, rows, columns, 2).astype(np.int16)
    first, second = draw(4095, rows).astype(np.int32), draw(4095, rows).astype(np.int32)
    tiles = pairs_in_tiles(pairs)
    sums = np.full(len(tiles) * PAIR_COLUMNS, 99, np.int32)
    added(sums, first, second, np.zeros((rows, PAIR_ROOM), np.int16), tiles)
    expected = np.einsum("r,rc->c", first.astype(np.int64), pairs[:, :, 0].astype(np.int64))
    expected += np.einsum("r,rc->c", second.astype(np.int64), pairs[:, :, 1].astype(np.int64))
    assert sums[:columns].tolist() == expected.tolist()
    assert not sums[columns:].any()


@pytest.mark.parametrize("short", ["sums", "first", "second", "room", "tiles"])
def test_where_one_is_shorter_nothing_beyond_it_is_touched(short):
    """The loop checks no index, so it goes no further than the shortest."""
    rng = np.random.default_rng(1)
    tiles = pairs_in_tiles(rng.integers(-511, 512, (12, 192, 2)).astype(np.int16))
    first, second = rng.integers(-4095, 4096, (2, 12)).astype(np.int32)
    guarded = np.full(3 * PAIR_COLUMNS, 77, np.int32)
    room = np.full((12, PAIR_ROOM), 55, np.int16)
    sums, rows = guarded, 5 if short in ("first", "second", "room") else 12
    given_room = room[:5] if short == "room" else room
    if short == "sums":
        sums = guarded[: 2 * PAIR_COLUMNS + 9]
    if short == "tiles":
        tiles = tiles[:2]
    a, b = (first[:5] if short == "first" else first), (second[:5] if short == "second" else second)
    added(sums, a, b, given_room, tiles)
    plain = tiles.astype(np.int64).reshape(len(tiles), 12, PAIR_COLUMNS, 2)[:, :rows]
    expected = (plain[..., 0] * first[:rows, None] + plain[..., 1] * second[:rows, None]).sum(axis=1).reshape(-1)
    done = 2 * PAIR_COLUMNS if short in ("sums", "tiles") else 3 * PAIR_COLUMNS
    assert guarded[:done].tolist() == expected[:done].tolist()
    assert (guarded[done:] == 77).all()
    assert (room[rows:] == 55).all()


def test_another_width_of_tiles_or_room_adds_nothing():
    ones = np.ones(4, np.int32)
    for lanes, wide in ((PAIR_ROOM - 1, 2 * PAIR_COLUMNS), (PAIR_ROOM, 2 * PAIR_COLUMNS - 2)):
        sums = np.ones(PAIR_COLUMNS, np.int32)
        added(sums, ones, ones, np.zeros((4, lanes), np.int16), np.ones((1, 4, wide), np.int16))
        assert not sums.any()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="pmaddwd is an instruction of x86 alone")
def test_processors_multiply_pairs_in_one_instruction():
    """What it is written for; a version of LLVM that no longer sees it takes twice the time."""
    ones = np.ones(4, np.int32)
    added(
        np.ones(PAIR_COLUMNS, np.int32), ones, ones, np.zeros((4, PAIR_ROOM), np.int16),
        np.ones((1, 4, 2 * PAIR_COLUMNS), np.int16),
    )  # fmt: skip
    assert all("pmaddwd" in text and "pmulld" not in text for text in added.inspect_asm().values())
