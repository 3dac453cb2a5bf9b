"""Commands that need no network answer at once and load none of it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import eegzip

NETWORK = {"torch", "dac", "audiotools", "pyedflib", "pandas", "matplotlib", "sklearn"}
HEAVY = NETWORK | {"scipy", "numba"}
"""numba (which looks at scipy) is for those who code or decode predicted signals, and for nobody else."""
MODULES = {"help": 200, "info": 480}
"""Most modules that a command may load, all of the standard library's among them: what start-up takes goes by these."""


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


def modules(words: list[str]) -> list[str]:
    """Modules that a command loads, in order."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-500:]
    return [line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]


def loaded(words: list[str]) -> set[str]:
    """Top-level packages that a command loads."""
    return {name.split(".")[0] for name in modules(words)}


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


def test_the_answer_takes_little_work(arguments: list[str], command: str) -> None:
    most = MODULES["info" if arguments[0] == "info" else "help"]
    names = modules([command, *arguments])
    assert len(names) < most


# Opens nothing but what it is asked about: no weights, no dictionary, no settings. Code is not counted.
_OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from eegzip.cli.main import run
try:
    run()
except SystemExit as error:
    code = error.code
print([name for name in opened if not name.endswith((".py", ".pyc", ".pth", ".mo"))], file=sys.stderr)
sys.exit(code)
"""


def test_nothing_else_is_opened(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _OPENED, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    opened = ast.literal_eval(done.stderr.splitlines()[-1])
    about = [word for word in arguments if Path(word).is_file()]
    assert set(opened) <= {*about, os.devnull, "/proc/cpuinfo"}
    assert all(opened.count(path) <= 2 for path in about)
