"""``-1`` to ``-9`` at the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from api.recordings import SHIPPED

SOURCE = SHIPPED / "edf" / "test_uneven_samp.edf"


@pytest.mark.parametrize("words", [["-2"], ["--level", "2"]])
def test_a_level_is_taken_and_shown(run, tmp_path: Path, words: list[str]) -> None:
    assert run("compress", "--lossless", *words, SOURCE, tmp_path / "a.eegz").returncode == 0
    assert "level       2 of lossless compression" in run("info", tmp_path / "a.eegz").stdout
    assert run("verify", "--deep", tmp_path / "a.eegz").returncode == 0
    assert run("decompress", tmp_path / "a.eegz", tmp_path / "a.edf").returncode == 0
    assert (tmp_path / "a.edf").read_bytes() == SOURCE.read_bytes()


def test_of_two_levels_the_last_counts_and_the_ordinary_one_says_nothing(run, tmp_path: Path) -> None:
    assert run("compress", "--lossless", "-1", "-6", SOURCE, tmp_path / "a.eegz").returncode == 0
    assert "  level  " not in run("info", tmp_path / "a.eegz").stdout


def test_a_level_without_lossless_is_refused_in_a_sentence(run, tmp_path: Path) -> None:
    done = run("compress", "-9", SOURCE, tmp_path / "a.eegz")
    assert done.returncode != 0
    assert "--lossless" in done.stderr
    assert not (tmp_path / "a.eegz").exists()


def test_archives_have_a_level_which_the_manifest_says(run, tmp_path: Path) -> None:
    """Another level is another wish: the archive is made anew then, and only then."""
    (tmp_path / "in").mkdir()
    shutil.copy(SOURCE, tmp_path / "in" / "night.edf")
    for words in (["-1"], ["-1"], ["-3"]):
        assert run("archive", tmp_path / "in", "-o", tmp_path / "out", "-j", "0", *words).returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [line["settings"]["level"] for line in lines if line["state"] == "done"] == [1, 3]
