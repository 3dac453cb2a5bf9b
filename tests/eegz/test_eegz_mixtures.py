"""Mixtures in a header: orthonormal from any bytes, and refused where they contradict the rest of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.encoding.klt import find_rotation
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.rotation import extend, pack_rotation, unpack_rotation
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import matrix_bytes
from eegzip.formats.packing import pack_map, unpack_map


@st.composite
def columns(draw: st.DrawFn) -> list[np.ndarray]:
    size = draw(st.integers(1, 9))
    most = draw(st.sampled_from([0, 1, 40, 32767]))
    return [np.array(draw(st.lists(st.integers(-most, most), min_size=n, max_size=n))) for n in range(size, 0, -1)]


@given(columns())
@settings(max_examples=60)
def test_a_matrix_comes_back_orthonormal(integers: list[np.ndarray]) -> None:
    size = len(integers)
    data = pack_rotation(integers)
    assert len(data) <= matrix_bytes(size)
    matrix = unpack_rotation(data, size)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(size), atol=1e-12)
    complement = np.eye(size)
    for column, rounded in enumerate(integers):
        expected, complement = extend(complement, rounded)
        np.testing.assert_array_equal(matrix[:, column], expected)


@given(st.binary(max_size=200), st.integers(1, 64))
@settings(max_examples=60)
def test_any_bytes_are_an_orthonormal_matrix(data: bytes, size: int) -> None:
    matrix = unpack_rotation(data, size)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(size), atol=1e-10)


@pytest.mark.parametrize("rank", [1, 3, 16])
def test_a_rotation_gathers_what_channels_share(rank: int) -> None:
    random = np.random.default_rng(rank)
    mixing = random.normal(size=(16, rank))
    covariance = mixing @ np.diag(0.5 ** np.arange(rank)) @ mixing.T
    _, levels = find_rotation(covariance, 0.02, extend)
    assert np.sum(levels**2) == pytest.approx(np.trace(covariance))
    assert levels[rank:] == pytest.approx(np.zeros(16 - rank), abs=0.02)
    finest = np.sort(np.linalg.eigvalsh(covariance))[::-1]
    assert np.cumsum(levels**2)[rank - 1] > 0.999 * np.cumsum(finest)[rank - 1]


@pytest.fixture(scope="module")
def packed(eegmat: Path, compressed: Callable[..., Path]) -> Path:
    return compressed(eegmat, model="eegz-mc-2", codebooks=4)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"groups": []}, "empty or names a group"),
        ({"groups": [0, 1, 99]}, "empty or names a group"),
        ({"groups": [0, 1, 1]}, "holds a group twice"),
        ({"groups": list(range(65))}, "no valid field 'groups'"),
        ({"gains": [1.0, 1.0]}, "no valid gain"),
        ({"gains": [1.0, 1.0, 0.0]}, "no valid gain"),
        ({"gains": [1.0, 1.0, -1.0]}, "no valid gain"),
        ({"gains": [1.0, 1.0, 1e300]}, "no valid gain"),
        ({"gains": [1.0, 1.0, float("nan")]}, "no valid field 'gains'"),
        ({"gains": [1.0, 1.0, float("inf")]}, "no valid field 'gains'"),
        ({"matrix": bytes(200)}, "matrix of more bytes"),
        ({"matrix": "text"}, "no valid field 'matrix'"),
    ],
)
def test_hostile_mixtures(packed: Path, entry: dict[str, object], words: str) -> None:
    with EegzReader(packed) as reader:
        content = unpack_map(reader.header.pack(), "a header")
    assert unpack_header(pack_map(content)).minor_version == 3
    mixture = {**content["mixtures"][0], **entry}
    with pytest.raises(ContainerError, match=words):
        unpack_header(pack_map({**content, "mixtures": [mixture]}))


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        ("groups", {"codebooks": 7}, "can't be components together"),
        ("groups", {"up": 1, "down": 2}, "can't be components together"),
        ("codecs", {"name": "dac-sc"}, "can't be components together"),
        ("codecs", {"scaling": "fixed", "knot_spacing": 0}, "can't be components together"),
    ],
)
def test_groups_that_are_no_components(packed: Path, place: str, change: dict[str, object], words: str) -> None:
    with EegzReader(packed) as reader:
        content = unpack_map(reader.header.pack(), "a header")
    content[place][0] |= change
    with pytest.raises(ContainerError, match=words):
        unpack_header(pack_map(content))


def test_two_mixtures_of_one_group(packed: Path) -> None:
    with EegzReader(packed) as reader:
        content = unpack_map(reader.header.pack(), "a header")
    content["mixtures"] *= 2
    with pytest.raises(ContainerError, match="of another mixture"):
        unpack_header(pack_map(content))
