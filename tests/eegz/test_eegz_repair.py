"""Damaged containers made sound again; what can't be mended is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import Group, build_header, build_recording, check_bytes, join, split, write

from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ContainerError
from eegzip.repairing import repair


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    return tmp_path / "damaged.eegz"


def mended(damaged: Path, data: bytes, target: Path):
    damaged.write_bytes(data)
    return repair(damaged, target, overwrite=True)


@pytest.mark.parametrize("what", ["signature", "trailer", "index", "first header", "order", "junk between"])
def test_the_container_is_made_sound(what, damaged, target):
    header = build_header((Group(codebooks=9),), (128,), n_records=1500, chunk_records=150, trailing_bytes=9)
    recording = build_recording(header, 3)
    data = bytearray(write(recording))
    blocks = split(bytes(data))
    assert sum(block.type == b"HEAD" for block in blocks) == 2, "the file is long enough for a copy of its header"
    if what == "signature":
        data[3] ^= 1
    elif what == "trailer":
        del data[-16:]
    elif what == "index":
        data[-40] ^= 1
    elif what == "first header":
        data[100] ^= 1
    elif what == "order":
        chunks = [block for block in blocks if block.type == b"CHNK"]
        others = [block for block in blocks if block.type != b"CHNK"]
        data = bytearray(join([others[0], *chunks[::-1], *others[1:]], index=False))
    else:
        first = split(bytes(data))[0]
        place = 16 + 32 + len(first.payload)
        data[place:place] = b"junk"
    report = mended(damaged, bytes(data), target)
    assert report.remaining == ()
    assert (report.chunks, report.missing) == (10, 0)
    assert report.repaired or what == "order"
    with EegzReader(target) as reader:
        assert reader.complete
        assert reader.problems == []
        assert all(problem is None for _, problem in reader.verify_blocks())
    assert check_bytes(target, target.read_bytes(), recording) == set()


def test_what_is_lost_stays_lost_and_the_rest_is_there(damaged, target, mixed):
    blocks = split(write(mixed))
    damaged_chunk = bytearray(write(mixed))
    place = bytes(damaged_chunk).index(blocks[2].payload)
    damaged_chunk[place + len(blocks[2].payload) - 1] ^= 1
    damaged_chunk[-20] ^= 1
    report = mended(damaged, bytes(damaged_chunk), target)
    assert report.remaining == ("the content of chunk 1 is damaged",)
    before = check_bytes(damaged, bytes(damaged_chunk), mixed)
    assert check_bytes(target, target.read_bytes(), mixed) == before != set()
    with EegzReader(target) as reader:
        assert reader.complete
    report = mended(damaged, join([*blocks[:2], *blocks[3:]], index=False), target)
    assert report.missing == 1
    with EegzReader(target) as reader:
        assert sorted(reader.chunks) == [0, 2]


def test_without_a_header_there_is_nothing_to_mend(damaged, target, mixed):
    data = bytearray(write(mixed))
    data[60] ^= 1
    with pytest.raises(ContainerError, match="the header block is missing"):
        mended(damaged, bytes(data), target)
    assert not target.exists()
