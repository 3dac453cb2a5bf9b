"""The configs of the paper's experiments hold together: their settings are settings, their recordings are there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import eegzip
from eegzip.training.settings.checked import TrainSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAPER = Path(__file__).parents[2] / "examples" / "paper"
COMMANDS = sorted(path.stem for path in PAPER.glob("*.py") if path.stem != "experiment")


def config(name: str) -> dict:
    return tomllib.loads((PAPER / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["here", "paper"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_finds_what_it_asks_for(command: str, name: str) -> None:
    source = (PAPER / f"{command}.py").read_text(encoding="utf-8")
    asked = set(re.findall(r'own\["(\w+)"\]', source)) - ({"people"} if name == "paper" else set())
    assert asked
    assert asked <= set(config(name)[command])


@pytest.mark.parametrize("name", ["here", "paper"])
def test_values_are_settings_of_training(name: str) -> None:
    for section in config(name).values():
        for part in ("values", "audio_values"):
            values = section.get(part, {}) if isinstance(section, dict) else {}
            assert TrainSettings().changed(values, name) is not None
    with pytest.raises(eegzip.UsageError):
        TrainSettings().changed({"run": {"max_step": 1}}, name)
