"""Files made to hurt: each ends in one sentence that names the file, and takes no memory on the way."""

from __future__ import annotations

import copy
import os

import numpy as np
import pytest
import zstandard
from hostility import bomb, memory_below, refused
from synthetic import (
    Block,
    Group,
    build_header,
    build_recording,
    check,
    check_bytes,
    join,
    seed_of,
    split,
    write,
)

from eegzip.formats import limits, packing
from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import StreamKind, pack_chunk
from eegzip.formats.eegz.knots import encode_knots
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import pack_map, unpack_map, zstd_compress


class TestUnknownBlocksAndFlags:
    @pytest.mark.parametrize("index", [False, True])
    @pytest.mark.parametrize("place", range(1, 7))
    def test_an_unknown_block_is_skipped(self, target, mixed, index, place):
        blocks = split(write(mixed))
        blocks.insert(place, Block(b"NEWS", b"of a later version", 0x8000))
        data = join(blocks, index=index)
        assert check_bytes(target, data, mixed) == set()
        with EegzReader(target) as file:
            assert file.complete is index

    @pytest.mark.parametrize("index", [False, True])
    @pytest.mark.parametrize("place", [1, 2, 6])
    def test_an_unknown_critical_block_is_refused(self, target, mixed, index, place):
        blocks = split(write(mixed))
        blocks.insert(place, Block(b"NEWS", b"of a later version", layout.CRITICAL))
        refused(target, join(blocks, index=index), "the block 'NEWS' at byte .* must be understood.*newer eegzip")

    @pytest.mark.parametrize("index", [False, True])
    @pytest.mark.parametrize("flag", [0x08, 0x20, 0x40])
    def test_an_unknown_critical_flag_of_the_header_is_refused(self, target, mixed, index, flag):
        blocks = split(write(mixed))
        blocks[0] = Block(b"HEAD", blocks[0].payload, layout.CRITICAL | flag)
        refused(target, join(blocks, index=index), "'HEAD' at byte 16 must be understood")

    @pytest.mark.parametrize("index", [False, True])
    @pytest.mark.parametrize("flag", [0x02, 0x04])
    def test_an_unknown_critical_flag_of_a_chunk_costs_that_chunk(self, target, mixed, index, flag):
        blocks = split(write(mixed))
        blocks[2] = Block(b"CHNK", blocks[2].payload, flag)
        lost = check_bytes(target, join(blocks, index=index), mixed)
        assert {item[1] for item in lost} == {1}
        assert len(lost) == 3 + 1 + 3

    def test_flags_that_may_be_ignored_are(self, target, mixed):
        blocks = [Block(block.type, block.payload, block.flags | 0xFF00) for block in split(write(mixed))]
        assert check_bytes(target, join(blocks), mixed) == set()

    @pytest.mark.parametrize("index", [False, True])
    def test_a_block_before_the_header_changes_nothing(self, target, mixed, index):
        head, *others = split(write(mixed))
        news = Block(b"NEWS", b"of a later version").pack(seed_of([head]))
        data = join([head, *others], index=index)
        assert check_bytes(target, data[:16] + news + data[16:], mixed) == set()

    def test_damage_to_an_unknown_block_costs_nothing(self, target, mixed):
        blocks = split(write(mixed))
        blocks.insert(2, Block(b"NEWS", b"of a later version"))
        data = join(blocks)
        place = data.index(b"NEWS")
        for offset in (place, place + 40):
            damaged = bytearray(data)
            damaged[offset] ^= 1
            assert check_bytes(target, bytes(damaged), mixed) == set()
            with EegzReader(target) as file:
                assert sum(problem is not None for _, problem in file.verify_blocks()) == 1

    def test_unknown_streams_and_fields_are_skipped(self, target, mixed):
        blocks = split(write(mixed))
        content = unpack_map(blocks[0].payload, "it")
        content["later"] = {"a": [1, 2, None]}
        content["signals"][0]["later"] = 1
        blocks[0] = Block(b"HEAD", pack_map(content), layout.CRITICAL)
        streams: dict[tuple[int, int], bytes] = {(9, 9): b"later", (StreamKind.TOKENS, 99): b"?"}
        target.write_bytes(write(mixed))
        with EegzReader(target) as file:
            for key in file.directory(0).streams:
                streams[key] = file._stream(0, *key)
        blocks[1] = Block(b"CHNK", pack_chunk(0, 0, 4, streams, 0))
        assert check_bytes(target, join(blocks), mixed) == set()


