"""Signals predicted by blocks, which version 1.7 added, are the original for every later version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import eegzip
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.reader import EegzReader

FOLDER = Path(__file__).parent / "v1.7" / "levels"
LEVELS = {"exact-1": 1, "exact-5": 5, "exact24-3": 3}


def test_files_are_small_and_of_this_version() -> None:
    assert {path.stem for path in FOLDER.glob("*.eegz")} == set(LEVELS)
    for path in FOLDER.glob("*.eegz"):
        assert path.stat().st_size < 40_000
        assert path.read_bytes()[9:11] == bytes([1, 7])


@pytest.mark.parametrize("name", LEVELS)
def test_they_are_the_original_byte_for_byte(name: str, tmp_path: Path) -> None:
    """The file carries the original's SHA-256, so the answer is not the code's own."""
    path = FOLDER / f"{name}.eegz"
    eegzip.decompress(path, tmp_path / "back")
    back = (tmp_path / "back").read_bytes()
    with EegzReader(path) as file:
        assert file.header.level == LEVELS[name]
        assert hashlib.sha256(back).hexdigest() == file.header.source_sha256
        methods = set()
        for chunk, place in file.chunks.items():
            payload, entries = file.payload(place), file.directory(chunk).streams.values()
            methods |= {payload[entry.offset] for entry in entries if entry.kind == StreamKind.EXACT}
        assert 4 in methods
