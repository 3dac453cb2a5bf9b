"""Files made to hurt end in a sentence, in little memory, and verify fails wherever decompress would."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import msgpack
import numpy as np
import pytest
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.formats.eegz import layout
from eegzip.formats.eegz.index import unpack_index
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.summary import unpack_summary
from eegzip.formats.entropy.binary_coder import finish, new_encoder, put_bits
from eegzip.formats.errors import ContainerError, EegzipError, OutputError
from eegzip.formats.packing import pack_map, unpack_map, zstd_compress
from eegzip.formats.predictive.chunk import ExactDecoder
from eegzip.formats.predictive.coder import decode_residual, encode_residual
from eegzip.formats.predictive.grid import Grid, kept_times
from eegzip.formats.predictive.stream import decode_predicted
from eegzip.formats.transform.layer import decode_layer
from eegzip.formats.transform.layer_header import LayerHeader, put_layer_header
from eegzip.formats.transform.model import new_model
from eegzip.formats.transform.search.quantiser import encode_coefficients
from eegzip.formats.transform.spatial import Band

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "eegz"))
from hostility import memory_below  # noqa: E402 - in the folder of other tests

FILES = sorted(HERE.glob("*.eegz"))
REFUSED = [path for path in FILES if path.name.startswith("poc")]


def _attempts(path: Path, folder: Path) -> list[Callable[[], object]]:
    def opened(use: Callable[[eegzip.Recording], object]) -> Callable[[], object]:
        def call() -> object:
            with eegzip.open(path) as recording:
                return use(recording)

        return call

    return [
        lambda: eegzip.decompress(path, folder / "a.edf"),
        lambda: eegzip.decompress(path, folder / "b.edf", salvage=True),
        lambda: eegzip.evaluate(path, path),
        opened(lambda recording: recording.read()),
        opened(lambda recording: recording.annotations),
        opened(lambda recording: recording.tokens()),
        opened(lambda recording: recording.info),
    ]


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_they_end_in_a_sentence(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is refused is refused before there is need of a network.
    monkeypatch.setattr(StoredNetwork, "__call__", lambda _: pytest.fail("the network was loaded"))
    assert not eegzip.verify(path).intact
    said = []
    for attempt in _attempts(path, tmp_path):
        try:
            attempt()
        except EegzipError as error:
            said.append(str(error))
    assert all(len(sentence) < 1000 for sentence in said)
    assert said
    assert not list(tmp_path.glob("*.edf"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("command", ["info", "verify"])
def test_nothing_commands_the_terminal(command: str, path: Path) -> None:
    shown = CliRunner().invoke(main, [command, str(path)])
    text = shown.output
    assert text
    assert not set(text) & set(map(chr, [*range(9), *range(11, 32), *range(127, 160)]))


def test_a_search_among_header_blocks_is_linear(tmp_path: Path) -> None:
    """Each of them claims all that follows: 2048 of them would make a reader hash a gigabyte."""
    size = 1 << 20
    data = bytearray(size)
    step = size // 2048
    for place in range(layout.SIGNATURE_BYTES, size - layout.BLOCK_HEADER_BYTES, step):
        length = size - place - layout.BLOCK_HEADER_BYTES
        data[place : place + layout.BLOCK_HEADER_BYTES] = layout.BlockHeader(layout.HEAD, 1, 0, length, 1).pack(0)
    data[: layout.SIGNATURE_BYTES] = layout.pack_signature(5)
    path = tmp_path / "heads.eegz"
    path.write_bytes(data)
    hashed = 0
    crc32 = zlib.crc32

    def counting(block: bytes, start: int = 0) -> int:
        nonlocal hashed
        hashed += len(block)
        return crc32(block, start)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zlib, "crc32", counting)
        with pytest.raises(ContainerError, match="the header block is missing or damaged"):
            EegzReader(path)
    assert hashed < 2 * size + (65 << 20)


def test_times_far_from_the_signal_cost_nothing() -> None:
    # As SPEC.md has it, by counting all values from the first one on.
    for origin in (-(1 << 40), -(1 << 26), 0, 5 << 24, 1 << 40):
        for step in (1 << 24, 3 << 23, 5 << 24):
            grid = Grid(step, origin, towards_zero=False)
            ranks = np.arange(max(0, -origin // step - 2), max(0, -origin // step - 2) + 60)
            values = grid.values(ranks)
            expected = [0, *(value for value in values if 0 < value < 40)]
            assert kept_times(grid, 40).tolist() == expected
    assert len(kept_times(Grid(1 << 24, -(1 << 55), towards_zero=False), 100)) == 100


@pytest.mark.parametrize("name", [",i2", "<i3", "(i2", "ii2", "<b4", "<f4", "|O8"])
def test_packed_arrays_of_no_type_end_in_a_sentence(name: str) -> None:
    """The fuzzer's finding: numpy reads a type with a comma as Python's own syntax, and ",i2" raised SyntaxError."""
    data = eegzip.dumps(np.arange(4, dtype="<i2"))
    size = int.from_bytes(data[9:13], "little")
    head = pack_map({**unpack_map(data[13 : 13 + size], "head"), "dtype": name})
    bad = data[:9] + len(head).to_bytes(4, "little") + head + data[13 + size : -4]
    with pytest.raises(ContainerError, match="packed array"):
        eegzip.loads(bad + zlib.crc32(bad).to_bytes(4, "little"))


@pytest.mark.parametrize("level", [6, 1])
def test_a_few_bytes_of_millions_of_samples_cost_little(level: int) -> None:
    """Streams as an encoder's but for their bits: what follows their end is known, or is not believed."""
    count = 40_000_000
    head = bytes([8, 0, 0, 8, 12] if level == 6 else [8, 0, 0, 8, 8, 12, 32]) + bytes([19, 20, 10])
    body = b"\0\0" + head + (b"" if level == 6 else b"\0")
    with memory_below(32 << 20):
        if level == 6:
            values = decode_predicted(body, count, [])
            assert values.shape == (count,)
            assert (values[:: count // 7] == 10).all()
        else:
            with pytest.raises(ContainerError, match="fewer words"):
                decode_predicted(body, count, [], by_blocks=True)


def test_what_follows_the_end_is_as_if_it_were_decoded() -> None:
    """A zero at the end of a stream says what its absence says, and puts the end off: samples are then decoded."""
    stream = encode_residual(np.arange(300, dtype=np.int32) % 7, [])
    for cut in (len(stream), len(stream) // 2, 16):
        short = stream[:cut]
        assert np.array_equal(decode_residual(short, 3000, []), decode_residual(short + bytes(4000), 3000, []))


@pytest.mark.parametrize("method", [1, 2, 3, 4])
def test_a_flat_signal_takes_no_memory(method: int) -> None:
    count = 4_000_000
    frame = zstd_compress(bytes(2 * count), 1)
    shape = {3: bytes([8, 0, 0, 8, 12]), 4: bytes([8, 0, 0, 8, 8, 12, 0])}.get(method, b"")
    stream = {1: b"\1" + frame, 2: b"\2\1\2" + frame}.get(method, bytes([method]) + b"\0\0" + shape + bytes(3))
    decoder = ExactDecoder({0: stream}.__getitem__, {0: (4, count // 4)}, 2, lambda error: error)
    with memory_below((2 * count if method < 3 else 0) + (16 << 20)):
        values = decoder.decode(0)
    assert values.shape == (4, count // 4)
    assert values.dtype == np.int32
    assert not values[:, :: count // 100].any()


def test_a_layer_that_claims_millions_takes_no_memory() -> None:
    header = LayerHeader(np.ones(1, bool), 1 << 14, (0,), (8192,), (63,), (Band(1 << 9, (), ()),))
    state, room = new_encoder(), np.zeros(1 << 12, np.uint8)
    put_layer_header(state, room, header)
    stream = room[: finish(state, room)].tobytes()
    with memory_below(16 << 20), pytest.raises(ContainerError, match="ends before its coefficients"):
        decode_layer(stream, 1, 1 << 23)


def silent_layer(signals: int, blocks: int) -> bytes:
    """A layer of zeros only, of blocks of 256 samples."""
    centres, steps, parts = ((number,) * signals for number in (3, 8192, 63))
    header = LayerHeader(np.ones(signals, bool), blocks, centres, steps, parts, (Band(256, (), ()),))
    state, room = new_encoder(), np.zeros(1 << 13, np.uint8)
    put_layer_header(state, room, header)
    zeros, costs = np.zeros((signals, blocks, 256)), np.zeros((0, signals, blocks, 256), np.float32)
    encode_coefficients(zeros, np.full(signals, 256), 0.0, new_model(signals), state, room, costs)
    for _ in range(3):
        put_bits(state, room, 32, 6)
    return room[: finish(state, room)].tobytes()


def test_millions_of_zeros_of_a_layer_take_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """They can be said in 843 bytes, 0.0007 bits each; then nothing is to be transformed, either."""
    signals, blocks = 64, 512
    stream = silent_layer(signals, blocks)
    assert len(stream) < 1000
    # What is not compiled yet is compiled here, as that takes memory, too.
    decode_layer(silent_layer(2, 4), 2, 4 * 256)
    with monkeypatch.context() as patch, memory_below(112 << 20):
        patch.setattr(np.fft, "fft", lambda *_, **__: pytest.fail("silence was transformed"))
        members, values = decode_layer(stream, signals, blocks * 256)
    assert members.all()
    assert values.shape == (signals, blocks * 256)
    assert (values == 3).all()


def test_summaries_and_index_are_no_place_to_hide_work(tmp_path: Path) -> None:
    golden = HERE.parent / "golden" / "v1" / "edf.eegz"
    bomb = zstd_compress(msgpack.packb({"a": [0] * ((1 << 20) - 10)}), 19)
    with EegzReader(golden) as reader:
        seed, size = reader.blocks.seed, reader.size
    data = golden.read_bytes()
    # Behind the last block, as a scan finds it.
    block = layout.BlockHeader(layout.SUMMARY, 0, 99, len(bomb), zlib.crc32(bomb)).pack(seed) + bomb
    (tmp_path / "a.eegz").write_bytes(data[: size - layout.TRAILER_BYTES] + 50 * block)
    tried = 0

    def counting(payload: bytes) -> object:
        nonlocal tried
        tried += 1
        return unpack_summary(payload)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eegzip.formats.eegz.container.unpack_summary", counting)
        with EegzReader(tmp_path / "a.eegz") as reader:
            assert reader.summary is None
    assert 0 < tried < 5
    many = {"types": b"HEAD" * 500_000, "first_offset": 16, "lengths": [0] * 500_000}
    with memory_below(40 << 20), pytest.raises(ContainerError, match="do not fill the file"):
        unpack_index(pack_map(many), 1000)


def test_output_and_memory_have_limits(tmp_path: Path) -> None:
    path = HERE.parent / "golden" / "v1" / "edf.eegz"
    with EegzReader(path) as reader:
        whole = len(reader.header.edf_header) + reader.header.n_records * reader.header.record_bytes
    with pytest.raises(OutputError, match="max-output"):
        eegzip.decompress(path, tmp_path / "a.edf", max_output=whole - 1)
    for attempt in (
        lambda: eegzip.decompress(path, tmp_path / "a.edf", max_memory=1000),
        lambda: eegzip.verify(path, max_memory=1000),
    ):
        with pytest.raises(eegzip.OutOfMemoryError, match="max-memory") as caught:
            attempt()
        assert isinstance(caught.value, MemoryError)
    assert not list(tmp_path.iterdir())
    assert eegzip.verify(path, max_memory=1 << 30) == eegzip.verify(path)


def test_gigabytes_of_a_flat_line_take_leave(tmp_path: Path) -> None:
    """Two million samples that never change, in a file of some hundred bytes; what is no trap can be had."""
    flat, packed = tmp_path / "flat.edf", tmp_path / "flat.eegz"
    fields = ["0", "X", "X", "01.01.20", "00.00.00", "512", "", "1", "100000", "1"]
    signal = ["EEG Cz", "", "uV", "-100", "100", "-32768", "32767", "", "2000000", ""]
    widths = [8, 80, 80, 8, 8, 8, 44, 8, 8, 4, 16, 80, 8, 8, 8, 8, 8, 80, 8, 32]
    header = "".join(text.ljust(width) for text, width in zip([*fields, *signal], widths, strict=True))
    flat.write_bytes(header.encode() + bytes(2 * 2_000_000))
    eegzip.compress(flat, packed, lossless=True, level=1, verify=True)
    assert packed.stat().st_size < 2000
    attempts = [
        lambda: eegzip.decompress(packed, tmp_path / "a.edf"),
        lambda: eegzip.decompress(packed, tmp_path / "a.edf", salvage=True),
        lambda: eegzip.verify(packed),
        lambda: eegzip.evaluate(flat, packed),
    ]
    with eegzip.open(packed) as recording:
        assert recording.channels == ["EEG Cz"]
        for attempt in [*attempts, recording.read]:
            with pytest.raises(eegzip.OutOfMemoryError, match="max-memory"):
                attempt()
    assert not (tmp_path / "a.edf").exists()
    eegzip.decompress(packed, tmp_path / "b.edf", max_memory=1 << 30)
    assert (tmp_path / "b.edf").read_bytes() == flat.read_bytes()
    with eegzip.open(packed, max_memory=1 << 30) as recording:
        assert recording.read(start=0, stop=1).shape == (1, 20)


def test_salvage_fills_in_no_more_than_the_file_makes_likely(tmp_path: Path, eegmat: Path) -> None:
    eegzip.compress(eegmat, tmp_path / "a.eegz", lossless=True, chunk_seconds=2)
    with EegzReader(tmp_path / "a.eegz") as reader:
        cut = reader.chunks[1].offset
    (tmp_path / "cut.eegz").write_bytes((tmp_path / "a.eegz").read_bytes()[:cut])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eegzip.decompression.SALVAGED_BYTES", 1000)
        patch.setattr("eegzip.decompression.SALVAGED_A_BYTE", 0)
        with pytest.raises(ContainerError, match="max-output"):
            eegzip.decompress(tmp_path / "cut.eegz", tmp_path / "a.edf", salvage=True)
        report = eegzip.decompress(tmp_path / "cut.eegz", tmp_path / "a.edf", salvage=True, max_output=1 << 30)
    assert report.restored_bytes == eegmat.stat().st_size
    assert report.lost_records
