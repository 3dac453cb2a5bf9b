"""History of a run: metrics of its validations, and the steps since the last line of the log."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from eegzip.training.quantiser import CodebookKeeper
from eegzip.training.reporting.journal import Journal
from eegzip.training.settings.sections import RunSettings

Watcher = Callable[[dict[str, Any]], None]


class History:
    """Keeps the metrics of a run, and writes its journal.

    Parameters
    ----------
    settings
        How often to write, and which metric is the one to be best at.
    journal
        Where to; ``None`` in processes that don't lead.

    Attributes
    ----------
    first, best, last : dict
        Metrics of the first, the best and the last validation; empty before there was one.
    best_step : int
        Step of the best.
    """

    def __init__(self, settings: RunSettings, journal: Journal | None) -> None:
        self.settings, self.journal = settings, journal
        self.first: dict[str, Any] = {}
        self.best: dict[str, Any] = {}
        self.last: dict[str, Any] = {}
        self.best_step = 0
        self.lines: list[dict[str, float]] = []

    def validated(self, step: int, seconds: float, metrics: dict[str, Any]) -> bool:
        """Take a validation's metrics in; return whether they are the best so far."""
        self.last = metrics
        self.first = self.first or metrics
        name = self.settings.best
        better = not self.best or (math.isfinite(metrics[name]) and not metrics[name] >= self.best[name])
        if better:
            self.best, self.best_step = metrics, step
        self.record("validation", step, seconds, **metrics, best_step=self.best_step)
        return better

    def stepped(
        self, step: int, seconds: float, values: dict[str, float], pace: dict[str, float], keeper: CodebookKeeper
    ) -> dict[str, list[float]]:
        """Take a step's numbers in; when a line of the log is due, write their means.

        Parameters
        ----------
        step, seconds
            Steps done, and time in the loop.
        values
            Of the step; names that begin with ``loss/`` are losses.
        pace
            What is logged as it is: learning rate, throughput.
        keeper
            Whose codebooks are in use.

        Returns
        -------
        dict
            Use of the codebooks, where a line was due.
        """
        self.lines.append(values)
        if step % self.settings.log_every:
            return {}
        use = use_of_codebooks(keeper)
        names = sorted({name for line in self.lines for name in line})
        means = {name: float(np.mean([line[name] for line in self.lines if name in line])) for name in names}
        self.lines = []
        loss = {name.removeprefix("loss/"): means.pop(name) for name in list(means) if name.startswith("loss/")}
        self.record("step", step, seconds, loss=loss, **pace, **use, **means)
        return use

    def record(self, kind: str, step: int, seconds: float, **values: Any) -> None:
        """Write an entry into the journal."""
        if self.journal is not None:
            self.journal.record(kind, step, seconds=round(seconds, 2), **values)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {
            "first": self.first,
            "best": self.best,
            "last": self.last,
            "best_step": self.best_step,
            "lines": self.lines,
        }

    def resume(self, state: dict[str, Any], step: int, seconds: float) -> None:
        """Take up what :meth:`state` gave, and forget what was written after it."""
        self.first, self.best, self.last = state["first"], state["best"], state["last"]
        self.best_step, self.lines = state["best_step"], state["lines"]
        if self.journal is not None:
            self.journal.truncate_after(step)
        self.record("resume", step, seconds)


def use_of_codebooks(keeper: CodebookKeeper) -> dict[str, list[float]]:
    """Return share of entries in use and entropy in bits of each level, from the moving counts."""
    usage, entropy = [], []
    for uses in keeper.uses:
        share = uses / uses.sum()
        usage.append(round(float((share > 0.1 / len(share)).float().mean()), 4))
        entropy.append(round(float(torch.special.entr(share).sum() / math.log(2)), 4))
    return {"usage": usage, "entropy": entropy}
