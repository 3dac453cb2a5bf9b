"""What is sealed comes back with the key, is not there without it, and can't be changed, moved, dropped or replayed."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from api.recordings import SHIPPED
from sealed import KEY, Block, blocks_of, flipped, forged

import eegzip
from eegzip.formats.eegz import layout, sealed_file
from eegzip.formats.eegz.chunk import StreamKind
from eegzip.formats.eegz.keys import MAX_COST, Key
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError, ContainerError, SealedError, UsageError
from eegzip.formats.packing import pack_map, unpack_map

pytest.importorskip("cryptography")

SEALED_TEXT = (StreamKind.SEALED_EXACT, 2)
RECORDING = SHIPPED / "edf" / "annotation_texts.edf"
PATIENT = b"MCH-0234567 F 02-MAY-1951 Smith_Jane"
TRAILING = b"trailing words of Mrs Smith" * 4


def sealed(source: Path | bytes, encrypt: str, **options) -> bytes:
    out = io.BytesIO()
    eegzip.compress(source, out, lossless=True, encrypt=encrypt, key=KEY, **options)
    return out.getvalue()


def restored(data: bytes, **options) -> bytes:
    out = io.BytesIO()
    eegzip.decompress(data, out, **options)
    return out.getvalue()


def intact(data: bytes) -> bool:
    """What `verify` says with the key, where it can say anything."""
    try:
        return eegzip.verify(data, key=KEY).intact
    except ContainerError:
        return False


@pytest.fixture(scope="module")
def original() -> bytes:
    """Twelve records with patient, annotations, and something behind the last record."""
    data = RECORDING.read_bytes()
    return data[:8] + PATIENT.ljust(80) + data[88:168] + b"02.03.1914.15.16" + data[184:] + TRAILING


@pytest.fixture(scope="module")
def identity(original: bytes) -> bytes:
    """It, its identity sealed, in chunks of four records."""
    return sealed(original, "identity", chunk_seconds=4)


@pytest.fixture(scope="module")
def twin(original: bytes) -> bytes:
    """Another file of it, by the same key."""
    return sealed(original, "identity", chunk_seconds=4)


class TestIdentity:
    def test_with_the_key_all_comes_back(self, identity, original):
        assert restored(identity, key=KEY) == original
        found = eegzip.verify(identity, key=KEY, deep=True)
        assert found.intact
        assert not found.unchecked
        with EegzReader(identity, key=KEY) as reader:
            assert reader.header.source_sha256 == hashlib.sha256(original).hexdigest()
            assert reader.summary.original_bytes == len(original)

    def test_without_it_signals_do_and_nothing_else(self, identity, original):
        anonymous = restored(identity)
        assert len(anonymous) == len(original) - len(TRAILING)
        with eegzip.open(identity) as opened, eegzip.open(identity, key=KEY) as whole:
            assert not opened.annotations
            assert len(whole.annotations) == 14
            assert (opened.record_onsets == whole.record_onsets).all()
            assert (opened.read() == whole.read()).all()
            assert opened.info["locked"]
            assert opened.info["patient"] != whole.info["patient"]
            assert whole.info["start"] != opened.info["start"] == "1985-01-01T00:00:00"
            texts = [annotation.text for annotation in whole.annotations if len(annotation.text) > 3]
        for text in (*texts, "Smith"):
            assert text.encode() not in anonymous
        found = eegzip.verify(identity, deep=True)
        assert found.intact
        assert "no key" in found.unchecked[0]

    def test_a_reader_of_an_earlier_version_finds_a_file_of_nobody(self, identity):
        """Nothing of it is critical: what is new is in blocks, fields and kinds that readers skip."""
        blocks = blocks_of(identity)
        assert {block.kind for block in blocks if block.flags & layout.CRITICAL} == {layout.HEAD}
        plain = forged(
            identity,
            lambda found: [
                found.remove(block) if block.kind == layout.SEAL else (block.streams or {}).pop(SEALED_TEXT, None)
                for block in list(found)
            ],
        )
        assert restored(plain) == restored(identity)

    def test_tokens_are_read_without_the_key(self, original, tmp_path):
        source, path = tmp_path / "a.edf", tmp_path / "a.eegz"
        source.write_bytes(original)
        os.utime(source, (0, 0))
        eegzip.compress(source, path, encrypt="identity", key=KEY, codebooks=4)
        with eegzip.open(path) as opened, eegzip.open(path, key=KEY) as whole:
            assert len(opened.tokens()) == 2
            for one, other in zip(opened.tokens(), whole.tokens(), strict=True):
                assert (one.codes == other.codes).all()
            with pickle.loads(pickle.dumps(whole)) as again:
                assert len(again.annotations) == 14
        # The file does not keep the time of its source, which may tell the day.
        assert path.stat().st_mtime > 1e9


def _first(blocks: list[Block], kind: bytes, number: int = 0) -> Block:
    return [block for block in blocks if block.kind == kind][number]


def _swap_texts(blocks: list[Block]) -> None:
    one, other = _first(blocks, layout.CHUNK), _first(blocks, layout.CHUNK, 1)
    one.streams[SEALED_TEXT], other.streams[SEALED_TEXT] = other.streams[SEALED_TEXT], one.streams[SEALED_TEXT]


def _change_text(blocks: list[Block]) -> None:
    chunk = _first(blocks, layout.CHUNK)
    chunk.streams[SEALED_TEXT] = flipped(chunk.streams[SEALED_TEXT], 3)


def _drop_text(blocks: list[Block]) -> None:
    del _first(blocks, layout.CHUNK, 2).streams[SEALED_TEXT]


def _cut_text(blocks: list[Block]) -> None:
    chunk = _first(blocks, layout.CHUNK)
    chunk.streams[SEALED_TEXT] = chunk.streams[SEALED_TEXT][:10]


def _change_identity(blocks: list[Block]) -> None:
    block = _first(blocks, layout.SEAL)
    fields = unpack_map(block.payload[1:], "lock")
    block.payload = block.payload[:1] + pack_map({**fields, "sealed": flipped(fields["sealed"], 20)})


def _change_head(blocks: list[Block]) -> None:
    head = _first(blocks, layout.HEAD)
    content = unpack_map(head.payload, "head")
    content["signals"][0]["label"] = "EEG Fp2"
    head.payload = pack_map(content)


def _drop_identity(blocks: list[Block]) -> None:
    blocks.remove(_first(blocks, layout.SEAL))


def _change_piece(blocks: list[Block]) -> None:
    piece = _first(blocks, layout.SEAL, 1)
    piece.payload = flipped(piece.payload, 30)


def _drop_piece(blocks: list[Block]) -> None:
    blocks.remove(_first(blocks, layout.SEAL, 1))


CHANGES = [
    _swap_texts, _change_text, _drop_text, _cut_text, _change_identity, _change_head, _drop_identity, _change_piece,
    _drop_piece,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_a_changed_file_is_refused_with_the_key(identity, change: Callable[[list[Block]], None]):
    bad = forged(identity, change)
    with pytest.raises(ContainerError):
        restored(bad, key=KEY)
    assert not intact(bad)


def test_what_was_another_files_is_refused(identity, twin):
    """By the same key, of the same recording: a chunk's texts, the pieces, and the identity itself."""
    theirs = blocks_of(twin)

    def text(blocks: list[Block]) -> None:
        _first(blocks, layout.CHUNK).streams[SEALED_TEXT] = _first(theirs, layout.CHUNK).streams[SEALED_TEXT]

    def seal(number: int) -> Callable[[list[Block]], None]:
        def change(blocks: list[Block]) -> None:
            _first(blocks, layout.SEAL, number).payload = _first(theirs, layout.SEAL, number).payload

        return change

    for change in (text, seal(0), seal(1)):
        with pytest.raises(ContainerError, match=r"sealed|damaged"):
            restored(forged(identity, change), key=KEY)


