"""Arrays of integers as bytes, and as chunks of zarr."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from api.recordings import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

import eegzip
from eegzip.formats.edf import EdfFile

numcodecs = pytest.importorskip("numcodecs")
from eegzip.array_codecs.for_numcodecs import Eegzip  # noqa: E402 - where numcodecs is

KINDS = ["?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">u4", "<i8", "<u8", ">u8"]


def the_same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.dtype.str, one.shape) == (other.dtype.str, other.shape) and np.array_equal(one, other)


@given(st.data())
@settings(max_examples=60)
def test_any_integers_come_back(data):
    dtype = np.dtype(data.draw(st.sampled_from(KINDS)))
    array = data.draw(arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)))
    axis = data.draw(st.integers(-array.ndim, array.ndim - 1)) if array.ndim else -1
    assert the_same(eegzip.loads(eegzip.dumps(array, axis=axis)), array)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["low", "high", "everywhere"])
def test_rows_of_samples_come_back(kind: str, where: str):
    """Long enough to be predicted; at the ends of what a type holds, and from end to end."""
    dtype, drawn = np.dtype(kind), np.random.default_rng(1)
    least, most = (0, 1) if kind == "?" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    steps = drawn.integers(0, min(most, 200), (2, 90), dtype=np.uint64, endpoint=True)
    if where == "everywhere":
        steps[0, :2] = 0, int(most) - int(least)
    values = [[int(most) - int(x) if where == "high" else int(least) + int(x) for x in row] for row in steps]
    array = np.array(values, dtype)
    for each, axis in ((array, 1), (array.T, 0), (np.asfortranarray(array), -1)):
        assert the_same(eegzip.loads(eegzip.dumps(each, axis=axis)), each)


def test_samples_of_a_recording_get_smaller_than_in_other_codecs(eegmat):
    with EdfFile.open(eegmat) as file:
        samples = np.stack([file.read_signal(index, 0, 5000) for index in range(3)]).astype("<i2")
    packed = eegzip.dumps(samples)
    rivals = [numcodecs.Blosc("zstd", 9, numcodecs.Blosc.BITSHUFFLE), numcodecs.Zstd(19), numcodecs.LZMA()]
    assert len(packed) < min(len(rival.encode(samples)) for rival in rivals)
    assert eegzip.dumps(samples.astype("<i8")) != packed
    assert len(eegzip.dumps(samples.astype("<i8") + 10**15)) < 1.01 * len(packed)
    assert the_same(eegzip.loads(packed), samples)


def test_what_the_first_version_packed_is_read():
    packed = Path(__file__).with_name("packed-1.bin").read_bytes()
    assert the_same(eegzip.loads(packed), (np.arange(200).reshape(2, 100) ** 2 % 7919).astype(">i4"))


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(3, complex), np.array(["a"]), np.array([None])])
def test_only_integers_are_taken(array: np.ndarray):
    with pytest.raises(eegzip.UsageError, match="only integers"):
        eegzip.dumps(array)


def test_an_axis_must_be_there():
    with pytest.raises(eegzip.UsageError, match="no axis 2"):
        eegzip.dumps(np.zeros((2, 2), int), axis=2)


def test_damage_has_a_sentence():
    packed = eegzip.dumps(np.arange(200, dtype="<i2").reshape(2, 100))
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 1
        with pytest.raises(eegzip.ContainerError):
            eegzip.loads(damaged)
        with pytest.raises(eegzip.ContainerError):
            eegzip.loads(packed[:place])


def test_a_hostile_head_takes_no_memory():
    import zlib

    from eegzip.formats import packed_array
    from eegzip.formats.packing import pack_map

    head = {"dtype": "<i2", "shape": [1 << 20, 1 << 20], "axis": 1, "low": -(1 << 23), "lengths": []}
    hostile = [head, {**head, "shape": [-1]}, {**head, "dtype": "|O8"}, {**head, "shape": [70], "lengths": [1]}]
    hostile += [{**head, "shape": [2, 70], "axis": 2}, {**head, "shape": [2, 70], "low": "x"}, {}]
    for content in hostile:
        packed = pack_map(content)
        body = packed_array._START.pack(packed_array._MAGIC, 1, len(packed)) + packed
        with pytest.raises(eegzip.ContainerError):
            eegzip.loads(body + zlib.crc32(body).to_bytes(4, "little"))


@pytest.mark.parametrize("order", ["C", "F"])
def test_zarr_format_2(order: str):
    zarr = pytest.importorskip("zarr")
    numcodecs.register_codec(Eegzip)
    samples = np.random.default_rng(1).integers(-900, 900, (300, 4)).astype("<i2")
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store, shape=samples.shape, chunks=(128, 4), dtype="<i2", zarr_format=2, compressors=Eegzip(axis=0), order=order
    )
    array[:] = samples
    assert np.array_equal(zarr.open_array(store, mode="r")[:], samples)
    assert zarr.open_array(store, mode="r").metadata.compressor == Eegzip(axis=0)


def test_zarr_format_3():
    zarr = pytest.importorskip("zarr")
    from zarr.registry import register_codec

    from eegzip.array_codecs.for_zarr import EegzipCodec

    register_codec("eegzip", EegzipCodec)
    samples = np.random.default_rng(1).integers(-900, 900, (300, 4)).astype("<i2")
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store, shape=samples.shape, chunks=(128, 4), dtype="<i2", serializer=EegzipCodec(axis=0), compressors=None
    )
    array[:] = samples
    assert np.array_equal(zarr.open_array(store, mode="r")[:], samples)
    assert zarr.open_array(store, mode="r").serializer == EegzipCodec(axis=0)
    with pytest.raises(eegzip.UsageError, match="for integers"):
        zarr.create_array(zarr.storage.MemoryStore(), shape=(4,), dtype="f4", serializer=EegzipCodec())


def test_both_are_found_by_name():
    """As stated in the package's metadata; pip writes them where they are looked up."""
    tomllib = pytest.importorskip("tomllib")
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for group in ("numcodecs.codecs", "zarr.codecs"):
        module, name = stated[group]["eegzip"].split(":")
        assert getattr(import_module(module), name).__module__ == module
