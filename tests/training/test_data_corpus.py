"""The cache, files prepared together, and who is on which side."""

import os
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from eegzip.formats.errors import BadInputError, EegzipError, OutputError
from eegzip.training.data import cache as cache_module
from eegzip.training.data import corpus as corpus_module
from eegzip.training.data.cache import META, WAVES, cached, is_whole, map_waves
from eegzip.training.data.corpus import CachedRecording, Corpus, divide, prepare
from eegzip.training.data.preprocessing import Preprocessing, prepare_file
from eegzip.training.data.sources import SourceFile

PLAIN = Preprocessing(highpass_hz=0)


@pytest.fixture
def recording(tmp_path, eegmat):
    """A copy of a recording, changed long ago."""
    path = tmp_path / "S1.edf"
    shutil.copyfile(eegmat, path)
    os.utime(path, (1e9, 1e9))
    return path


def parts(cache):
    return [p for p in cache.rglob("*") if p.name.startswith(".part")]


def test_an_entry_is_made_once_and_holds_what_the_file_becomes(tmp_path, recording, monkeypatch):
    cache = tmp_path / "cache"
    entry = cached(recording, PLAIN, cache)
    assert np.array_equal(map_waves(entry), prepare_file(recording, PLAIN).waves)
    assert not parts(cache)
    before = (entry / WAVES).stat().st_mtime_ns
    # The second time, neither is the file read nor anything prepared.
    monkeypatch.setattr(cache_module, "sha256_of", None)
    monkeypatch.setattr(cache_module, "prepared_rows", None)
    assert cached(recording, PLAIN, cache) == entry
    assert (entry / WAVES).stat().st_mtime_ns == before


def test_other_settings_or_another_content_are_another_entry(tmp_path, recording):
    cache = tmp_path / "cache"
    entry = cached(recording, PLAIN, cache)
    assert cached(recording, replace(PLAIN, skip_seconds=1), cache) != entry
    data = bytearray(recording.read_bytes())
    data[-1000] ^= 1
    recording.write_bytes(data)
    assert cached(recording, PLAIN, cache) != entry
    moved = recording.rename(recording.with_name("S2.edf"))
    data[-1000] ^= 1
    moved.write_bytes(data)
    assert cached(moved, PLAIN, cache) == entry


@pytest.mark.parametrize("name", [WAVES, META])
@pytest.mark.parametrize("size", [0, 20])
def test_a_damaged_entry_is_made_again(tmp_path, recording, name, size):
    entry = cached(recording, PLAIN, tmp_path / "cache")
    os.truncate(entry / name, size)
    assert not is_whole(entry)
    assert cached(recording, PLAIN, tmp_path / "cache") == entry
    assert is_whole(entry)


def test_a_damaged_note_of_a_digest_is_harmless(tmp_path, recording):
    entry = cached(recording, PLAIN, tmp_path / "cache")
    (note,) = (tmp_path / "cache" / ".digests").iterdir()
    for text in ("", "[]", '{"seen": 1}', note.read_text().replace('sha256": "', 'sha256": "../')):
        note.write_text(text)
        assert cached(recording, PLAIN, tmp_path / "cache") == entry


def test_what_interrupted_processes_left_goes_after_a_day(tmp_path, recording):
    cache = tmp_path / "cache"
    old, young = cache / ".part-old", cache / ".part-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / WAVES).touch()
    os.utime(old, (time.time() - 1e6,) * 2)
    cached(recording, PLAIN, cache)
    assert young.exists()
    assert not old.exists()


def test_a_failed_file_leaves_nothing_behind(tmp_path):
    (tmp_path / "bad.edf").write_bytes(b"no recording" * 100)
    with pytest.raises(EegzipError):
        cached(tmp_path / "bad.edf", PLAIN, tmp_path / "cache")
    assert not parts(tmp_path / "cache")


def test_a_cache_that_can_not_be_written_is_told_as_such(tmp_path, recording):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cache"):
        prepare([SourceFile(recording, "S1", "d")], PLAIN, tmp_path / "file" / "cache", 1)


