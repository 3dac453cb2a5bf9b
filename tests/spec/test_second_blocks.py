"""The fast coder of signals predicted by blocks and the plain one written from SPEC.md restore the same integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import second_blocks
import second_prediction
from api.recordings import SHIPPED
from second_reader import SecondReader

import eegzip
from eegzip.formats.edf import EdfFile, decode_signal
from eegzip.formats.predictive.block_coder import decode_by_blocks, encode_by_blocks
from eegzip.formats.predictive.block_shape import BlockShape
from eegzip.formats.predictive.block_tables import shares_below, tables
from eegzip.formats.predictive.search.efforts import BLOCK_EFFORTS

SHAPES = [
    BLOCK_EFFORTS[1].shapes[0][0],
    BLOCK_EFFORTS[4].shapes[2][0],
    BlockShape(1, 0, 0, 1, 0, 4, 0),
    BlockShape(9, 0, 3, 15, 24, 10, 4),
    BlockShape(3, 5, 0, 2, 12, 6, 64),
]


GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden" / "v1.7" / "levels").glob("*.eegz"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files(path, tmp_path):
    eegzip.decompress(path, tmp_path / "back")
    assert SecondReader(path.read_bytes()).recording() == (tmp_path / "back").read_bytes()


@pytest.fixture(scope="module")
def rows() -> list[np.ndarray]:
    with EdfFile.open(SHIPPED / "eegmat" / "Subject16_rest_70s.edf") as file:
        block = file.read_records(3, 6)
        return [decode_signal(block, file.header, index).reshape(-1)[:350] for index in range(4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1, 250, 1 / 256])
def test_real_signals(rows, shape, scale):
    """At the scale of 12 bits, of 16, and of 24."""
    target, *others = ((row * scale).astype(np.int32) for row in rows)
    for references in ([], others[:2]):
        data = encode_by_blocks(target, references, shape)
        assert np.array_equal(second_blocks.integers(data, len(target), references), target)
        assert np.array_equal(decode_by_blocks(data, len(target), references), target)


@pytest.mark.parametrize("kind", ["noise", "flat", "spikes", "square", "copy", "two values", "one"])
def test_hostile_signals(kind):
    rng = np.random.default_rng(1)
    noise = rng.integers(-(1 << 23), 1 << 23, 400)
    values = {
        "noise": noise,
        "flat": np.full(400, -(1 << 23)),
        "spikes": np.where(rng.random(400) < 0.01, noise, 5),
        "square": np.where(np.arange(400) // 7 % 2, -(1 << 23), (1 << 23) - 1),
        "copy": noise // 3,
        "two values": rng.integers(0, 2, 400),
        "one": noise[:1],
    }[kind].astype(np.int32)
    others = [noise[: len(values)].astype(np.int32), np.zeros(len(values), np.int32)]
    data = encode_by_blocks(values, others, BlockShape(16, 2, 2, 4, 8, 6, 16))
    assert np.array_equal(second_blocks.integers(data, len(values), others), values)
    assert np.array_equal(decode_by_blocks(data, len(values), others), values)


def test_values_too_far_apart_are_left_to_others():
    assert encode_by_blocks(np.array([0, 1 << 25]), [], BlockShape(4, 0, 0, 1, 8, 4, 0)) is None


def test_a_damaged_stream_gives_samples_in_its_range(rows):
    """Whatever the bytes say: readers of any make find the same, and nothing leaves the range."""
    data = bytearray(encode_by_blocks(rows[0], [rows[1]], BlockShape(8, 1, 1, 3, 8, 5, 8)))
    rng = np.random.default_rng(3)
    for _ in range(10):
        hurt = data.copy()
        hurt[int(rng.integers(16, len(data)))] ^= int(rng.integers(1, 256))
        found = decode_by_blocks(bytes(hurt), 350, [rows[1]])
        assert rows[0].min() <= found.min() <= found.max() <= rows[0].max()
        assert np.array_equal(second_blocks.integers(bytes(hurt), 350, [rows[1]]), found)


def test_no_share_of_the_tables_is_near_an_integer():
    """So that any good exponential function gives the same tables, as it must."""
    shares = shares_below()
    middle = shares == 16323  # a threshold at the forecast itself, for which there is nothing to compute
    assert middle.sum() == 24
    assert np.abs(shares - np.round(shares))[~middle].min() > 1e-6
    below, first = tables()
    assert below.shape[0] == 196
    assert (np.diff(below, axis=1) > 0).all()
    for row in (0, 5, 100, 191, 192, 195):
        assert below[row].tolist() == second_blocks.table(row)
    assert (np.take_along_axis(below, first.astype(int), 1) <= np.arange(128) * 256).all()


def test_streams_of_a_chunk_name_their_grids(rows):
    """What method 3 says before its integers, method 4 says as well."""
    from eegzip.formats.predictive.search.levels import exact_encoder

    signals = {0: (rows[0] // 40 * 41 + 3).astype(np.int32), 1: rows[1]}
    for number, stream in exact_encoder(2, signals, 1).encode(signals).items():
        assert stream[0] == 4
        others, place = second_prediction.references_of(stream[1:])
        found = second_prediction.predicted(
            stream[1:], 350, [signals[other] for other in others], second_blocks.integers
        )
        assert np.array_equal(found, signals[number])
        assert (stream[1 + place] & 1) == (number == 0)
