"""``eegzip report DIR``: a row for each pair, the figures of ``evaluate``, what failed and what stands out first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation.browser import CHROMIUM, looked_at

import eegzip
from eegzip.batches.overview.rows import Row, with_outliers


@pytest.fixture(scope="module")
def archive(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of 10 s in two folders with compressed files beside them, one of which is damaged; and a manifest."""
    raw = eegmat.read_bytes()
    header, records = int(raw[184:192]), int(raw[236:244])
    wanted, size = round(10 / float(raw[244:252])), (len(raw) - header) // records
    folder = tmp_path_factory.mktemp("archive")
    for number, name in enumerate(("a/one.edf", "a/<b>two.edf", "b/three.edf")):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        first = header + 20 * number * size
        start = raw[:8] + f"{'P7 F X Jane_Example':<80}".encode() + raw[88:236]
        path.write_bytes(start + f"{wanted:<8}".encode() + raw[244:header] + raw[first : first + wanted * size])
    eegzip.batch([folder], recursive=True, max_prd=30, manifest=folder / "manifest.jsonl", jobs=0)
    damaged = folder / "b" / "three.edf.eegz"
    content = bytearray(damaged.read_bytes())
    content[1000:1100] = bytes(100)
    damaged.write_bytes(content)
    return folder


def content_of(page: Path) -> dict:
    line = next(line for line in page.read_text("utf-8").splitlines() if line.startswith("const D="))
    return json.loads(line.removeprefix("const D=").removesuffix(";"))


@pytest.fixture(scope="module")
def page(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "all.html"
    found = eegzip.overview(archive, path, pages=True, jobs=0)
    assert (len(found.rows), found.failed) == (3, 1)
    return path


def test_rows_are_what_evaluate_finds(archive: Path, page: Path) -> None:
    rows = content_of(page)["rows"]
    assert rows[0]["name"] == "b/three.edf"
    assert "three.edf.eegz" in rows[0]["error"]
    assert {row["name"] for row in rows[1:]} == {"a/one.edf", "a/<b>two.edf"}
    row = next(row for row in rows if row["name"] == "a/one.edf")
    found = eegzip.evaluate(archive / "a/one.edf", archive / "a/one.edf.eegz")
    prds = [channel.measures.prd for channel in found.eeg]
    assert row["worst_prd"] == max(prds)
    assert row["median_prd"] == np.median(prds)
    assert row["ratio"] == found.original_bytes / found.compressed_bytes
    assert row["largest_uv"] == max(channel.largest_error_uv for channel in found.eeg)
    assert row["duration"] == 10


def test_pages_of_pairs_are_linked_and_nobody_is_named(page: Path) -> None:
    rows = content_of(page)["rows"]
    links = [row["page"] for row in rows if row["page"]]
    assert len(links) == 2
    texts = [page.read_text("utf-8"), *((page.parent / link).read_text("utf-8") for link in links)]
    for text in texts:
        assert "Jane" not in text
        assert text.replace("http://www.w3.org/2000/svg", "").count("://") == 0
        assert "<b>two" not in text


def test_of_a_manifest_without_a_look_at_the_files(archive: Path, tmp_path: Path) -> None:
    alone = tmp_path / "manifest.jsonl"
    lines = (archive / "manifest.jsonl").read_text("utf-8")
    failed = {"manifest": 1, "job": "compress", "state": "failed", "source": "c/four.edf", "error": "no EDF file."}
    alone.write_text(lines + json.dumps(failed) + "\n", "utf-8")
    found = eegzip.overview(alone, tmp_path / "all.html")
    assert (found.rows[0].name, found.rows[0].error) == ("c/four.edf", "compress: no EDF file.")
    row = next(row for row in found.rows if row.name == "b/three.edf")
    said = [line["fidelity"] for line in map(json.loads, lines.splitlines()) if line["state"] == "done"]
    assert row.worst_prd in [one["worst_prd"] for one in said]
    assert row.worst_prd <= 30
    assert row.ratio > 1


def test_what_stands_out_comes_first() -> None:
    usual = [Row(str(n), worst_prd=9 + 0.01 * n, largest_uv=20 + n) for n in range(9)]
    rows = with_outliers([*usual, replace(usual[0], name="worse", worst_prd=33.0), Row("none", error="not there.")])
    assert [row.name for row in rows[:3]] == ["none", "worse", "8"]
    assert rows[1].outlier == "worst PRD 33 %, usually 9.04 %"
    assert all(not row.outlier for row in rows[2:])
    few = with_outliers([*usual[:3], replace(usual[0], worst_prd=33.0)])
    assert not any(row.outlier for row in few)


def test_the_command(archive: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from eegzip.cli.main import main

    runner = CliRunner()
    done = runner.invoke(main, ["report", str(archive / "a"), "-j", "0", "-o", str(tmp_path / "a.html")])
    assert done.exit_code == 0, done.output
    assert "2 recordings; worst PRD of a channel" in done.output
    whole = runner.invoke(main, ["report", str(archive / "manifest.jsonl"), "--json", "-o", str(tmp_path / "m.html")])
    assert len(json.loads(whole.stdout)["rows"]) == 3
    for words in (["a.edf"], ["a.edf", "b.edf", "--pages"]):
        assert runner.invoke(main, ["report", *words, "-o", str(tmp_path / "b.html")]).exit_code == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(eegzip.BadInputError, match="no recordings"):
        eegzip.overview(tmp_path / "empty", tmp_path / "b.html")
    with pytest.raises(eegzip.OutputExistsError):
        eegzip.overview(archive, tmp_path / "a.html")
    with pytest.raises(eegzip.UsageError, match="only the figures"):
        eegzip.overview(archive / "manifest.jsonl", tmp_path / "b.html", pages=True)
    assert not (tmp_path / "b.html").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_browser_shows_it(page: Path, tmp_path: Path, width: int, *, dark: bool) -> None:
    assert looked_at(page, tmp_path, width, dark=dark) == {"ready": "1", "wide": width}
    assert (tmp_path / "shot.png").stat().st_size > 15_000
