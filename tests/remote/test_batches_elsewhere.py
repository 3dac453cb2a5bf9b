"""Many files, of which some or all are elsewhere, in one manifest here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import eegzip
from eegzip.batches.manifest import read_manifest
from eegzip.cli.main import main


@pytest.fixture
def recording(short_psg: Path) -> bytes:
    """Its first 30 s."""
    content = short_psg.read_bytes()
    header = bytearray(content[: int(content[184:192])])
    header[236:244] = b"1       "
    per_record = sum(int(header[256 + 7 * 216 + 8 * i : 256 + 7 * 216 + 8 * i + 8]) for i in range(7))
    return bytes(header) + content[len(header) : len(header) + 2 * per_record]


@pytest.fixture
def tree(s3: Any, recording: bytes) -> list[str]:
    """Names of recordings in the bucket; one is broken, and one no recording."""
    s3.pipe_file("recordings/in/a/night.edf", recording)
    s3.pipe_file("recordings/in/a/b/night.edf", recording + b"trailing")
    s3.pipe_file("recordings/in/broken.edf", b"0" * 300)
    s3.pipe_file("recordings/in/.hidden.edf", recording)
    s3.pipe_file("recordings/in/notes.txt", b"notes")
    return ["s3://recordings/in/a/b/night.edf", "s3://recordings/in/a/night.edf", "s3://recordings/in/broken.edf"]


def archived(tmp_path: Path, *more: str, source: str = "s3://recordings/in") -> tuple[int, str]:
    arguments = ["archive", source, "-o", "s3://recordings/out", "--manifest", str(tmp_path / "done.jsonl"), "-j", "0"]
    result = CliRunner().invoke(main, [*arguments, *more])
    return result.exit_code, result.output


def sha256(s3: Any, name: str) -> str:
    s3.invalidate_cache()
    return hashlib.sha256(s3.cat_file(name)).hexdigest()


def test_a_bucket_is_archived_into_another(s3: Any, tree: list[str], recording: bytes, tmp_path: Path):
    code, said = archived(tmp_path)
    assert (code, "2 done" in said, "1 failed" in said) == (1, True, True)
    assert "s3://recordings/in/broken.edf" in said
    assert "eegzip-" not in said  # no temporary file is spoken of
    s3.invalidate_cache()
    made = ["recordings/out/a/b/night.edf.eegz", "recordings/out/a/night.edf.eegz"]
    assert sorted(s3.find("recordings/out")) == made
    lines = {line["source"]: line for line in read_manifest(tmp_path / "done.jsonl")}
    assert sorted(lines) == tree
    for name, url in zip(made, tree, strict=False):
        line = lines[url]
        assert (line["state"], line["target"]) == ("done", f"s3://{name}")
        assert line["target_sha256"] == sha256(s3, name)
        assert line["source_sha256"] == sha256(s3, url.removeprefix("s3://"))
        assert "checked" in line

    # Again: only what failed is tried, and what changed is done anew.
    code, said = archived(tmp_path)
    assert (code, "2 done before" in said) == (1, True)
    s3.pipe_file("recordings/in/a/night.edf", recording + b"more")
    code, said = archived(tmp_path)
    assert "1 done " in said
    assert "1 done before" in said
    line = next(each for each in read_manifest(tmp_path / "done.jsonl") if each["source"] == tree[1])
    assert line["source_sha256"] == hashlib.sha256(recording + b"more").hexdigest()

    # Sources go only once their results lie there, checked; and all comes back here.
    code, _ = archived(tmp_path, "--remove-source")
    assert code == 1  # the broken one
    s3.invalidate_cache()
    assert sorted(s3.find("recordings/in")) == [
        "recordings/in/.hidden.edf",
        "recordings/in/broken.edf",
        "recordings/in/notes.txt",
    ]
    report = eegzip.batch(["s3://recordings/out"], job="decompress", recursive=True, output=tmp_path / "back", jobs=0)
    assert (report.done, report.failed) == (2, 0)
    assert (tmp_path / "back/a/night.edf").read_bytes() == recording + b"more"


def test_what_is_there_is_not_replaced(s3: Any, tree: list[str], tmp_path: Path):
    s3.pipe_file("recordings/out/a/night.edf.eegz", b"mine")
    code, said = archived(tmp_path)
    assert code == 1
    assert "s3://recordings/out/a/night.edf.eegz exists already" in said
    assert s3.cat_file("recordings/out/a/night.edf.eegz") == b"mine"


def test_patterns_lists_and_other_jobs(s3: Any, tree: list[str], recording: bytes, tmp_path: Path):
    (tmp_path / "list.txt").write_text("\n".join(tree[:2]))
    runner = CliRunner()
    result = runner.invoke(
        main, ["compress", "--files-from", str(tmp_path / "list.txt"), "-o", str(tmp_path), "--lossless", "-j", "0"]
    )
    assert result.exit_code == 0, result.output
    made = tmp_path / "recordings/in/a/night.edf.eegz"
    assert eegzip.verify(made).intact
    s3.put_file(str(made), "recordings/in/a/night.edf.eegz")
    result = runner.invoke(main, ["verify", "s3://recordings/in/*/*.eegz", "--json", "-j", "0"])
    (line,) = map(json.loads, result.stdout.splitlines())
    assert (line["state"], line["source"]) == ("done", "s3://recordings/in/a/night.edf.eegz")
    result = runner.invoke(main, ["info", "s3://recordings/in/a/night.edf.eegz"])
    assert "s3://recordings/in/a/night.edf.eegz: EDF" in result.output
    result = runner.invoke(main, ["verify", "s3://recordings/in/*/*.none"])
    assert isinstance(result.exception, eegzip.UsageError)
    assert "no file matches" in str(result.exception)


def test_a_folder_on_the_web(web: Any, recording: bytes, tmp_path: Path):
    (web.folder / "night 1").mkdir()
    (web.folder / "night 1" / "a.edf").write_bytes(recording)
    options = {"output": tmp_path / "out", "manifest": tmp_path / "done.jsonl", "jobs": 0, "lossless": True}
    report = eegzip.batch([f"{web.url}/"], recursive=True, **options)
    assert (report.done, report.errors) == (1, ())
    assert eegzip.batch([f"{web.url}/"], recursive=True, **options).skipped == 1
    assert [path.name for path in (tmp_path / "out").rglob("*.eegz")] == ["a.edf.eegz"]


def test_a_manifest_grows_here_only(tree: list[str], tmp_path: Path):
    with pytest.raises(eegzip.UsageError, match="must be a file here"):
        eegzip.batch(tree, manifest="s3://recordings/done.jsonl", jobs=0)
    with pytest.raises(eegzip.UsageError, match="memory of this process"):
        eegzip.batch(["memory://recordings/night.edf"], jobs=1)
    result = CliRunner().invoke(main, ["archive", "s3://recordings/in", "-o", "s3://recordings/out"])
    assert (result.exit_code, "--manifest" in result.output) == (2, True)


def test_names_do_not_lead_out_of_the_folder(s3: Any, recording: bytes, tmp_path: Path):
    s3.pipe_file("recordings/in/../../evil.edf", recording)
    report = eegzip.batch(["s3://recordings/in"], recursive=True, output=tmp_path / "a" / "b", jobs=0, lossless=True)
    assert report.done == 0
    assert not list(tmp_path.rglob("*.eegz"))
