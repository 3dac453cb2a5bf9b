"""The sealed files that version 1.7 wrote open in every later version, and for a reader written from SPEC.md alone."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest
from second_reader import SecondReader, SpecError, UnknownFeatureError

import eegzip

pytest.importorskip("cryptography")

from second_seal import SealedReader, Seals, within

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS / "golden"))
from make_sealed import KEY, PASSPHRASE  # noqa: E402

GOLDEN = TESTS / "golden" / "v1.7" / "sealed"
ORIGINAL = (GOLDEN / "original.edf").read_bytes()
IDENTITY, ALL = ((GOLDEN / name).read_bytes() for name in ("identity.eegz", "all.eegz"))


def test_both_readers_restore_the_original(tmp_path: Path) -> None:
    assert SealedReader(IDENTITY, KEY).recording() == ORIGINAL
    assert SealedReader(IDENTITY, KEY).head["source_sha256"] == hashlib.sha256(ORIGINAL).hexdigest()
    assert SecondReader(within(ALL, PASSPHRASE)).recording() == ORIGINAL
    for name, key in (("identity", KEY), ("all", PASSPHRASE)):
        eegzip.decompress(GOLDEN / f"{name}.eegz", tmp_path / name, key=key)
        assert (tmp_path / name).read_bytes() == ORIGINAL
        assert IDENTITY[10] == ALL[10] == 7


def test_a_reader_of_earlier_versions_restores_a_recording_of_nobody(tmp_path: Path) -> None:
    nobody = SecondReader(IDENTITY).recording()
    eegzip.decompress(GOLDEN / "identity.eegz", tmp_path / "nobody.edf")
    assert (tmp_path / "nobody.edf").read_bytes() == nobody
    assert hashlib.sha256(nobody).hexdigest() == SecondReader(IDENTITY).head["source_sha256"]
    words = set(re.findall(rb"[A-Za-z_]{4,}", ORIGINAL)) - set(re.findall(rb"[A-Za-z_]{4,}", nobody))
    assert b"Haagse_Harry" in words
    with pytest.raises(UnknownFeatureError):
        SecondReader(ALL, scan=True)


def test_nothing_opens_in_another_place() -> None:
    reader = SecondReader(IDENTITY)
    lock = next(payload for kind, payload in _blocks() if kind == "SEAL")
    from second_reader import unmap

    seals = Seals(unmap(lock[1:]), KEY)
    streams = {number: chunk[18, 2] for number, chunk in reader.chunks.items()}
    assert len(streams) == 3
    for number, stream in streams.items():
        seals.open(b"TEXT", number * 65536 + 2, stream)
        for kind, index in ((b"TEXT", number * 65536 + 1), (b"TEXT", 65536 * (number + 1) + 2), (b"TAIL", number)):
            with pytest.raises(SpecError):
                seals.open(kind, index, stream)


def _blocks() -> list[tuple[str, bytes]]:
    from second_reader import blocks_by_index

    return blocks_by_index(IDENTITY)
