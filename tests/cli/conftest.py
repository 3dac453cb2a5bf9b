"""Running the installed command as a person or a script does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import in_this_process

import eegzip

EEGZIP = Path(sys.executable).with_name("eegzip")


@pytest.fixture(scope="session")
def command() -> str:
    """Path of the installed script."""
    assert EEGZIP.is_file(), "the package is not installed"
    return str(EEGZIP)


@pytest.fixture
def run(command: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command with text in and out.

    In this process; with options of :func:`subprocess.run` other than ``cwd``, which concern a process, in one of its
    own.
    """

    def call(*arguments: object, cwd: Path | None = None, **process: Any) -> subprocess.CompletedProcess[str]:
        words = [command, *map(str, arguments)]
        if not process:
            return in_this_process(words, cwd)
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, cwd=cwd, **process)
        assert "Traceback" not in done.stderr + done.stdout
        return done

    return call


@pytest.fixture
def refused(run: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """Run a command that must fail with a code and one sentence, and must leave the folder as it was."""

    def call(code: int, *arguments: object, folder: Path, **options: Any) -> str:
        def snapshot() -> dict[str, bytes | None]:
            return {
                str(p): p.read_bytes() if p.is_file() and p.stat().st_size < 1 << 24 else None
                for p in folder.rglob("*")
            }

        before = snapshot()
        done = run(*arguments, **options)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert snapshot() == before
        last = done.stderr.strip().splitlines()[-1]
        if code == 1 or not done.stderr.startswith("Usage:"):
            assert done.stderr.count("\n") == 1, done.stderr
            assert last.startswith("eegzip: ")
        assert last.endswith(".") or last.startswith("Error: ")
        return last

    return call


@pytest.fixture(scope="session")
def exact_file(eegmat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that needs no network, in five chunks."""
    path = tmp_path_factory.mktemp("exact") / "exact.eegz"
    eegzip.compress(eegmat, path, exact=["*"], chunk_seconds=15)
    return path
