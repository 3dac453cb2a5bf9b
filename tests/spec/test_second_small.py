"""The small file that version 1.4 wrote is read by every later version, and by a reader written from SPEC.md alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from second_reader import DICTIONARY, SecondReader

import eegzip
from eegzip.formats.eegz import layout
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.packing import pack_map, unpack_map

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "v1.4" / "small.eegz"
SPEC = Path(__file__).resolve().parents[2] / "SPEC.md"


def test_it_is_the_original_byte_for_byte(tmp_path: Path) -> None:
    """The file carries the original's SHA-256, so the answer is not the code's own."""
    eegzip.decompress(GOLDEN, tmp_path / "back")
    back = (tmp_path / "back").read_bytes()
    with EegzReader(GOLDEN) as file:
        assert file.minor_version == 4
        assert file.block_header(file.blocks.head).flags == layout.CRITICAL | layout.DICTIONARY
        assert hashlib.sha256(back).hexdigest() == file.header.source_sha256
    for scan in (False, True):
        assert SecondReader(GOLDEN.read_bytes(), scan=scan).recording() == back


def test_the_dictionary_is_the_one_that_the_specification_names() -> None:
    text = SPEC.read_text(encoding="utf-8")
    assert hashlib.sha256(DICTIONARY.read_bytes()).hexdigest() in text
    assert f"the {DICTIONARY.stat().st_size} bytes of" in text


def test_maps_with_and_without_it_are_told_apart() -> None:
    content = {"software": "eegzip 0.1.0", "n_records": 60, "signals": [{"label": "EEG Cz", "prd": None}]}
    small, plain = pack_map(content, small=True), pack_map(content)
    assert len(small) < len(plain)
    assert (small[0], plain[0]) == (1, 0x28)
    assert unpack_map(small, "it") == unpack_map(plain, "it") == content
    for damaged in (b"\x01", small[1:], b"\x01" + small, b"\x01" + plain[:-1], b"\x02" + plain):
        with pytest.raises(eegzip.ContainerError):
            unpack_map(damaged, "it")
