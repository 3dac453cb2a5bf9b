"""Exports, reports and plots are nobody's to read who may not read all that they are made of."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

import eegzip
from eegzip.formats.edf import EdfFile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no permissions as elsewhere")


@pytest.fixture
def recordings(eegmat: Path, tmp_path: Path) -> list[Path]:
    """Two seconds, twice: one that all may read, and one that is its owner's."""
    with EdfFile.open(eegmat) as file:
        raw = bytearray(file.header.raw)
        raw[236:244] = b"2       "
        content = bytes(raw) + file.read_records(0, 2).tobytes()
    paths = []
    for name, mode in (("S01_open.edf", 0o644), ("S02_private.edf", 0o600)):
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        paths.append(path)
    return paths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("kind", ["npz", "parquet", "zarr"])
def test_tokens(kind: str, recordings: list[Path], tmp_path: Path) -> None:
    pytest.importorskip({"npz": "numpy", "parquet": "pyarrow", "zarr": "zarr"}[kind])
    eegzip.export_tokens(recordings[:1], tmp_path / f"open.{kind}", model="eegz-sc-1", codebooks=1)
    eegzip.export_tokens(recordings, tmp_path / f"private.{kind}", model="eegz-sc-1", codebooks=1)
    assert mode(tmp_path / f"open.{kind}") == (0o755 if kind == "zarr" else 0o644)
    assert mode(tmp_path / f"private.{kind}") == (0o700 if kind == "zarr" else 0o600)


def test_reports_and_plots(recordings: list[Path], tmp_path: Path) -> None:
    public, private = recordings
    eegzip.report(public, private, tmp_path / "private.html")
    pytest.importorskip("matplotlib")
    eegzip.plot(public, tmp_path / "open.png")
    eegzip.plot(public, tmp_path / "private.png", compare=private)
    eegzip.overview(public.parent, tmp_path / "private-all.html", jobs=0, others=public.parent)
    for path in tmp_path.glob("*.*"):
        assert mode(path) == (0o600 if "private" in path.name else 0o644), path
