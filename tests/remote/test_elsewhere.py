"""Files at URLs, in memory and in file objects, on either side."""

from __future__ import annotations

import datetime as dt
import io
import pickle
from pathlib import Path

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner
from fsspec.implementations.memory import MemoryFileSystem

import eegzip
from eegzip.cli.main import main
from eegzip.evaluation.sides import read_side
from eegzip.formats.remote.path import RemotePath, _status


@pytest.fixture(params=["memory://", "s3://"])
def folder(request: pytest.FixtureRequest) -> str:
    """An empty folder elsewhere."""
    if request.param == "s3://":
        request.getfixturevalue("s3")
        return "s3://recordings/some"
    memory = fsspec.filesystem("memory")
    memory.rm("/", recursive=True)
    return "memory://recordings/some"


def put(url: str, content: bytes) -> str:
    with fsspec.open(url, "wb") as file:
        file.write(content)
    return url


def got(url: str) -> bytes:
    with fsspec.open(url, "rb") as file:
        return file.read()


def names(folder: str) -> list[str]:
    system, path = fsspec.core.url_to_fs(folder)
    system.invalidate_cache()
    return [name[len(path) :].lstrip("/") for name in sorted(system.find(path))]


def test_there_and_back(folder: str, short_psg: Path, tmp_path: Path):
    source = put(f"{folder}/night 1#.edf", short_psg.read_bytes())
    report = eegzip.compress(source, f"{folder}/made/night.eegz", lossless=True)
    assert (report.source, report.target) == (source, f"{folder}/made/night.eegz")
    eegzip.compress(short_psg, tmp_path / "here.eegz", lossless=True)
    assert got(f"{folder}/made/night.eegz") == (tmp_path / "here.eegz").read_bytes()

    assert eegzip.verify(f"{folder}/made/night.eegz", deep=True).source == f"{folder}/made/night.eegz"
    with eegzip.open(f"{folder}/made/night.eegz") as there, eegzip.open(tmp_path / "here.eegz") as here:
        rate = here.channels[0]
        assert (there.read(rate, 1, 3) == here.read(rate, 1, 3)).all()
        assert there.info == {**here.info, "path": f"{folder}/made/night.eegz"}
        assert (pickle.loads(pickle.dumps(there)).read(rate, 1, 3) == here.read(rate, 1, 3)).all()
    assert eegzip.decompress(f"{folder}/made/night.eegz", f"{folder}/back.edf").restored_bytes
    assert got(f"{folder}/back.edf") == short_psg.read_bytes()
    side = read_side(f"{folder}/made/night.eegz", None, "cpu", lambda *_: None)
    assert (side.path, side.original_bytes) == (f"{folder}/made/night.eegz", short_psg.stat().st_size)
    # Nothing half-made was left.
    assert names(folder) == ["back.edf", "made/night.eegz", "night 1#.edf"]


def test_what_is_there_is_left_alone(folder: str, short_psg: Path):
    source = put(f"{folder}/night.edf", short_psg.read_bytes())
    put(f"{folder}/night.eegz", b"mine")
    with pytest.raises(eegzip.OutputExistsError, match=r"night\.eegz exists already"):
        eegzip.compress(source, f"{folder}/night.eegz", lossless=True)
    assert got(f"{folder}/night.eegz") == b"mine"
    eegzip.compress(source, f"{folder}/night.eegz", lossless=True, overwrite=True)
    assert eegzip.verify(f"{folder}/night.eegz").intact
    with pytest.raises(eegzip.UsageError, match="is the input itself"):
        eegzip.compress(source, source, lossless=True, overwrite=True)
    put(f"{folder}/other.edf", short_psg.read_bytes())
    with pytest.raises(eegzip.UsageError, match="never replace"):
        eegzip.compress(source, f"{folder}/other.edf", lossless=True, overwrite=True)


def test_bytes_and_file_objects(short_psg: Path, tmp_path: Path):
    eegzip.compress(short_psg, tmp_path / "here.eegz", lossless=True)
    made = io.BytesIO()
    assert eegzip.compress(short_psg.read_bytes(), made, lossless=True).source == "<bytes>"
    assert made.getvalue() == (tmp_path / "here.eegz").read_bytes()
    back = io.BytesIO()
    eegzip.decompress(io.BytesIO(made.getvalue()), back)
    assert back.getvalue() == short_psg.read_bytes()
    assert eegzip.verify(made.getvalue()).intact
    path = tmp_path / "here.eegz"
    with eegzip.open(made) as held, eegzip.open(made.getvalue()) as content, eegzip.open(path) as here:
        channel = here.channels[0]
        assert (held.read(channel, 1, 3) == here.read(channel, 1, 3)).all()
        assert (pickle.loads(pickle.dumps(content)).read(channel, 1, 3) == here.read(channel, 1, 3)).all()
        with pytest.raises(eegzip.UsageError, match="is an open file"):
            pickle.dumps(held)
    assert not made.closed
    with (tmp_path / "here.eegz").open("rb") as file, pytest.raises(eegzip.EdfError, match=r"here\.eegz"):
        eegzip.compress(file, io.BytesIO(), lossless=True)
    with pytest.raises(eegzip.BadInputError, match="text"):
        eegzip.open(io.StringIO("text"))


