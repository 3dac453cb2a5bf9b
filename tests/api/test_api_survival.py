"""Outputs where links, pipes and killed writers are; sources that change; results that are read back."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import eegzip
from eegzip.formats.errors import EdfError, OutputError
from eegzip.formats.files import atomic_output


@pytest.fixture
def source(eegmat: Path, tmp_path: Path) -> Path:
    path = tmp_path / "in.edf"
    path.write_bytes(eegmat.read_bytes())
    return path


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    real.parent.mkdir()
    real.write_bytes(b"old")
    link.symlink_to(real)
    with pytest.raises(eegzip.OutputExistsError), atomic_output(link, overwrite=False):
        pytest.fail("the block was entered")
    with atomic_output(link, overwrite=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert [path.name for path in real.parent.iterdir()] == ["real"]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="no option replaces"), atomic_output(pipe, overwrite=True):
        pytest.fail("the block was entered")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


KILLED = """
import os, signal, sys
from pathlib import Path
from eegzip.formats.files import atomic_output
with atomic_output(Path(sys.argv[1]), overwrite=True) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.glob(".out.*.part"))) == 1
    # Two write at a time: neither takes the other's file for a leftover.
    with atomic_output(target, overwrite=True) as first, atomic_output(target, overwrite=True) as second:
        assert len(list(tmp_path.glob(".out.*.part"))) == 2
        first.write(b"first")
        second.write(b"second")
    assert target.read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("where", ["coded already", "not coded yet"])
def test_a_source_that_changes_meanwhile_is_noticed(source: Path, tmp_path: Path, where: str) -> None:
    size, times = source.stat().st_size, source.stat()

    def meddle(what: str, done: int, total: int) -> None:
        if what == "compressing" and done < total:
            with source.open("r+b") as file:
                file.seek(size - 1 if where == "not coded yet" else 5000)
                file.write(b"\x01\x02")
            if where == "not coded yet":  # as a writer with a clock of its own would: only the bytes tell
                os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(EdfError, match="changed while it was read"):
        eegzip.compress(source, tmp_path / "out.eegz", lossless=True, chunk_seconds=30, progress=meddle)
    assert [path.name for path in tmp_path.iterdir()] == ["in.edf"]


def test_a_result_is_read_back_before_it_appears(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.eegz"
    target.write_bytes(b"old")
    eegzip.compress(source, target, lossless=True, overwrite=True, verify=True)
    assert eegzip.verify(target, deep=True).intact
    before = target.read_bytes()
    # A disk that gives back another byte than it was given.
    monkeypatch.setattr("eegzip.formats.files.os.fsync", lambda descriptor: os.pwrite(descriptor, b"\x55\xaa", 3000))
    with pytest.raises(eegzip.BadInputError, match=r"out\.eegz"):
        eegzip.compress(source, target, lossless=True, overwrite=True, verify=True)
    assert target.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_signal_without_samples_is_read_back_too(eegmat: Path, tmp_path: Path) -> None:
    source = eegmat.parents[1] / "edf" / "annotations_of_0_samples.edf"
    eegzip.compress(source, tmp_path / "a.eegz", max_prd=9, verify=True)
    assert eegzip.verify(tmp_path / "a.eegz").intact