class TestBombs:
    """`limits`: sizes are checked before memory is taken."""

    @pytest.mark.parametrize("size", [limits.MAX_HEADER_BYTES + 1, 1 << 40, (1 << 64) - 3])
    @pytest.mark.parametrize("index", [False, True])
    def test_a_header_that_declares_a_terabyte(self, target, size, index):
        data = join([Block(b"HEAD", bomb(size), layout.CRITICAL)], index=index)
        with memory_below(1 << 20):
            refused(target, data, f"declares {size} bytes, more than the {limits.MAX_HEADER_BYTES} allowed")

    def test_a_header_without_content_size(self, target):
        frame = zstandard.ZstdCompressor(write_content_size=False).compress(b"\x80")
        refused(target, join([Block(b"HEAD", frame, layout.CRITICAL)]), "the header declares -1 bytes")

    def test_a_header_that_is_no_zstd(self, target):
        for payload in (b"", b"\x28\xb5", b"plain bytes"):
            refused(target, join([Block(b"HEAD", payload, layout.CRITICAL)]), "not a zstd frame")

    @pytest.mark.parametrize(
        ("name", "raw"),
        [
            ("list of 2**32", b"\xdd\xff\xff\xff\xff"),
            ("map of 2**32", b"\xdf\xff\xff\xff\xff"),
            ("text of 2**32", b"\x81\xdb\xff\xff\xff\xff"),
            ("bytes of 2**32", b"\x81\xa1a\xc6\xff\xff\xff\xff"),
            ("lists of 2**32 within each other", b"\xdd\xff\xff\xff\xff" * 500),
            ("lists of 2**20 within each other", b"\xdd\x00\x0f\xff\xff" * 500),
            ("100000 deep", b"\x91" * 100_000),
            ("maps 100000 deep", b"\x81\xa1a" * 100_000),
            ("lists side by side", b"\xdd\x00\x10\x00\x00" + b"\x90" * (1 << 20)),
            ("millions of empty lists", b"\xdd\x03\x00\x00\x00" + b"\x90" * (3 << 24)),
            ("reserved type", b"\xc1"),
            ("extension", b"\xc7\xff\x05"),
            ("nothing", b""),
        ],
    )
    @pytest.mark.parametrize("kind", ["header", "summary", "index"])
    def test_msgpack(self, target, mixed, name, raw, kind):
        payload = zstd_compress(raw, 1)
        blocks = split(write(mixed))
        with memory_below(len(raw) + (24 << 20)):
            if kind == "header":
                refused(target, join([Block(b"HEAD", payload, layout.CRITICAL)]), "the header ")
            elif kind == "summary":
                blocks[-1] = Block(b"SUMM", payload)
                assert check_bytes(target, join(blocks), mixed) == set()
                with EegzReader(target) as file:
                    assert file.summary is None
                    assert any("the summary is damaged" in problem for problem in file.problems)
            else:
                data = join(blocks, index=False)
                forged = data + Block(b"INDX", payload).pack(seed_of(blocks), 9) + layout.pack_trailer(len(data))
                refused(target, forged, "the index ")

    def test_msgpack_of_many_small_lists(self, target, monkeypatch):
        """200 kiB of empty maps, 1023 to a list, would take 13 MiB as Python objects. The format allows ten times as
        many values as here, whose walk takes ten seconds while memory is watched."""
        monkeypatch.setattr(packing, "MAX_OBJECTS", packing.MAX_OBJECTS // 10)
        raw = b"\xdc\x00\xc8" + (b"\xdc\x03\xff" + b"\x80" * 1023) * 200
        data = join([Block(b"HEAD", zstd_compress(raw, 1), layout.CRITICAL)])
        with memory_below(len(raw) + (2 << 20)):
            refused(target, data, "the header holds more values, or deeper ones, than the format allows")

    @pytest.mark.parametrize("size", [1 << 40, (1 << 64) - 3, 0])
    def test_streams_that_declare_a_terabyte(self, target, size):
        recording = build_recording(build_header((Group(),), (16,), trailing_bytes=10), 3)
        blocks = split(write(recording))
        streams = {
            (StreamKind.KNOTS, 0): b"\x01" + bomb(size),
            (StreamKind.TOKENS, 0): b"\x01" + bomb(size),
            (StreamKind.EXACT, 1): b"\x02\x01\x01" + bomb(size),
        }
        blocks[1] = Block(b"CHNK", pack_chunk(0, 0, 3, streams, 0))
        streams[StreamKind.TOKENS, 0] = b"\x02" + bomb(size)
        streams[StreamKind.EXACT, 1] = b"\x01" + bomb(size)
        blocks[2] = Block(b"CHNK", pack_chunk(1, 3, 3, streams, 0))
        tail = next(number for number, block in enumerate(blocks) if block.type == b"TAIL")
        blocks[tail] = Block(b"TAIL", bytes(8) + bomb(size))
        with memory_below(4 << 20):
            lost = check_bytes(target, join(blocks), recording)
        chunks = {(kind, chunk, number) for chunk in (0, 1) for kind, number in (("tokens", 0), ("exact", 1))}
        assert lost == chunks | {("knots", 0), ("knots", 1), "trailing"}

    def test_streams_with_the_right_size_but_no_content(self, target):
        """A frame that declares what belongs, but is empty: the error is the frame's, not a wrong sample."""
        recording = build_recording(build_header((Group(),), (16,)), 3)
        blocks = split(write(recording))
        tokens = recording.chunk_tokens(0, 0).size
        frame = bomb(tokens + -(-tokens * 2 // 8))
        streams = {
            (StreamKind.KNOTS, 0): encode_knots(recording.chunk_knots(0)),
            (StreamKind.TOKENS, 0): b"\x01" + frame,
            (StreamKind.EXACT, 1): b"\x01" + bomb(3 * 16 * 2),
        }
        blocks[1] = Block(b"CHNK", pack_chunk(0, 0, 3, streams, 0))
        assert check_bytes(target, join(blocks), recording) == {("tokens", 0, 0), ("exact", 0, 1)}

    def test_a_directory_that_declares_gigabytes(self, target, bdf):
        blocks = split(write(bdf))
        blocks[1] = Block(b"CHNK", b"\xff" * 8)
        with memory_below(1 << 20):
            lost = check_bytes(target, join(blocks), bdf)
        assert {item[1] for item in lost} == {0}

    def test_a_sparse_file_whose_index_is_huge(self, target):
        huge = 400 << 20
        head = Block(b"HEAD", b"", 1)
        with target.open("wb") as file:
            file.write(layout.pack_signature() + head.pack(0))
            file.write(layout.BlockHeader(b"INDX", 0, 1, huge, 0).pack(seed_of([head])))
            file.seek(16 + 64 + huge)
            file.write(layout.pack_trailer(48))
        with memory_below(8 << 20), pytest.raises(ContainerError, match="the header is not a zstd frame"):
            EegzReader(target)

    def test_a_sparse_file_whose_header_is_huge(self, target):
        huge = 400 << 20
        with target.open("wb") as file:
            file.write(layout.pack_signature() + layout.BlockHeader(b"HEAD", 1, 0, huge, 0).pack(0))
            file.seek(16 + 32 + huge - 1)
            file.write(b"\0")
        with memory_below(8 << 20), pytest.raises(ContainerError, match="header block is missing or damaged"):
            EegzReader(target)

    @pytest.mark.parametrize("length", [1 << 31, 1 << 62, (1 << 64) - 1])
    def test_a_block_longer_than_the_file_or_the_limit(self, target, mixed, length):
        data = write(mixed)
        cut = split(data)
        forged = layout.BlockHeader(b"CHNK", 0, 9, length, 0).pack(seed_of(cut))
        whole = join(cut, index=False)
        with memory_below(8 << 20):
            assert check_bytes(target, whole + forged, mixed) == set()

    @pytest.mark.parametrize("offset", [0, 15, 17, 1 << 62, (1 << 64) - 1])
    def test_a_trailer_that_points_elsewhere(self, target, mixed, offset):
        data = write(mixed)[:-16] + layout.pack_trailer(offset)
        assert check_bytes(target, data, mixed) == set()

    def test_an_index_that_lists_other_blocks(self, target, mixed):
        blocks = split(write(mixed))
        data = join(blocks, index=False)
        lengths = [len(block.payload) for block in blocks]
        types = [block.type for block in blocks]
        for first, wrong, kinds in (
            (17, lengths, types),
            (16, [*lengths[:-1], lengths[-1] + 1], types),
            (16, lengths[:-1], types),
            (16, lengths[:-1], types[:-1]),
            (16, [], []),
        ):
            index = pack_map({"types": b"".join(kinds), "first_offset": first, "lengths": wrong})
            refused(
                target,
                data + Block(b"INDX", index).pack(seed_of(blocks), 9) + layout.pack_trailer(len(data)),
                "the index ",
            )
        # Lengths that add up but lie within: the blocks are where they are not.
        swapped = [lengths[0], lengths[1] + 1, lengths[2] - 1, *lengths[3:]]
        index = pack_map({"types": b"".join(types), "first_offset": 16, "lengths": swapped})
        forged = data + Block(b"INDX", index).pack(seed_of(blocks), 9) + layout.pack_trailer(len(data))
        lost = check_bytes(target, forged, mixed)
        assert {item[1] for item in lost} == {0, 1}

    def test_a_summary_about_other_signals(self, target, mixed):
        content = copy.deepcopy(unpack_map(mixed.summary.pack(), "it"))
        content["signals"].pop()
        blocks = split(write(mixed))
        blocks[-1] = Block(b"SUMM", pack_map(content))
        target.write_bytes(join(blocks))
        with EegzReader(target) as file:
            assert file.summary is None
            assert any("another number of signals" in problem for problem in file.problems)
            assert check(file, mixed) == set()

    @pytest.mark.parametrize("number", [2, 1 << 39, (1 << 64) - 1])
    @pytest.mark.parametrize("index", [False, True])
    def test_a_chunk_that_claims_to_be_elsewhere(self, target, bdf, number, index):
        blocks = split(write(bdf))
        blocks[1] = Block(b"CHNK", pack_chunk(number, 0, 2, {}, 0))
        lost = check_bytes(target, join(blocks, index=index), bdf)
        assert {item[1] for item in lost} == {0}

    @pytest.mark.parametrize("records", [(0, 1), (1, 2), (0, 3), (2**63, 2)])
    @pytest.mark.parametrize("index", [False, True])
    def test_a_chunk_of_other_records(self, target, bdf, records, index):
        blocks = split(write(bdf))
        blocks[1] = Block(b"CHNK", pack_chunk(0, *records, {}, 0))
        lost = check_bytes(target, join(blocks, index=index), bdf)
        assert {item[1] for item in lost} == {0}


def test_many_tiny_blocks_and_sync_marks_do_not_hang(target, bdf):
    """Linear work: a megabyte of sync marks, of empty blocks, and of block headers that lead nowhere."""
    data = write(bdf)
    blocks, seed = join(split(data), index=False), seed_of(split(data))
    empty = Block(b"NEWS", b"").pack(seed)
    nowhere = layout.BlockHeader(b"CHNK", 0, 0, 1 << 29, 0).pack(seed)
    for junk in (layout.SYNC * 50_000, empty * 5_000, nowhere * 5_000):
        with memory_below(32 << 20):
            assert check_bytes(target, blocks + junk, bdf) == set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits memory the POSIX way")
def test_under_a_hard_memory_limit(target, mixed):
    """The same once more where the operating system counts: 64 MiB above what the interpreter holds."""
    import subprocess
    import sys

    target.write_bytes(join([Block(b"HEAD", bomb(1 << 40), layout.CRITICAL)]))
    other = target.with_name("nested.eegz")
    nested = b"\xdd\x00\x1f\xff\xff" * 1000
    other.write_bytes(join([Block(b"HEAD", zstd_compress(nested, 1), layout.CRITICAL)]))
    third = target.with_name("zeros.eegz")
    third.write_bytes(join([Block(b"HEAD", zstd_compress(np.zeros(60 << 20, np.uint8).tobytes(), 1), layout.CRITICAL)]))
    code = """
import resource, sys
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (160 << 20),) * 2)
for name in sys.argv[1:]:
    try:
        EegzReader(name)
    except ContainerError as error:
        print(error)
"""
    result = subprocess.run(
        [sys.executable, "-I", "-c", code, str(target), str(other), str(third)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line.split(": ", 1)[0] for line in lines] == [str(target), str(other), str(third)]
