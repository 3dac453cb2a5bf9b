"""The fast coder of predicted signals and the plain one written from SPEC.md restore the same integers, bit for bit."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest
import second_prediction
from api.recordings import SHIPPED

from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.predictive.coder import decode_residual, encode_residual
from eegzip.formats.predictive.decisions import TAIL
from eegzip.formats.predictive.search.stream_encoder import encode_predicted, transform
from eegzip.formats.predictive.shape import Shape

SHAPES = [Shape(16, 4, 4, 11, 16), Shape(24, 7, 7, 10, 2), Shape(1, 0, 0, 1, 0), Shape(40, 0, 3, 16, 24)]


@pytest.fixture(scope="module")
def rows() -> list[np.ndarray]:
    with EdfFile.open(SHIPPED / "eegmat" / "Subject16_rest_70s.edf") as file:
        block = file.read_records(3, 6)
        return [decode_signal(block, file.header, index).reshape(-1)[:700] for index in range(4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize("scale", [1, 300, 1 / 256])
def test_real_signals(rows, shape, step, scale):
    """At the scale of 12 bits, of 16, and of more than 24."""
    target, *others = ((row * scale).astype(np.int32) for row in rows)
    data = encode_residual(target, others[:2], step, shape)
    mine = second_prediction.integers(data, len(target), others[:2], step)
    assert np.array_equal(mine, decode_residual(data, len(target), others[:2], step))
    assert np.abs(mine - target).max() <= step // 2


@pytest.mark.parametrize("kind", ["noise", "flat", "spikes", "square", "copy", "two values"])
def test_hostile_signals(kind):
    rng = np.random.default_rng(1)
    noise = rng.integers(-(1 << 31), 1 << 31, 400)
    values = {
        "noise": noise,
        "flat": np.full(400, -(1 << 31)),
        "spikes": np.where(rng.random(400) < 0.01, noise, 5),
        "square": np.where(np.arange(400) // 7 % 2, -(1 << 23), (1 << 23) - 1),
        "copy": noise // 3,
        "two values": rng.integers(0, 2, 400),
    }[kind].astype(np.int32)
    others = [noise.astype(np.int32), np.zeros(400, np.int32)]
    data = encode_residual(values, others)
    assert np.array_equal(second_prediction.integers(data, 400, others), values)


@pytest.mark.parametrize(("kind", "flags"), [("grid", 1), ("cut grid", 3), ("held", 4), ("both", 5), ("beside", 9)])
def test_transforms(kind, flags):
    walk = np.cumsum(np.random.default_rng(2).normal(0, 4, 600)).round()
    values = {"grid": np.floor(walk * 35.14 + 3.3), "cut grid": np.trunc(walk * 35.14 + 3.3)}.get(kind, walk * 5 + 1)
    if kind in ("held", "both"):
        values = np.repeat(values if kind == "both" else walk * 3 + np.arange(600) % 3, 3)[1:601]
    if kind == "beside":
        values = np.where(np.arange(600) % 150 == 7, np.arange(600) * 9 - 2222, np.trunc(walk * 35.14 + 3.3))
    reference = walk[::-1].astype(np.int32)
    data = encode_predicted(transform(values.astype(np.int32)), {9: reference}, Shape())
    numbers, place = second_prediction.references_of(data)
    assert numbers == [9]
    assert data[place] & 13 == flags & 13  # whole steps may be taken either way
    assert np.array_equal(second_prediction.predicted(data, 600, [reference]), values)


def test_no_value_of_the_table_is_near_a_half():
    getcontext().prec = 40
    for place, value in enumerate(TAIL):
        exact = Decimal(2**32) / (1 + (Decimal(place) / 64).exp())
        assert abs(exact - int(value * 2**32)) < Decimal("0.5") - Decimal("1e-5")
