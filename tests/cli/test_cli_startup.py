"""Commands that need no network answer at once and load none of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import eegzip

NETWORK = {"torch", "dac", "audiotools", "pyedflib", "pandas", "matplotlib", "sklearn"}
HEAVY = NETWORK | {"scipy", "numba"}
"""numba (which looks at scipy) is for those who code or decode predicted signals, and for nobody else."""
CPU_SECONDS = 0.5


@pytest.fixture(params=["--help", "--version", "compress --help", "info", "info --json", "info EDF"])
def arguments(request: pytest.FixtureRequest, eegmat: Path, exact_file: Path) -> list[str]:
    words = request.param.split()
    if words == ["info", "EDF"]:
        return ["info", str(eegmat)]
    return [*words, str(exact_file)] if words[0] in ("info", "verify") else words


@pytest.fixture
def lossy(request: pytest.FixtureRequest, eegmat: Path, compressed: object) -> Path:
    path: Path = compressed(eegmat)  # type: ignore[operator]
    return path


def loaded(words: list[str]) -> set[str]:
    """Top-level packages that a command loads."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-500:]
    names = [line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {name.split(".")[0] for name in names}


def test_nothing_heavy_is_loaded(arguments: list[str], command: str) -> None:
    packages = loaded([command, *arguments])
    assert "eegzip" in packages
    assert not packages & HEAVY


def test_nor_for_a_file_with_tokens(command: str, lossy: Path) -> None:
    assert not loaded([command, "info", str(lossy)]) & HEAVY


def test_predicted_signals_need_no_network(command: str, lossy: Path, exact_file: Path) -> None:
    for path in (lossy, exact_file):
        assert not loaded([command, "verify", str(path)]) & NETWORK


def test_nor_for_a_recording_without_eeg(command: str, short_psg: Path, exact_file: Path, tmp_path: Path) -> None:
    source = short_psg.with_name("test_utf8_annotations.edf")
    for words in (
        ["compress", source, tmp_path / "a.eegz"],
        ["decompress", tmp_path / "a.eegz", tmp_path / "a.edf"],
        ["verify", "--deep", exact_file],
    ):
        assert not loaded([command, *map(str, words)]) & NETWORK


def test_importing_the_package_costs_nothing() -> None:
    assert not loaded(["-c", "import eegzip; eegzip.compress; eegzip.open; eegzip.UsageError"]) & HEAVY
    assert "numpy" not in loaded(["-c", "import eegzip"])
    assert {"compress", "open", "verify"} <= set(dir(eegzip))


def cpu_seconds(words: list[str]) -> float:
    """Time that a command spends, by itself and in the system; other work on the machine doesn't count."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_the_answer_comes_at_once(arguments: list[str], command: str) -> None:
    assert min(cpu_seconds([command, *arguments]) for _ in range(3)) < CPU_SECONDS
