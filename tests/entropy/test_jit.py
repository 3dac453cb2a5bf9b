"""Compiled functions: brought along by an installation, loaded without a compiler, kept where there is a place."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from api.recordings import ROOT
from llvmlite import binding

from eegzip.formats.entropy import brought, jit

SOURCE = """
from eegzip.formats.entropy.jit import jit

@jit
def doubled(values):
    for place in range(len(values)):
        values[place] = 2 * values[place]
"""


def module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A module of a package, nothing of it compiled yet."""
    path = tmp_path / "package" / "part" / "kernel.py"
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE)
    return path


def called(path: Path) -> Any:
    """The module's function, loaded anew and called."""
    function = module(path, "package.part.kernel").doubled
    values = np.arange(3)
    function(values)
    assert values.tolist() == [0, 2, 4]
    return function


@contextmanager
def processor(monkeypatch: pytest.MonkeyPatch, features: dict[str, bool]) -> Iterator[None]:
    """As on a processor of those features."""
    with monkeypatch.context() as patch:
        patch.setattr(binding, "get_host_cpu_features", lambda: features)
        brought.level.cache_clear()
        yield
    brought.level.cache_clear()


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba as it is by itself, whatever settings these tests run under."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", None)


@pytest.mark.usefixtures("ordinary")
def test_what_is_brought_along_is_not_compiled(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not called(kernel).stats.cache_hits
    package = kernel.parents[1]
    assert module(ROOT / "compile_ahead.py", "compile_ahead").move(package) == 1
    assert not list(package.rglob("__pycache__/*.nb?"))
    monkeypatch.setattr(brought, "COMPILED", package / "compiled")
    assert called(kernel).stats.cache_hits
    assert not list(package.rglob("__pycache__/*.nb?"))
    # Another source, an older processor: both have to compile.
    with processor(monkeypatch, {"sse3": True}):
        assert not called(kernel).stats.cache_hits
    # Whoever wants indices to be checked: what was brought along does not check them.
    for kept in package.rglob("__pycache__/*.nb?"):
        kept.unlink()
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    assert not called(kernel).stats.cache_hits
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", None)
    kernel.write_text(SOURCE.replace("2 *", "1 * 2 *"))
    assert not called(kernel).stats.cache_hits


def test_without_a_place_to_write_to_nothing_is_kept(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brought._Place, "_locator_classes", [brought._Nowhere])
    for _ in range(2):
        assert not called(kernel).stats.cache_hits
    assert not list(kernel.parent.rglob("*.nb?"))


def test_a_numba_that_keeps_code_otherwise_keeps_it_itself(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "BroughtCache", None)
    assert not called(kernel).stats.cache_hits
    assert called(kernel).stats.cache_hits


def test_levels_are_those_of_llvm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert brought.level() in (*brought.LEVELS, "generic")
    with processor(monkeypatch, {}):
        assert brought.level() == "generic"


def test_loading_takes_no_compiler(short_psg: Path, tmp_path: Path) -> None:
    """Once it is compiled: none of what only numba's compiler needs, which takes half a second."""
    program = (
        "import sys, eegzip\n"
        "eegzip.compress(sys.argv[1], sys.argv[2], lossless=True, overwrite=True)\n"
        "print([name for name in sys.modules if name in ('numba.np.arraymath', 'scipy.linalg')])\n"
    )
    for _ in range(2):
        # In a fresh checkout the first process compiles.
        done = subprocess.run(
            [sys.executable, "-c", program, str(short_psg), str(tmp_path / "a.eegz")],
            capture_output=True, text=True, check=True, timeout=280,
        )  # fmt: skip
        if done.stdout.strip() == "[]":
            break
    else:
        pytest.fail(done.stdout)
