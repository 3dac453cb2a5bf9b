"""Layers, corrections and predicted signals out of damaged or hostile files: refused with a sentence, or decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegzip.formats.eegz.chunk import StreamKind, pack_chunk
from eegzip.formats.eegz.header import Coding, FileHeader, LayerSet, Targets
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.layer_reader import LayerReader
from eegzip.formats.eegz.layers import StoredResidual, unpack_residual
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import pack_map, put_varint, unpack_map
from eegzip.formats.transform.corrections import decode_corrections, encode_corrections


@pytest.fixture(scope="module", params=[{"max_prd": 9.0}, {"max_error": "5uV"}, {"max_error": "100nV"}], ids=str)
def layered(request: pytest.FixtureRequest, eegmat: Path, compressed: Callable[..., Path]) -> Path:
    return compressed(eegmat, **request.param)


def packed_header(path: Path) -> bytes:
    with EegzReader(path) as reader:
        return reader.header.pack()


def changed(path: Path, **fields: object) -> bytes:
    return pack_map({**unpack_map(packed_header(path), "a header"), **fields})


def test_a_header_with_layers_comes_back(layered: Path) -> None:
    with EegzReader(layered) as reader:
        header = reader.header
        assert reader.minor_version == header.minor_version == (5 if header.targets.measure else 3)
    assert unpack_header(header.pack()) == header
    assert header.layer_sets[0].signals == (0, 1, 2)
    assert isinstance(header.targets, Targets)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"signals": []}, "empty or names a signal"),
        ({"signals": [0, 1, 99]}, "empty or names a signal"),
        ({"signals": [0, 1, 3]}, "can't be coded together"),
        ({"signals": [0, 1, 1]}, "holds a signal twice"),
        ({"signals": [0, 1]}, "no range for each signal"),
        ({"lowest": [0, 0, 40000]}, "range that its samples can't take"),
        ({"signals": list(range(65))}, "no valid field 'signals'"),
    ],
)
def test_layer_sets_that_contradict_the_file_are_refused(
    eegmat: Path, compressed: Callable[..., Path], entry: dict[str, object], words: str
) -> None:
    path = compressed(eegmat, max_prd=9.0)
    sets = unpack_map(packed_header(path), "a header")["layer_sets"]
    with pytest.raises(ContainerError, match=words):
        unpack_header(changed(path, layer_sets=[{**sets[0], **entry}]))


def test_layers_without_a_set_and_sets_beyond_measure_are_refused(
    eegmat: Path, compressed: Callable[..., Path]
) -> None:
    path = compressed(eegmat, max_prd=9.0)
    with pytest.raises(ContainerError, match="no set of them"):
        unpack_header(changed(path, layer_sets=[]))
    with pytest.raises(ContainerError, match="more samples a chunk than can be"):
        unpack_header(changed(path, n_records=1 << 20, chunk_records=20000))


def with_streams(path: Path, change: Callable[[dict[tuple[int, int], bytes]], object], target: Path) -> Path:
    """Copy a file with the streams of its first chunk changed and all checksums right."""
    data = bytearray(path.read_bytes())
    with EegzReader(path) as reader:
        place, directory = reader.chunks[0], reader.directory(0)
        seed = reader.blocks.seed
        start = place.payload_offset
        streams = {
            key: bytes(data[start + entry.offset : start + entry.offset + entry.length])
            for key, entry in directory.streams.items()
        }
        change(streams)
        payload = pack_chunk(0, directory.first_record, directory.n_records, streams, seed)
        head = bytearray(data[place.offset : start])
    head[16:24] = struct.pack("<Q", len(payload))
    head[24:28] = struct.pack("<I", zlib.crc32(payload))
    head[28:32] = struct.pack("<I", zlib.crc32(head[:28], seed))
    # The index knows other places now; a reader then walks the blocks.
    target.write_bytes(data[: place.offset] + head + payload + data[start + place.length :])
    return target


def read_layers(path: Path) -> None:
    with EegzReader(path) as reader:
        for number, entry in enumerate(reader.header.layer_sets):
            LayerReader(reader, 0, number, {}).restore(entry.signals)


def test_streams_that_are_not_there_are_missed(layered: Path, tmp_path: Path) -> None:
    def drop(streams: dict[tuple[int, int], bytes]) -> None:
        for key in [key for key in streams if key[0] in (StreamKind.LAYER, StreamKind.RESIDUAL)]:
            del streams[key]

    with pytest.raises(ContainerError, match="does not store all of"):
        read_layers(with_streams(layered, drop, tmp_path / "a.eegz"))


def test_damaged_streams_are_refused_or_decoded(layered: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    refused = 0
    for number in range(40):

        def damage(streams: dict[tuple[int, int], bytes]) -> None:
            keys = [key for key in streams if key[0] in (StreamKind.LAYER, StreamKind.RESIDUAL)]
            key = keys[random.integers(len(keys))]
            stream = bytearray(streams[key][: random.integers(1, len(streams[key]) + 1)])
            for place in random.integers(0, min(len(stream), 40), random.integers(1, 4)):
                stream[place] = random.integers(0, 256)
            streams[key] = bytes(stream)

        path = with_streams(layered, damage, tmp_path / f"{number}.eegz")
        try:
            read_layers(path)
        except ContainerError:
            refused += 1
    assert refused


@given(st.lists(st.integers(-63, 63), max_size=300))
@settings(max_examples=60)
def test_corrections_come_back(values: list[int]) -> None:
    wanted = np.array(values, np.int64)
    assert np.array_equal(decode_corrections(encode_corrections(wanted), len(wanted)), wanted)


def test_rare_corrections_cost_little() -> None:
    values = np.zeros(15360, np.int64)
    values[::700] = 1
    assert len(encode_corrections(values)) < 60


@given(st.binary(max_size=60), st.integers(0, 200))
@settings(max_examples=100)
def test_any_bytes_are_corrections_or_refused(data: bytes, count: int) -> None:
    try:
        values = decode_corrections(data, count)
    except ContainerError:
        return
    assert np.abs(values).max(initial=0) <= 63


@given(st.integers(1, 1 << 26), st.lists(st.integers(0, 4), max_size=8), st.binary(max_size=20), st.booleans())
@settings(max_examples=60)
def test_residuals_come_back(step: int, references: list[int], stream: bytes, predicted: bool) -> None:
    wanted = StoredResidual(step, tuple(references) if predicted else (), stream, predicted)
    assert unpack_residual(wanted.pack(), 5) == wanted


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([], "does not know"),
        ([7, 1], "does not know"),
        ([0, 0], "has a step of 0"),
        ([0, 1 << 30], "has a step of"),
        ([1, 3, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0], "more than can be"),
        ([1, 3, 1, 2], "does not come before"),
        ([1, 3, 2, 0], "cut short"),
    ],
)
def test_residuals_that_make_no_sense_are_refused(numbers: list[int], words: str) -> None:
    data = bytearray()
    for number in numbers:
        put_varint(data, number)
    with pytest.raises(ContainerError, match=words):
        unpack_residual(bytes(data), 2)


def test_what_may_differ_elsewhere_is_no_reference(
    eegmat: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    path = compressed(eegmat, max_error="5uV")

    def refer(streams: dict[tuple[int, int], bytes]) -> None:
        streams[StreamKind.RESIDUAL, 1] = StoredResidual(3, (0,), b"\0" * 12, predicted=True).pack()

    with pytest.raises(ContainerError, match="may differ elsewhere"):
        read_layers(with_streams(path, refer, tmp_path / "a.eegz"))


def test_files_without_layers_say_nothing_of_them(eegmat: Path, compressed: Callable[..., Path]) -> None:
    with EegzReader(compressed(eegmat)) as reader:
        header = reader.header
    assert not {"layer_sets", "targets"} & set(unpack_map(header.pack(), "a header"))
    assert isinstance(header, FileHeader)
    signals = tuple(
        replace(signal, coding=Coding.LAYERS if signal.coding == Coding.EXACT else signal.coding)
        for signal in header.signals
    )
    sets = (LayerSet((3,), (0,), (1,)),)
    with pytest.raises(ContainerError, match="no set of them"):
        unpack_header(replace(header, signals=signals, layer_sets=sets).pack())
