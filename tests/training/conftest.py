"""What tests of training share."""

from __future__ import annotations

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
