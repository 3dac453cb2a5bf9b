from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edf_builder import SHARED, SHIPPED, Builder

from eegzip.formats.edf import EdfFile


def recordings(*folders: Path) -> list[Path]:
    """All recordings below the folders that are there; the big development set need not be."""
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in (".edf", ".bdf"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sets = {
        "recording": recordings(SHIPPED, SHARED),
        "odd_recording": recordings(SHIPPED, SHARED / "formats"),
    }
    for name, paths in sets.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, paths, ids=[f"{p.parent.name}/{p.name}" for p in paths])


@pytest.fixture
def shared() -> Path:
    return SHARED


@pytest.fixture
def shipped() -> Path:
    return SHIPPED


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Builder | bytes], EdfFile]:
    """Write a built file to disk and open it."""

    def make(source: Builder | bytes) -> EdfFile:
        path = tmp_path / "made.edf"
        path.write_bytes(source.build() if isinstance(source, Builder) else source)
        return EdfFile.open(path)

    return make