def test_salvage_leaves_out_what_was_changed(identity, original):
    out = io.BytesIO()
    report = eegzip.decompress(forged(identity, _change_text), out, key=KEY, salvage=True)
    assert report.lost_records == ()
    assert [(lost.label, lost.records) for lost in report.lost_signals] == [("EDF Annotations", ((0, 3),))]
    records = len(out.getvalue()) - len(TRAILING)
    assert out.getvalue()[-records // 2 :] == original[-records // 2 :]


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of 512 bytes: a small file has many."""
    monkeypatch.setattr(sealed_file, "SEGMENT_BYTES", 512)
    monkeypatch.setattr(sealed_file, "_STORED", 528)


@pytest.fixture(scope="module")
def night() -> tuple[bytes, bytes]:
    """A recording of two segments of the real size, and its file."""
    source = SHIPPED / "edf" / "short_psg.edf"
    return source.read_bytes(), sealed(source, "all", chunk_seconds=60)


class TestAll:
    def test_only_the_key_opens_it(self, night):
        original, file = night
        assert restored(file, key=KEY) == original
        assert eegzip.verify(file, key=KEY, deep=True).intact
        with eegzip.open(file, key=KEY) as recording:
            assert recording.info["sealed"] == "all"
            assert recording.read("EEG*", start=30, stop=40).shape[1] == 1000
        for use in (eegzip.open, eegzip.verify, restored):
            with pytest.raises(SealedError, match="opens with a key only"):
                use(file)
            with pytest.raises(SealedError, match="does not open it"):
                use(file, key=bytes(32))
            with pytest.raises(SealedError, match="takes a key file"):
                use(file, key="a pass phrase")

    def test_nothing_is_in_the_open(self, night):
        original, file = night
        for text in (original[8:30].strip(), b"EEG Fpz-Cz", b"CHNK", b"INDX", b"SUMM"):
            assert text in original + b"CHNKINDXSUMM"
            assert text not in file

    def test_a_flip_anywhere_is_found_and_salvage_gets_the_rest(self, night):
        original, file = night
        with pytest.raises(ContainerError):
            restored(flipped(file, 70_000), key=KEY)
        out = io.BytesIO()
        report = eegzip.decompress(flipped(file, 70_000), out, key=KEY, salvage=True)
        assert report.lost_records
        assert out.getvalue()[:60_000] == original[:60_000]

    def test_a_file_cut_short_is_salvaged_up_to_there(self, night):
        original, file = night
        with pytest.raises(ContainerError):
            restored(file[:-20_000], key=KEY)
        out = io.BytesIO()
        report = eegzip.decompress(file[:-20_000], out, key=KEY, salvage=True)
        assert report.lost_records
        assert out.getvalue()[:60_000] == original[:60_000]

    @pytest.mark.usefixtures("small_segments")
    def test_segments_are_bound_to_their_places(self, original):
        file, other = (sealed(original, "all", chunk_seconds=4) for _ in range(2))
        head = int.from_bytes(file[32:40], "little")
        start = 16 + 32 + head
        segments = [file[place : place + 528] for place in range(start, len(file) - 32 - head, 528)]
        segments[-1] = segments[-1][: (len(file) - 32 - head - start) % 528]
        assert len(segments) > 5

        def with_segments(parts: list[bytes]) -> bytes:
            return file[:start] + b"".join(parts) + file[-32 - head :]

        assert with_segments(segments) == file
        theirs = other[start + 528 : start + 2 * 528]
        bad = {
            "swapped": [segments[1], segments[0], *segments[2:]],
            "replayed": [segments[0], segments[0], *segments[2:]],
            "dropped": segments[1:],
            "dropped within": segments[:2] + segments[3:],
            "another file's": [segments[0], theirs, *segments[2:]],
            "cut at a segment": segments[:-1],
            "cut within": [*segments[:-1], segments[-1][:-5]],
            "cut to nothing": [],
            "cut to a tag": [segments[0][:16]],
            "longer": [*segments, segments[-1]],
        }
        for name, parts in bad.items():
            data = with_segments(parts)
            assert not intact(data), name
            with pytest.raises(ContainerError):
                restored(data, key=KEY)

    @pytest.mark.usefixtures("small_segments")
    def test_every_cut_and_a_flip_of_every_byte_end_in_a_sentence(self, original):
        file = sealed(_few_records(original), "all")
        for stop in range(0, len(file), 61):
            with pytest.raises(BadInputError):
                restored(file[:stop], key=KEY)
        wrong = 0
        for place in range(0, len(file), 13):
            try:
                found = restored(flipped(file, place), key=KEY)
            except BadInputError:
                wrong += 1
            else:  # the lock at the beginning has its copy at the end, and the other way round
                assert found == _few_records(original)
        assert wrong > len(file) // 13 // 2

    def test_the_lock_is_there_twice(self, night):
        original, file = night
        for place in (16 + 40, len(file) - 10):
            bad = flipped(file, place)
            assert restored(bad, key=KEY) == original
            found = eegzip.verify(bad, key=KEY)
            assert not found.intact
            assert "lock" in found.problems[0]

    def test_it_is_repaired_with_the_key(self, night, tmp_path):
        original, file = night
        (tmp_path / "bad.eegz").write_bytes(flipped(file, 16 + 40))
        with pytest.raises(SealedError):
            eegzip.repair(tmp_path / "bad.eegz", tmp_path / "good.eegz")
        report = eegzip.repair(tmp_path / "bad.eegz", tmp_path / "good.eegz", key=KEY)
        assert report.repaired == ("the lock at the beginning is damaged",)
        assert not report.remaining
        good = (tmp_path / "good.eegz").read_bytes()
        assert restored(good, key=KEY) == original
        assert eegzip.verify(good, key=KEY).intact
        # Under another key of its own: no place is ever sealed twice under one.
        assert good[-2000:-1000] != file[-2000:-1000]


def _few_records(original: bytes) -> bytes:
    """A recording of one record."""
    header = int(original[184:192])
    size = (RECORDING.stat().st_size - header) // 12
    return original[:236] + b"1       " + original[244 : header + size]


def test_a_damaged_lock_has_a_copy_where_the_header_has_one(eegmat):
    """With the first of both gone, the second serves; with both gone, signals stay and the key is refused."""
    file = sealed(eegmat, "identity")
    locks = [place for place in range(len(file)) if file.startswith(layout.SYNC + layout.SEAL, place)]
    assert len(locks) == 2
    bad = flipped(file, locks[0] + 100)
    assert restored(bad, key=KEY) == eegmat.read_bytes()
    assert not eegzip.verify(bad, key=KEY).intact
    worse = flipped(bad, locks[1] + 100)
    with pytest.raises(ContainerError, match="identity is missing or damaged"):
        restored(worse, key=KEY)
    assert restored(worse) == restored(file)
    assert not eegzip.verify(worse).intact


def test_repair_of_a_sealed_identity_needs_no_key(identity, original, tmp_path):
    blocks = blocks_of(identity)
    (tmp_path / "bad.eegz").write_bytes(identity[:-40])
    report = eegzip.repair(tmp_path / "bad.eegz", tmp_path / "good.eegz")
    assert not report.remaining
    good = (tmp_path / "good.eegz").read_bytes()
    assert restored(good, key=KEY) == original
    assert good[10] == 7
    assert sum(block.kind == layout.SEAL for block in blocks_of(good)) == sum(b.kind == layout.SEAL for b in blocks)


class TestKeys:
    def test_a_pass_phrase_opens_it_however_letters_are_composed(self, original):
        out = io.BytesIO()
        eegzip.compress(original, out, lossless=True, encrypt="all", key="Schl\u00fcssel")
        assert restored(out.getvalue(), key="Schlu\u0308ssel") == original
        with pytest.raises(SealedError):
            restored(out.getvalue(), key="Schlussel")

    def test_a_lock_that_asks_for_too_much_is_refused(self, original):
        out = io.BytesIO()
        eegzip.compress(original, out, lossless=True, encrypt="identity", key="x")

        def asking(**changes: object) -> bytes:
            def change(blocks: list[Block]) -> None:
                block = _first(blocks, layout.SEAL)
                fields = unpack_map(block.payload[1:], "lock")
                fields["slots"] = [{**fields["slots"][0], **changes}]
                fields["slots"] *= changes.get("many", 1)
                block.payload = block.payload[:1] + pack_map(fields)

            return forged(out.getvalue(), change)

        costs = [{"cost": MAX_COST + 1}, {"cost": 60}, {"many": 9}, {"many": 5}]
        for changes in (*costs, {"salt": b""}, {"wrapped": b"x" * 59}):
            with pytest.raises(ContainerError):
                eegzip.open(asking(**changes), key="x")
        with pytest.raises(SealedError):
            eegzip.open(asking(kind="of a later version"), key="x")

    def test_secrets_are_in_no_representation(self):
        assert "abc" not in repr(Key.of("abc")) + str(Key.of("abc"))

    @pytest.mark.parametrize("key", ["", b"short", b"x" * 33])
    def test_what_is_no_key_is_refused(self, key):
        with pytest.raises(UsageError):
            Key.of(key)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"encrypt": "all"}, "takes a key"),
            ({"key": KEY}, "say what is sealed"),
            ({"encrypt": "some", "key": KEY}, "can't be sealed"),
            ({"encrypt": "identity", "key": KEY, "anonymize": True}, "leave one of them out"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options, sentence, original):
        with pytest.raises(UsageError, match=sentence):
            eegzip.compress(original, io.BytesIO(), **options)

    def test_the_name_of_a_key_file_is_no_pass_phrase(self, tmp_path):
        (tmp_path / "a.key").write_bytes(KEY)
        with pytest.raises(UsageError, match="given as a Path"):
            Key.of(str(tmp_path / "a.key"))

    def test_a_missing_package_is_named(self, identity, original, monkeypatch):
        for name in ("primitives.kdf.hkdf", "primitives.ciphers.aead"):
            monkeypatch.setitem(sys.modules, f"cryptography.hazmat.{name}", None)
        with pytest.raises(UsageError, match=r"eegzip\[encrypt\]"):
            eegzip.open(identity, key=bytes(range(1, 33)))
        assert len(restored(identity)) == len(original) - len(TRAILING)

    def test_no_two_files_are_alike(self, identity, twin):
        assert identity != twin
        assert restored(identity) == restored(twin)

    def test_a_key_says_nothing_of_a_file_that_is_not_sealed(self, original):
        out, back = io.BytesIO(), io.BytesIO()
        eegzip.compress(original, out, lossless=True)
        report = eegzip.decompress(out.getvalue(), back, key=KEY)
        assert back.getvalue() == original
        assert "not" in report.notes[-1] or "nothing" in report.notes[-1]
        assert "nothing of it is sealed" in eegzip.verify(out.getvalue(), key=KEY).unchecked[-1]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
    def test_a_key_file_of_32_bytes_is_a_key(self, tmp_path, original):
        path = tmp_path / "a.key"
        path.write_bytes(KEY)
        path.chmod(stat.S_IRUSR)
        file = sealed(original, "all")
        assert restored(file, key=path) == original
        for content in (b"", KEY + b"\n"):
            bad = tmp_path / "bad.key"
            bad.write_bytes(content)
            with pytest.raises(BadInputError, match="no key file"):
                restored(file, key=bad)
