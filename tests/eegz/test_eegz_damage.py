"""Damage is detected, located, and costs only what it hit: never a wrong sample, never another kind of error."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from synthetic import (
    Block,
    Group,
    Recording,
    block_offsets,
    build_header,
    build_recording,
    check,
    check_bytes,
    join,
    split,
    write,
)

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.header import ScalingKind
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError, EegzipError

MEMORY = 16 << 20


@pytest.fixture
def small() -> Recording:
    """Every kind of stream in as few bytes as will do, since each of them is damaged in turn."""
    header = build_header(
        (
            Group(samples=16, hop=8, codebooks=2, size=100, spacing=16),
            Group(samples=8, hop=8, size=16, scaling=ScalingKind.FIXED),
        ),
        exact=(6, 2, 9),
        n_records=6,
        chunk_records=2,
        trailing_bytes=9,
        edf_header=b"EDF",
    )
    return build_recording(header, 7)


def all_of(recording: Recording, *chunks: int) -> set[object]:
    """Everything that some chunks hold."""
    lost: set[object] = set()
    for chunk in chunks:
        lost |= {("tokens", chunk, group) for group in range(len(recording.tokens))}
        lost |= {("exact", chunk, signal) for signal in recording.exact}
        if recording.knots:
            lost.add(("knots", chunk))
    return lost


def assert_little_memory(step: int) -> None:
    if step > 1:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0 < peak < MEMORY


def chunk_of(data: bytes, offset: int) -> int | None:
    """Chunk that a byte of an intact file lies in."""
    blocks = [start for start in block_offsets(data) if start <= offset]
    number = len(blocks) - 1
    is_chunk = number >= 0 and data[blocks[-1] + 4 : blocks[-1] + 8] == b"CHNK"
    return number - 1 if is_chunk else None


# Every byte in turn; and some of them once more under tracemalloc, which makes everything three times slower.
EVERY = pytest.mark.parametrize("step", [1, 17])


@EVERY
def test_every_truncation(target: Path, small: Recording, step: int):
    data = write(small)
    offsets = [*block_offsets(data), len(data)]
    chunk_ends = offsets[2:5]
    if step > 1:
        tracemalloc.start()
    for length in range(0, len(data), step):
        if length < offsets[1]:
            target.write_bytes(data[:length])
            with pytest.raises(ContainerError, match=r"recording under test\.eegz"):
                EegzReader(target)
            continue
        lost = check_bytes(target, data[:length], small)
        present = sum(end <= length for end in chunk_ends)
        tail = length >= offsets[5]
        assert lost == all_of(small, *range(present, 3)) | (set() if tail else {"trailing"})
    assert_little_memory(step)


def test_a_truncated_file_says_so(target: Path, small: Recording):
    data = write(small)
    target.write_bytes(data[: block_offsets(data)[3] - 1])
    with EegzReader(target) as file:
        assert not file.complete
        assert any("index" in problem for problem in file.problems)
        assert any("belong to no intact block" in problem for problem in file.problems)
        assert "2 of 3 chunks are missing" in file.problems
        with pytest.raises(ContainerError, match=r"chunk 1 \(data records 2 to 3; seconds 2 to 4\) is missing"):
            file.chunk_tokens(1, 0)


@EVERY
def test_a_flipped_bit_in_every_byte(target: Path, small: Recording, step: int):
    data = write(small)
    offsets = block_offsets(data)
    head_end, tail, summary = offsets[1], offsets[4], offsets[5]
    if step > 1:
        tracemalloc.start()
    for offset in range(0, len(data), step):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << (offset * 5 + 3) % 8
        target.write_bytes(damaged)
        if offset < head_end:
            with pytest.raises(ContainerError, match=r"recording under test\.eegz"):
                EegzReader(target)
            continue
        with EegzReader(target) as file:
            lost = check(file, small)
            found = [problem for _, problem in file.verify_blocks() if problem]
            noticed = bool(found or file.problems)
        assert noticed, f"the flipped bit in byte {offset} was not noticed"
        chunk = chunk_of(data, offset)
        if chunk is not None:
            assert lost
            assert lost <= all_of(small, chunk)
        elif tail <= offset < summary:
            assert lost == {"trailing"}
        else:
            assert lost == set()
    assert_little_memory(step)


def test_a_flipped_bit_in_a_stream_costs_only_that_stream(target: Path, mixed: Recording):
    data = write(mixed)
    target.write_bytes(data)
    with EegzReader(target) as file:
        streams = {
            key: (file.chunks[chunk].payload_offset + entry.offset, entry.length)
            for chunk in file.chunks
            for key, entry in ((((chunk, *k)), e) for k, e in file.directory(chunk).streams.items())
        }
    names = ["knots", "tokens", "exact"]
    assert len(streams) == 3 * 7
    for (chunk, kind, number), (offset, length) in streams.items():
        damaged = bytearray(data)
        damaged[offset + length // 2] ^= 4
        wanted = {("knots", chunk)} if kind == 0 else {(names[kind], chunk, number)}
        assert check_bytes(target, bytes(damaged), mixed) == wanted


def test_a_damaged_chunk_is_named_with_its_place_and_time(target: Path, mixed: Recording):
    data = bytearray(write(mixed))
    offset = block_offsets(bytes(data))[2]
    data[offset + 50] ^= 1
    target.write_bytes(data)
    sentence = rf"test\.eegz: chunk 1 \(data records 4 to 7; seconds 4 to 8, byte {offset}\) is damaged.*from a copy"
    with EegzReader(target) as file, pytest.raises(ContainerError, match=sentence):
        file.chunk_tokens(1, 0)


@pytest.mark.parametrize("block", range(7))
def test_a_block_that_is_overwritten(target: Path, mixed: Recording, block: int):
    data = write(mixed)
    offsets = [*block_offsets(data), len(data)]
    begin, end = offsets[block], offsets[block + 1]
    for filler in (b"\0", b"\xff", layout.SYNC, layout.TRAILER_MAGIC):
        damaged = data[:begin] + (filler * (end - begin))[: end - begin] + data[end:]
        if block == 0:
            target.write_bytes(damaged)
            with pytest.raises(ContainerError, match=r"header block is missing|block header at byte 16 is damaged"):
                EegzReader(target)
        else:
            wanted = all_of(mixed, block - 1) if block <= 3 else {"trailing"} if block == 4 else set()
            assert check_bytes(target, damaged, mixed) == wanted


@pytest.mark.parametrize("block", range(1, 7))
def test_a_block_that_is_cut_out(target: Path, mixed: Recording, block: int):
    data = write(mixed)
    offsets = [*block_offsets(data), len(data)]
    wanted = all_of(mixed, block - 1) if block <= 3 else {"trailing"} if block == 4 else set()
    assert check_bytes(target, data[: offsets[block]] + data[offsets[block + 1] :], mixed) == wanted


def test_without_index_nothing_but_the_index_is_lost(target: Path, mixed: Recording):
    data = write(mixed)
    target.write_bytes(data[: block_offsets(data)[-1]])
    with EegzReader(target) as file:
        assert check(file, mixed) == set()
        assert file.summary == mixed.summary
        assert file.problems == ["the index at the end is missing or damaged; the file was scanned"]


@pytest.mark.parametrize("junk", [b"\0", b"junk", layout.SYNC, layout.SYNC * 20, bytes(5000), b"\xe5BL", b"\xe5"])
def test_garbage_between_blocks(target: Path, mixed: Recording, junk: bytes):
    data = write(mixed)
    for offset in [*block_offsets(data), len(data)]:
        assert check_bytes(target, data[:offset] + junk + data[offset:], mixed) == set()
    everywhere = data
    for offset in reversed(block_offsets(data)):
        everywhere = everywhere[:offset] + junk + everywhere[offset:]
    assert check_bytes(target, everywhere, mixed) == set()


def test_garbage_longer_than_the_scanners_window(target: Path, small: Recording):
    data = write(small)
    offset = block_offsets(data)[2]
    for length in ((1 << 20) - 2, (1 << 20) - 1, (1 << 20) + 1, (2 << 20) + 3):
        assert check_bytes(target, data[:offset] + bytes(length) + data[offset:], small) == set()


def test_a_chunk_that_is_there_twice(target: Path, mixed: Recording):
    data = write(mixed)
    offsets = block_offsets(data)
    twice = data[: offsets[3]] + data[offsets[1] : offsets[2]] + data[offsets[3] :]
    assert check_bytes(target, twice, mixed) == set()
    blocks = split(data)
    target.write_bytes(join([*blocks[:2], *blocks[1:]]))
    with pytest.raises(ContainerError, match="more chunks than the header announces"):
        EegzReader(target)


@pytest.mark.parametrize("index", [False, True])
def test_chunks_that_changed_places(target: Path, mixed: Recording, index: bool):
    blocks = split(write(mixed))
    blocks[1], blocks[2] = blocks[2], blocks[1]
    # A scan goes by the chunks' own numbers; an index that contradicts them is not believed.
    wanted = all_of(mixed, 0, 1) if index else set()
    assert check_bytes(target, join(blocks, index=index), mixed) == wanted


@pytest.mark.parametrize("index", [False, True])
def test_a_chunk_of_a_recording_of_another_layout(target: Path, mixed: Recording, index: bool):
    other = build_recording(build_header(n_records=8, chunk_records=4), 9)
    blocks = split(write(mixed))
    blocks[2] = split(write(other))[2]
    assert check_bytes(target, join(blocks, index=index), mixed) == all_of(mixed, 1)


class TestBlocksOfAnotherFile:
    """Two recordings of one layout, as a night has many; only the EDF header tells them apart."""

    @pytest.fixture
    def twins(self) -> tuple[Recording, Recording]:
        groups = (Group(samples=64, hop=16, size=1024, scaling=ScalingKind.FIXED),)
        headers = [build_header(groups, (8,), edf_header=name, n_records=9, trailing_bytes=4) for name in (b"A", b"B")]
        first, second = build_recording(headers[0], 1), build_recording(headers[1], 2)
        assert len(write(first)) == len(write(second))
        assert block_offsets(write(first)) == block_offsets(write(second))
        return first, second

    def test_end_to_end(self, target: Path, twins):
        first, second = twins
        assert check_bytes(target, write(first) + write(second), first) == set()

    def test_every_resumed_download(self, target: Path, twins):
        """The beginning of one file and the rest of the other, as ``curl -C -`` makes of a file that was replaced."""
        first, second = twins
        one, two = write(first), write(second)
        head_end, chunk_ends = block_offsets(one)[1], block_offsets(one)[2:5]
        for cut in range(head_end, len(one)):
            lost = check_bytes(target, one[:cut] + two[cut:], first)
            whole = sum(end <= cut for end in chunk_ends)
            assert lost >= all_of(first, *range(whole + 1, 3))
            assert lost <= all_of(first, *range(whole, 3)) | {"trailing"}

    def test_every_sector_that_was_mixed_up(self, target: Path, twins):
        first, second = twins
        one, two = write(first), write(second)
        for size in (16, 32, 64):
            for start in range(block_offsets(one)[1], len(one), size // 2):
                mixed_up = one[:start] + two[start : start + size] + one[start + size :]
                assert len(check_bytes(target, mixed_up, first)) <= 4

    @pytest.mark.parametrize("index", [False, True])
    @pytest.mark.parametrize("block", [1, 2, 3])
    def test_a_chunk(self, target: Path, twins, index: bool, block: int):
        first, second = twins
        one, two = write(first), write(second)
        offsets = block_offsets(one)
        begin, end = offsets[block], offsets[block + 1]
        data = one[:begin] + two[begin:end] + one[end:]
        assert check_bytes(target, data if index else data[: offsets[-1]], first) == all_of(first, block - 1)

    def test_within_the_trailing_bytes(self, target: Path, twins):
        """A recording that ends with a whole .eegz file: none of its blocks are found when ours are damaged."""
        inner = write(twins[1])
        header = build_header(
            (Group(samples=64, hop=16, size=1024, scaling=ScalingKind.FIXED),), (8,), trailing_bytes=len(inner)
        )
        outer = build_recording(header, 3)
        blocks = split(write(outer))
        tail = next(number for number, block in enumerate(blocks) if block.type == b"TAIL")
        stored = b"\x28\xb5\x2f\xfd\xa0" + len(inner).to_bytes(4, "little")
        stored += (len(inner) << 3 | 1).to_bytes(3, "little") + inner  # one raw block: the file lies there in plain
        blocks[tail] = Block(b"TAIL", bytes(8) + stored)
        outer = dataclasses.replace(outer, trailing=inner)
        data = bytearray(join(blocks))
        assert check_bytes(target, bytes(data), outer) == set()
        data[block_offsets(bytes(data))[tail]] ^= 1
        data = data[:-1]
        assert check_bytes(target, bytes(data), outer) == {"trailing"}


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ("CR LF to LF", lambda data: data.replace(b"\r\n", b"\n")),
        ("LF to CR LF", lambda data: data.replace(b"\n", b"\r\n")),
        ("cut at the DOS end of file, then to LF", lambda data: data.replace(b"\r\n", b"\n").split(b"\x1a")[0]),
        ("7 bits", lambda data: bytes(byte & 0x7F for byte in data)),
        ("Latin-1 to UTF-8", lambda data: data.decode("latin-1").encode()),
        ("invalid UTF-8 replaced", lambda data: data.decode("utf-8", "replace").encode()),
    ],
)
def test_a_transfer_in_text_mode_is_called_that(target: Path, mixed: Recording, how: str, change):
    target.write_bytes(change(write(mixed)))
    with pytest.raises(ContainerError, match="as a transfer in text mode does: copy the original again in binary mode"):
        EegzReader(target)


def test_random_damage(target: Path, mixed: Recording):
    """Several wounds at once: overwritten, removed and inserted stretches anywhere after the header."""
    data = write(mixed)
    head_end = block_offsets(data)[1]
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 6)):
            where = int(rng.integers(head_end, len(damaged)))
            length = int(rng.integers(1, 60))
            kind = rng.integers(3)
            junk = rng.integers(0, 256, length).astype(np.uint8).tobytes()
            damaged[where : where + (0 if kind == 1 else length)] = b"" if kind == 2 else junk
        lost = check_bytes(target, bytes(damaged), mixed)
        outcomes.add(len(lost))
    assert len(outcomes) > 5


def test_random_files(target: Path):
    """Noise behind a valid signature, sync marks and intact block headers included."""
    others = set()
    rng = np.random.default_rng(1)
    for _ in range(300):
        noise = rng.integers(0, 256, int(rng.integers(0, 400))).astype(np.uint8).tobytes()
        kinds = [b"HEAD", b"CHNK", b"TAIL", b"SUMM", b"INDX", b"WHAT"]
        forged = [Block(kinds[rng.integers(6)], noise[: int(rng.integers(0, 90))]).pack(0, n) for n in range(4)]
        target.write_bytes(layout.pack_signature() + b"".join(forged) + noise)
        with pytest.raises(EegzipError, match=r"recording under test\.eegz") as caught:
            EegzReader(target)
        others.add(str(caught.value).removeprefix(f"{target}: ")[:18])
    assert others == {"the header block i", "the header is not "}


def test_a_long_file_outlives_its_header_block(target: Path):
    long = build_recording(build_header((Group(codebooks=9),), (128,), n_records=1500, chunk_records=50), 5)
    data = bytearray(write(long))
    heads = [place for place in range(len(data)) if data[place : place + 8] == b"\xe5BLKHEAD"]
    assert len(heads) == 2
    for damaged in (heads[0] + 5, heads[0] + 40, heads[1] + 5, heads[1] + 40):
        broken = bytearray(data)
        broken[damaged] ^= 0x10
        assert check_bytes(target, bytes(broken), long) == set()
        with EegzReader(target) as file:
            assert [problem for _, problem in file.verify_blocks() if problem] or file.problems