def test_unreadable_files_are_listed_and_the_rest_is_used(tmp_path, recording):
    (tmp_path / "bad.edf").write_bytes(b"no recording")
    sources = [SourceFile(tmp_path / n, n, "d") for n in ("bad.edf", "S1.edf", "missing.edf")]
    told = []
    corpus = prepare(sources, PLAIN, tmp_path / "cache", 1, lambda *what: told.append(what))
    assert [r.name for r in corpus.recordings] == ["S1.edf"]
    assert [path for path, _ in corpus.skipped] == [str(tmp_path / "bad.edf"), str(tmp_path / "missing.edf")]
    assert told[-1][1:] == (3, 3)
    with pytest.raises(BadInputError, match="none of the 2 files"):
        prepare([sources[0], sources[2]], PLAIN, tmp_path / "cache", 1)


def test_two_processes_give_what_one_gives(tmp_path, recording):
    data = bytearray(recording.read_bytes())
    data[-1000] ^= 1
    (tmp_path / "S2.edf").write_bytes(data)
    sources = [SourceFile(tmp_path / n, n, "d") for n in ("S1.edf", "S2.edf", "none.edf")]
    one = prepare(sources, PLAIN, tmp_path / "one", 1)
    two = prepare(sources, PLAIN, tmp_path / "two", 2)
    assert one.skipped == two.skipped
    assert [r.name for r in one.recordings] == [r.name for r in two.recordings]
    assert all(np.array_equal(a.waves, b.waves) for a, b in zip(one.recordings, two.recordings, strict=True))


def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_told_in_a_sentence(tmp_path, recording, monkeypatch):
    monkeypatch.setattr(corpus_module, "_try", dies)
    sources = [SourceFile(recording, "S1", "d"), SourceFile(recording, "S2", "d")]
    with pytest.raises(EegzipError, match="fewer workers"):
        prepare(sources, PLAIN, tmp_path / "cache", 2)


def made(person, seconds=30, split="", labels=("Cz",), rate=256.0, dataset="d"):
    count = round(seconds * rate)
    waves = np.arange(len(labels) * count, dtype=np.float32).reshape(len(labels), -1)
    return CachedRecording(person, dataset, person, person, list(labels), rate, waves, split)


def test_no_person_is_on_both_sides():
    corpus = Corpus([made(p) for p in "aabbccdde"], [])
    train, validation = divide(corpus, "0.4", 3)
    assert not {r.person for r in train} & {r.person for r in validation}
    assert len(train) + len(validation) == 9
    assert {r.person for r in divide(corpus, "b,e", 3)[1]} == {"b", "e"}


def test_a_lone_person_is_divided_by_time():
    train, validation = divide(Corpus([made("a"), made("a", 60)], []), "0.2", 0)
    for left, right, whole in zip(train, validation, (7680, 15360), strict=True):
        joined = np.concatenate([left.waves, right.waves], axis=1)
        assert np.array_equal(joined, made("a", whole / 256).waves)
        assert right.waves.shape[1] == whole // 3


@pytest.mark.parametrize("seconds", [[120], [45, 45], [12], [5, 5]])
def test_pieces_of_audio_are_disjoint_and_on_both_sides(seconds):
    corpus = Corpus([made(str(n), s) for n, s in enumerate(seconds)], [], "audio")
    train, validation = divide(corpus, "0.2", 0)
    assert train
    assert validation
    sides = [{(r.person, v) for r in side for v in r.waves[0]} for side in (train, validation)]
    assert not sides[0] & sides[1]


def test_sources_that_say_their_side_are_heard():
    train, validation = divide(Corpus([made("a", split="train"), made("b", split="validation"), made("c")], []), "a", 0)
    assert ([r.person for r in train], [r.person for r in validation]) == (["a", "c"], ["b"])
    for recordings in ([made("a", split="train")], [made("a", split="train"), made("a", split="validation")]):
        with pytest.raises(BadInputError, match="manifest"):
            divide(Corpus(recordings, []), "0.2", 0)