def test_an_upload_that_fails_leaves_nothing(short_psg: Path, monkeypatch: pytest.MonkeyPatch):
    fsspec.filesystem("memory").rm("/", recursive=True)
    put("memory://recordings/night.eegz", b"before")

    def broken(self: MemoryFileSystem, source: str, path: str, **_: object) -> None:
        self.pipe_file(path, Path(source).read_bytes()[:1000])
        raise ConnectionError("the line is dead")

    monkeypatch.setattr(MemoryFileSystem, "put_file", broken)
    with pytest.raises(eegzip.OutputError, match=r"/night\.eegz can't be written .*the line is dead"):
        eegzip.compress(short_psg, "memory://recordings/night.eegz", lossless=True, overwrite=True)
    assert names("memory://recordings") == ["night.eegz"]
    assert got("memory://recordings/night.eegz") == b"before"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nowhere://bucket/night.edf", r"nobody knows the scheme 'nowhere://'"),
        ("memory://recordings/absent.edf", r"memory://recordings/absent\.edf does not exist"),
        ("http://127.0.0.1:9/night.edf", r"http://127\.0\.0\.1:9/night\.edf "),
    ],
)
def test_what_cannot_be_read_has_a_sentence(url: str, sentence: str, tmp_path: Path):
    if url.startswith("http"):
        pytest.importorskip("aiohttp")
    with pytest.raises(eegzip.EegzipError, match=sentence):
        eegzip.compress(url, tmp_path / "night.eegz", lossless=True)
    assert isinstance(CliRunner().invoke(main, ["info", url]).exception, eegzip.EegzipError)
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missing_is_named(short_psg: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(eegzip.UsageError, match=r"takes a package that is not installed \(.*gcsfs.*\)"):
        eegzip.compress(short_psg, "gs://bucket/night.eegz")


def test_the_web_is_read_only(short_psg: Path):
    pytest.importorskip("aiohttp")
    with pytest.raises(eegzip.OutputError, match="can only be read"):
        eegzip.compress(short_psg, "https://example.org/night.eegz")


def test_a_list_and_an_answer_agree_on_time():
    """Stores state fractions of seconds in lists only, which is no change of the object."""
    second = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
    listed = _status({"size": 3, "ETag": "a", "LastModified": second.replace(microsecond=678000)})
    asked = _status({"size": 3, "ETag": "a", "LastModified": second})
    assert listed == asked
    assert _status({"size": 3, "mtime": "2024-01-02T03:04:05Z"}).mtime_ns == listed.mtime_ns


@pytest.mark.parametrize(
    ("url", "name", "renamed"),
    [
        ("https://host/a/night%201.edf?sig=x/y#z", "night 1.edf", "https://host/a/b"),
        ("https://host/a/..%2F..%2Fetc", "..%2F..%2Fetc", "https://host/a/b"),
        ("s3://bucket/a/what?.edf", "what?.edf", "s3://bucket/a/b"),
        ("s3://bucket", "bucket", "s3://b"),
        ("zip://night.edf::s3://bucket/all.zip", "all.zip", "zip://night.edf::s3://bucket/b"),
    ],
)
def test_names_in_urls(url: str, name: str, renamed: str):
    assert RemotePath(url).name == name
    assert str(RemotePath(url).with_name("b")) == renamed


def test_pictures_pages_and_tokens(folder: str, short_psg: Path, tmp_path: Path):
    """Each gives what it gives of the same files here."""
    source = put(f"{folder}/S001-night.edf", short_psg.read_bytes())
    coded = f"{folder}/S001-night.eegz"
    eegzip.compress(source, coded, model="eegz-sc-1", codebooks=2)
    (tmp_path / "S001-night.edf").write_bytes(short_psg.read_bytes())
    (tmp_path / "S001-night.eegz").write_bytes(got(coded))

    for where in (folder, tmp_path):
        eegzip.plot(f"{where}/S001-night.eegz", f"{where}/page.svg", compare=f"{where}/S001-night.edf", start=1, stop=3)
        eegzip.report(f"{where}/S001-night.edf", f"{where}/S001-night.eegz", f"{where}/page.html")
    for name in ("page.svg", "page.html"):
        assert got(f"{folder}/{name}").replace(folder.encode(), b"") == (tmp_path / name).read_bytes().replace(
            str(tmp_path).encode(), b""
        )

    for where in (folder, tmp_path):
        found = eegzip.export_tokens([f"{where}/S001-night.eegz"], f"{where}/tokens.npz")
        assert found.recordings == 1
    made = got(f"{folder}/tokens.npz"), (tmp_path / "tokens.npz").read_bytes()
    ours, theirs = (np.load(io.BytesIO(content)) for content in made)
    assert ours["files"].tolist() == [coded]
    for name in ("subjects", "0/codes", "0/times", "0/channels"):
        assert np.array_equal(ours[name], theirs[name])
    assert ours["subjects"].tolist() == ["S001"]
    with pytest.raises(eegzip.UsageError, match="a zarr store is many files"):
        eegzip.export_tokens([coded], f"{folder}/tokens.zarr")
    with pytest.raises(eegzip.UsageError, match="is not here"):
        eegzip.TokenDataset([coded], window=1)
