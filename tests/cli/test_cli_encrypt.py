"""Sealing on the command line: keys from files and a prompt, one file and many, and what each command says."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from api.recordings import SHIPPED
from click.testing import CliRunner, Result

import eegzip
from eegzip.batches.batch import batch
from eegzip.cli.main import main
from eegzip.formats.errors import EegzipError, UsageError

pytest.importorskip("cryptography")

RECORDING = SHIPPED / "edf" / "annotation_texts.edf"
PATIENT = b"MCH-0234567 F 02-MAY-1951 Smith_Jane"


def said(*words: object, given: str | None = None, code: int = 0) -> str:
    """What a command prints, on both streams."""
    found: Result = CliRunner().invoke(main, [str(word) for word in words], input=given)
    if isinstance(found.exception, EegzipError):
        assert code == found.exception.exit_code, found.exception
        return str(found.exception)
    assert found.exit_code == code, found.output
    return found.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of somebody, and a key."""
    data = RECORDING.read_bytes()
    (tmp_path / "night.edf").write_bytes(data[:8] + PATIENT.ljust(80) + data[88:])
    said("keygen", "-o", tmp_path / "a.key")
    return tmp_path


def test_a_key_is_for_its_owner_and_never_replaced(folder):
    path = folder / "a.key"
    assert path.stat().st_size == 32
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert "never replaced" in said("keygen", "-o", path, code=2)
    assert path.read_bytes() == before


def test_an_identity_is_sealed_and_comes_back(folder):
    night, sealed, key = folder / "night.edf", folder / "night.eegz", ("--key-file", folder / "a.key")
    text = said("compress", night, sealed, "--lossless", "--verify", "--encrypt", "identity", *key)
    assert "sealed are the fields of patient" in text
    assert "written as of nobody" in said("decompress", sealed, folder / "anonymous.edf")
    assert b"Smith" not in (folder / "anonymous.edf").read_bytes()
    assert "nobody" not in said("decompress", sealed, folder / "back.edf", *key)
    assert (folder / "back.edf").read_bytes() == night.read_bytes()
    assert "not checked: the sealed identity" in said("verify", sealed)
    assert "intact" in said("verify", sealed, *key)
    assert "sealed, as are recording" in said("info", "--patient", sealed)
    assert "Smith_Jane" in said("info", "--patient", sealed, *key)
    assert "Smith_Jane" not in said("info", sealed, *key)


def test_all_is_sealed_by_a_pass_phrase(folder):
    night, sealed = folder / "night.edf", folder / "night.eegz"
    said("compress", night, sealed, "--lossless", "--encrypt", "all", given="a word\nanother\na word\na word\n")
    for command in ("decompress", "verify", "info", "tokens"):
        more = ("-o", folder / "t.npz") if command == "tokens" else ()
        assert "with a key only" in said(command, sealed, *more, code=1)
    said("decompress", sealed, folder / "back.edf", "--ask-passphrase", given="a word\n")
    assert (folder / "back.edf").read_bytes() == night.read_bytes()
    (folder / "phrase.txt").write_text("a word\n")
    key = ("--passphrase-file", folder / "phrase.txt")
    assert "lossless" in said("evaluate", night, sealed, *key)
    assert "measured when it was written" in said("evaluate", sealed, *key)
    assert "AES-256-GCM" in said("info", sealed, "--passphrase-file", folder / "phrase.txt")
    assert "does not open it" in said("verify", sealed, "--ask-passphrase", given="a wort\n", code=1)
    (folder / "phrase.txt").write_bytes(b"\xff\xfe")
    assert "--key-file" in said("info", sealed, "--passphrase-file", folder / "phrase.txt", code=1)


