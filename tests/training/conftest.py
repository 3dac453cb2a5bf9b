"""What tests of training share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eegzip.training.reporting import artifacts


@pytest.fixture
def drawn() -> None:
    """Ask that runs end with their picture."""


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs end without their picture: drawing it takes longer than twelve steps of a tiny network.

    What it shows is tested in test_curves; that a run leaves one, where ``drawn`` is asked for.
    """
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(artifacts, "plot_curves", lambda *_: None)


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory, eegmat: Path) -> Path:
    """A folder of recordings of two people: the same one, under two names."""
    folder = tmp_path_factory.mktemp("people")
    for name in ("Subject01_1.edf", "Subject02_1.edf"):
        shutil.copyfile(eegmat, folder / name)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what is prepared is kept."""
    return tmp_path_factory.mktemp("cache")
