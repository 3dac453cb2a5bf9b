"""Damaged files give the errors that they gave, in kind and place, and what is salvaged of them stays the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from damaged_outcomes import outcome

FOLDER = Path(__file__).parent / "damaged"
EXPECTED = json.loads((FOLDER / "errors.json").read_text())


def test_all_are_there() -> None:
    assert {path.name for path in FOLDER.glob("*.eegz")} == set(EXPECTED)
    kinds = {str(found["decompress"]) for found in EXPECTED.values()}
    assert len(kinds) > 20


@pytest.mark.parametrize("name", EXPECTED)
def test_an_old_error_is_still_that_error(name: str) -> None:
    assert outcome(FOLDER / name) == EXPECTED[name]