def test_pages_and_pictures_take_a_key(folder):
    night, sealed, key = folder / "night.edf", folder / "night.edf.eegz", ("--key-file", folder / "a.key")
    said("compress", night, sealed, "--lossless", "--encrypt", "all", *key)
    assert "with a key only" in said("report", night, sealed, "-o", folder / "a.html", code=1)
    assert not (folder / "a.html").exists()
    assert "EEG channels at" in said("report", night, sealed, "-o", folder / "a.html", *key)
    (folder / "in").mkdir()
    night.rename(folder / "in" / "night.edf")
    sealed.rename(folder / "in" / "night.edf.eegz")
    assert "1 failed" in said("report", folder / "in", "-o", folder / "b.html", "-j", 0, code=1)
    assert "0.0 % at most" in said("report", folder / "in", "-o", folder / "c.html", "-j", 0, *key)
    pytest.importorskip("matplotlib")
    inside = folder / "in" / "night.edf.eegz"
    assert "with a key only" in said("plot", inside, "-o", folder / "a.svg", code=1)
    assert "a.svg" in said("plot", inside, "--compare", folder / "in" / "night.edf", "-o", folder / "a.svg", *key)


def test_one_key_at_a_time(folder):
    both = ("--key-file", folder / "a.key", "--ask-passphrase")
    assert "give one of" in said("info", folder / "night.edf", *both, code=2)
    assert "is not one of" in said("compress", folder / "night.edf", "--encrypt", "some", code=2)
    assert "say what is sealed" in said("compress", folder / "night.edf", "--key-file", folder / "a.key", code=2)


@pytest.mark.parametrize("what", ["identity", "all"])
def test_an_archive_is_sealed_and_restored(folder, what):
    (folder / "in").mkdir()
    for name in ("one.edf", "two.edf"):
        (folder / "in" / name).write_bytes((folder / "night.edf").read_bytes())
    (folder / "in" / "two.edf").write_bytes((folder / "night.edf").read_bytes() + b"more")
    key = ("--key-file", folder / "a.key")
    words = ("archive", folder / "in", "-o", folder / "archive", "--encrypt", what, "-j", 0)
    assert "2 done" in said(*words, *key)
    assert "2 done before" in said(*words, *key)
    manifest = (folder / "archive" / "manifest.jsonl").read_text()
    lines = [json.loads(line) for line in manifest.splitlines()]
    assert lines[-1]["checked"] == "identical"
    assert lines[-1]["settings"]["encrypt"] == what
    assert lines[-1]["settings"]["key"] == "given"
    assert "Smith" not in manifest
    said("decompress", "-r", folder / "archive", "-o", folder / "out", "-j", 0, *key)
    for name in ("one.edf", "two.edf"):
        assert (folder / "out" / name).read_bytes() == (folder / "in" / name).read_bytes()
    assert "intact" in said("verify", "-r", folder / "archive", "-j", 0, *key)


def test_no_pass_phrase_is_recorded_or_sent_away(folder):
    options = {"lossless": True, "encrypt": "all", "key": "a word that nobody guesses"}
    batch([folder / "night.edf"], output=folder / "out", manifest=folder / "m.jsonl", jobs=0, check=True, **options)
    assert "nobody guesses" not in (folder / "m.jsonl").read_text()
    # What was restored as of nobody is restored again once there is a key.
    eegzip.compress(folder / "night.edf", folder / "night.edf.eegz", lossless=True, encrypt="identity", key=bytes(32))
    again = {"job": "decompress", "output": folder / "back", "manifest": folder / "d.jsonl", "jobs": 0}
    assert batch([folder / "night.edf.eegz"], **again).done == 1
    assert batch([folder / "night.edf.eegz"], **again).skipped == 1
    assert batch([folder / "night.edf.eegz"], **again, key=bytes(32)).done == 1
    assert (folder / "back" / "night.edf").read_bytes() == (folder / "night.edf").read_bytes()
    with pytest.raises(UsageError, match="not sent to a cluster"):
        batch([folder / "night.edf"], output=folder / "out", client=object(), **options)


def test_tokens_and_mne_take_a_key(folder):
    key, sealed = folder / "a.key", folder / "night.eegz"
    eegzip.compress(folder / "night.edf", sealed, encrypt="all", key=key, codebooks=4)
    assert "tokens of 1 recordings" in said("tokens", sealed, "-o", folder / "t.npz", "--key-file", key)
    data = eegzip.TokenDataset(sealed, key=key)
    assert data[0]["codes"].shape[0] == 2
    pytest.importorskip("mne")
    raw = eegzip.mne.read_raw_eegz(sealed, key=key, encoding="latin1", verbose="error")
    assert "Café yeux fermés" in set(raw.annotations.description)
    assert raw.get_data(tmax=1).shape[0] == 2
    assert "key" not in raw._init_kwargs
