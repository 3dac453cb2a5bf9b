"""Rounds of refinement: codebooks, measured after each; the best are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from eegzip.training.codebooks.levels import fit_levels
from eegzip.training.codebooks.pool import Pool
from eegzip.training.codebooks.refine import refined, sorted_by_use
from eegzip.training.codebooks.validation import Validation
from eegzip.training.loop.history import Watcher
from eegzip.training.loop.signals import stop_on_signals
from eegzip.training.loop.state import load_state, save_state
from eegzip.training.outcome import Outcome
from eegzip.training.reporting.journal import Journal
from eegzip.training.settings.checked import TrainSettings

if TYPE_CHECKING:
    from eegzip.progress import Progress


class CodebookTrainer:
    """Fits codebooks and refines them; everything random is a function of seed and round.

    Parameters
    ----------
    settings
        Of the run.
    start
        Codebooks [levels, size, bins] to go on from; ``None``: from data.
    pool
        Where segments are drawn from.
    validation
        What measures codebooks.
    journal
        Where metrics go.
    out
        Folder of the run, for its state.
    save
        Called with codebooks where they are the best so far.
    progress
        Called with what is done, how much, and of how much.
    watch
        Called after every round.
    """

    def __init__(
        self,
        settings: TrainSettings,
        start: torch.Tensor | None,
        pool: Pool,
        validation: Validation,
        journal: Journal,
        out: Path,
        save: Callable[[torch.Tensor], None],
        progress: Progress | None,
        watch: Watcher | None,
    ) -> None:
        self._settings, self._pool, self._validation = settings, pool, validation
        self._journal, self._out, self._save = journal, out, save
        self._progress, self._watch = progress, watch
        self._tuning = start is not None
        self._codebooks = torch.zeros(0) if start is None else start
        self._round, self._seconds = 0, 0.0
        self._first: dict[str, Any] = {}
        self._best: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._best_round = 0

    def resume(self) -> None:
        """Go on from the state in the folder."""
        state = load_state(self._out, torch.device("cpu"))
        self._codebooks, self._round, self._seconds = state["codebooks"], state["round"], state["seconds"]
        self._first, self._best, self._last = state["metrics"]
        self._best_round = state["best_round"]
        self._journal.truncate_after(self._round)
        self._journal.record("resume", self._round, seconds=round(self._seconds, 2))

    def run(self) -> Outcome:
        """Fit and refine until the last round, a limit of time or a signal; return how it ended."""
        rounds, seed, limit = self._settings.codebooks.rounds, self._settings.run.seed, self._settings.run.max_seconds
        began = time.monotonic() - self._seconds
        with stop_on_signals() as request:
            if not self._first:
                # Codebooks from data are of no use to anyone before they are there, so this can't be left half done.
                self._accept(self._codebooks if self._tuning else self._start(), began)
                self._first = self._last
                self._store()
            while self._round < rounds and not request.signal and not (limit and self._seconds >= limit):
                generator = torch.Generator().manual_seed(seed + self._round + 1)
                some = self._pool.draw(self._settings.codebooks.frames, seed, self._round + 1)
                codebooks, before = refined(self._codebooks, some, self._validation.beam, generator)
                self._round += 1
                self._journal.record("step", self._round, loss={"total": round(before, 5)})
                self._accept(codebooks, began)
                self._store()
                if self._progress is not None:
                    self._progress("refining codebooks", self._round, rounds)
        signal = request.signal
        return Outcome(self._round, self._seconds, signal, self._first, self._best, self._last, self._best_round)

    def _start(self) -> torch.Tensor:
        wanted, model, seed = self._settings.codebooks, self._settings.model, self._settings.run.seed
        some = self._pool.draw(wanted.frames, seed, 0)
        found = fit_levels(some, model.n_codebooks, wanted.dimensions, model.codebook_size, seed, self._progress)
        # Entries keep their names while they are refined, so use is counted once.
        return sorted_by_use(found, some, self._validation.beam)

    def _accept(self, codebooks: torch.Tensor, began: float) -> None:
        """Go on with codebooks, and keep them where they are the best so far."""
        self._codebooks = codebooks
        self._last = self._validation(codebooks)
        self._seconds = time.monotonic() - began
        if not self._best or self._last["prd"] < self._best["prd"]:
            self._best, self._best_round = self._last, self._round
            # A model that is gone on from stays what it is until codebooks are better.
            if self._round or not self._tuning:
                self._save(codebooks)
        seconds = round(self._seconds, 2)
        self._journal.record("validation", self._round, seconds=seconds, **self._last, best_step=self._best_round)
        if self._watch is not None:
            self._watch({"stage": "codebooks", "step": self._round, "seconds": self._seconds, "validation": self._last})

    def _store(self) -> None:
        state = {
            "codebooks": self._codebooks,
            "round": self._round,
            "seconds": self._seconds,
            "metrics": [self._first, self._best, self._last],
            "best_round": self._best_round,
        }
        save_state(self._out, state)
