"""State of a run on disk: itself, its settings, its checkpoints; kept and found again.

``state.pt`` holds everything that the next step depends on, and nothing but tensors and plain values: it is read with
``weights_only``, so a state from somewhere else runs nothing. Batches and random choices are functions of seed and step
and need no state at all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip.formats.errors import ModelError, OutputError
from eegzip.formats.files import replaced
from eegzip.formats.json_text import parsed
from eegzip.training.settings.checked import TrainSettings

if TYPE_CHECKING:
    import torch

STATE = "state.pt"
SETTINGS = "settings.json"
LAST = "last"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state of a run, whole or not at all.

    Raises
    ------
    OutputError
        The folder can't be written, or is full.
    """
    import torch

    try:
        with replaced(folder / STATE) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"the state of the run can't be written to {folder}: {error}.") from error


def load_state(folder: Path, device: torch.device) -> dict[str, Any]:
    """Read the state of a run.

    Raises
    ------
    ModelError
        There is none, or it is damaged.
    """
    import torch

    path = folder / STATE
    if not path.is_file():
        raise ModelError(f"{folder} holds no run that could be resumed: it has no {STATE}.")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise ModelError(f"{path} is damaged; the run can't be resumed from it.") from error
    return state


def save_settings(folder: Path, settings: TrainSettings) -> None:
    """Write the settings of a run.

    Raises
    ------
    OutputError
        The folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(folder / SETTINGS) as part:
            part.write_text(json.dumps(settings.to_dict(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"the settings can't be written to {folder}: {error.strerror}.") from error


def load_run_settings(folder: Path) -> TrainSettings:
    """Read the settings that a run was started with.

    Raises
    ------
    ModelError
        There are none, or they are damaged.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise ModelError(f"{folder} holds no run that could be resumed: it has no {SETTINGS}.")
    try:
        content = parsed(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is damaged; the run can't be resumed.") from error
    return TrainSettings().changed(content, str(path))
