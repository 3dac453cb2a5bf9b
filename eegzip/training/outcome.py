"""Outcome of a training loop, as plain data: no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Time in the loop, over all resumptions.
    signal : int
        Signal that stopped it; 0: it came to its end.
    first, best, last : dict
        Metrics of the first, the best and the last validation.
    best_step : int
        Step of the best.
    """

    step: int
    seconds: float
    signal: int
    first: dict[str, Any]
    best: dict[str, Any]
    last: dict[str, Any]
    best_step: int


@dataclass(frozen=True)
class FinishedRun:
    """What a run leaves to report: how it ended, on whose recordings, and the files that could not be used, and why."""

    outcome: Outcome
    subjects: list[str]
    held_out: list[str]
    skipped: list[tuple[str, str]]


@dataclass(frozen=True)
class FinishedStage:
    """A stage of a run.

    Attributes
    ----------
    stage : str
    folder : Path
        Where its model lies.
    run : FinishedRun
    change_percent : float or None
        See :class:`eegzip.training.api.TrainingReport`, ``at_equal_bytes``.
    """

    stage: str
    folder: Path
    run: FinishedRun
    change_percent: float | None = None
