"""`info` tells whose a recording is only when asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eegzip.cli.main import main


@pytest.fixture
def named(eegmat: Path, tmp_path: Path) -> Path:
    data = bytearray(eegmat.read_bytes())
    data[8:88] = b"MCH-0234567 F 02-MAY-1951 Jane_Example".ljust(80)
    path = tmp_path / "in.edf"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("words", [["info"], ["info", "--json"], ["info", "-r", "-j", "0"]])
def test_whose_it_is_is_said_when_asked(words: list[str], named: Path) -> None:
    source = str(named.parent if "-r" in words else named)
    shown = CliRunner().invoke(main, [*words, source], catch_exceptions=False)
    assert "in.edf" in shown.output
    assert "Jane" not in shown.output
    assert "1951" not in shown.output
    asked = CliRunner().invoke(main, [*words, "--patient", source], catch_exceptions=False)
    assert "Jane_Example" in asked.output
    if "--json" in words:
        assert json.loads(shown.output)["start"] is None
        assert json.loads(asked.output)["start"] is not None
