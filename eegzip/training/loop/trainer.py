"""The training loop.

Everything that a step does follows from the settings, the state and the step's number: which segments it sees, which
rows use how many codebooks, which entries are revived. A run that was killed and resumed therefore goes on as if
nothing had happened, to the same losses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eegzip.codecs.checkpoints.checkpoint import save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.dac_mc import EegDacMc
from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.data.batches import Batches
from eegzip.training.initialisation.from_data import DataStart
from eegzip.training.loop.distributed import Processes
from eegzip.training.loop.history import History, Watcher
from eegzip.training.loop.model import TrainedModel
from eegzip.training.loop.signals import stop_on_signals
from eegzip.training.loop.state import LAST, load_state, save_state
from eegzip.training.loop.validator import Validator
from eegzip.training.losses.adversarial import Adversary
from eegzip.training.losses.adversarial_schedule import AdversarialPhase
from eegzip.training.losses.total import energies_of, losses_of, prd_of, weighted_sum, weights_at, with_adversary
from eegzip.training.outcome import Outcome
from eegzip.training.quantiser import drawn_depths
from eegzip.training.reporting.journal import Journal
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.validation.windows import Validation


class Trainer:
    """One run.

    Parameters
    ----------
    settings
        Of the run.
    config
        Of the checkpoint; its codebook size is that of the first steps.
    network
        With the weights to start from.
    batches
        Gives batches.
    validation
        Measures the network on subjects held out.
    processes
        Which of how many this one is.
    journal
        Where to write the log; ``None`` in processes that don't lead.
    out
        Folder of the run.
    fresh
        Whether the weights are untrained: gains and quantiser then start from data.
    apart
        Whether data are to tell the channels of a group apart before the first step
        (:mod:`eegzip.training.initialisation.channels`).
    """

    def __init__(
        self,
        settings: TrainSettings,
        config: ModelConfig,
        network: TokenNetwork,
        batches: Batches,
        validation: Validation,
        processes: Processes,
        journal: Journal | None,
        out: Path,
        *,
        fresh: bool,
        apart: bool,
    ) -> None:
        self.settings, self.batches, self.processes, self.out = settings, batches, processes, out
        self.rows = processes.share(settings.optimiser.batch)
        self.fresh, self.apart = fresh, apart
        self.data_start = DataStart(batches, settings.optimiser.batch, settings.run.seed)
        self.open_steps = settings.quantiser.open_steps if fresh else 0
        self.step, self.spent = 0, 0.0
        self.history = History(settings.run, journal)
        self.validator = Validator(validation, self.history, out, settings.run.weights)
        self.phase = AdversarialPhase(settings.adversarial)
        self.adversary = None
        if not self.phase.ended:
            self.adversary = Adversary(settings.adversarial, processes.device, processes.wrapped)
        self.model = TrainedModel(settings, config, network, processes)

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the state, and the last checkpoint."""
        if not self.processes.leads:
            return
        state: dict[str, Any] = {
            **self.model.state(),
            "phase": self.phase.state(),
            "adversary": None if self.adversary is None else self.adversary.state(),
            "step": self.step,
            "spent": self.spent,
            "history": self.history.state(),
        }
        values, dtype = self.model.average.values, self.settings.run.weights
        save_checkpoint(self.out / LAST, self.model.config, values, overwrite=True, dtype=dtype)
        save_state(self.out, state)

    def resume(self) -> None:
        """Go on from the state in the run's folder."""
        state = load_state(self.out, self.processes.device)
        self.model = self.model.resumed(state)
        self.phase.load(state["phase"])
        if self.adversary is not None and state["adversary"] is not None:
            self.adversary.load(state["adversary"])
        self.step, self.spent = state["step"], state["spent"]
        self.history.resume(state["history"], self.step, self.spent)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self, watch: Watcher | None = None) -> Outcome:
        """Train until a limit or a signal ends it.

        Parameters
        ----------
        watch
            Called after every step with what a progress bar shows.
        """
        began, before = time.monotonic(), self.spent
        saved = before
        # TorchScript, of which the package's activations are made, sums gradients in another order in the first calls
        # of a process than in later ones; then a resumed run would not repeat an unbroken one bit for bit.
        with stop_on_signals() as stop, torch.jit.optimized_execution(False):
            if not self.step:
                self._validate()
                self._start_from_data()
            while not self._over():
                values = self._one_step()
                self.spent = before + time.monotonic() - began
                self._log(values, watch)
                # Before rounding begins there is nothing to measure.
                due = self.step % self.settings.run.validate_every == 0 and self.step > self.open_steps
                if due or self._over():
                    self._validate()
                    self.save()
                    saved = self.spent
                elif self.spent - saved > self.settings.run.save_seconds:
                    self.save()
                    saved = self.spent
                if self.processes.any(bool(stop.signal)):
                    self.save()
                    break
        self.processes.wait()
        history = self.history
        return Outcome(self.step, self.spent, stop.signal, history.first, history.best, history.last, history.best_step)

    def _over(self) -> bool:
        """Whether a limit is reached; the processes agree on it."""
        run = self.settings.run
        late = bool(run.max_seconds) and self.processes.leads and self.spent >= run.max_seconds
        return bool(run.max_steps and self.step >= run.max_steps) or (
            bool(run.max_seconds) and self.processes.any(late)
        )

    def _one_step(self) -> dict[str, float]:
        self._merge_codebooks()
        step, settings, model = self.step, self.settings, self.model
        generator = torch.Generator().manual_seed(settings.run.seed * 1_000_003 + step)
        if step == self.open_steps and self.fresh and settings.quantiser.start == "kmeans":
            self._set_weights(self.data_start.codebooks)
        is_open = step < self.open_steps
        first, count = self.rows
        wave, styles, present = self.batches.batch(step, settings.optimiser.batch, first, count)
        levels = model.config.network.n_codebooks
        depth = drawn_depths(settings.optimiser.batch, levels, 0 if is_open else settings.quantiser.dropout, generator)
        mine = depth[first : first + count].to(self.processes.device)
        restored, commitment, codebook, codes, rows = model.codec(wave, styles, present, mine, is_open)
        # Absent channels are no part of any loss.
        x, y = wave[present], restored[present]
        # Groups differ in size, so processes differ in how many channels they see.
        part = self.processes.weight(len(x))
        losses = {name: part * loss for name, loss in losses_of(x, y, settings.losses).items()}
        losses.update(commitment=commitment, codebook=codebook)
        playing = self.adversary is not None and self.phase.active(step) and not is_open
        discrimination = x.new_zeros(())
        if playing and self.adversary is not None:
            discrimination = with_adversary(losses, self.adversary, x, y, part)
        total = weighted_sum(losses, weights_at(settings, step))
        for group in model.optimiser.param_groups:
            group["lr"] = group["factor"] * settings.optimiser.rate_at(step)
        model.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(model.network.parameters(), settings.optimiser.clip)
        if bool(torch.isfinite(norm)):
            model.optimiser.step()
        model.average.update(model.network)
        self.step += 1
        if not is_open:
            self._keep_codebooks(codes, rows, depth, generator)
        parts = {f"loss/{name}": loss.detach() for name, loss in losses.items()}
        parts.update({"loss/total": total.detach(), "gradient": norm.detach()})
        values = torch.stack([*parts.values(), discrimination, *energies_of(x, y)])
        *found, discriminated, error, energy = self.processes.averaged(values).tolist()
        result = {**dict(zip(parts, found, strict=True)), "prd": prd_of(error, energy)}
        if playing:
            result["loss/discriminator"] = discriminated
            # Of what all processes saw, or one would end the phase while another waits for it.
            why = self.phase.observe(step, result["loss/spectrogram"] + result["loss/waveform"], discriminated)
            if why:
                self._record("event", message=f"the discriminators leave: {why}")
        return result

    # -- weights that data set -----------------------------------------------------------------------------------------

    def _start_from_data(self) -> None:
        """Set what the first step needs: gains of untrained weights, or what tells the channels of a group apart."""
        if self.fresh:
            self._set_weights(self.data_start.gains)
        elif self.apart and isinstance(self.model.network, EegDacMc):
            self._set_weights(self.data_start.channels)
            # What the start alone gave.
            self._validate()

    def _set_weights(self, start: Callable[[Any], str]) -> None:
        """Let the first process set weights, the others take them over, and count and average from here on."""
        if self.processes.leads:
            self._record("event", message=start(self.model.network))
        self.processes.agree(self.model.network)
        self.model.begin()

    def _keep_codebooks(
        self, codes: torch.Tensor, rows: list[torch.Tensor], depth: torch.Tensor, generator: torch.Generator
    ) -> None:
        model, gather = self.model, self.processes.gathered
        every = model.keeper.settings.revive_every
        codes, rows = gather(codes), [gather(row) for row in rows]
        model.keeper.update(model.network, codes, rows, depth.to(self.processes.device))
        if every and self.step % every == 0:
            model.keeper.revive(model.network, rows, model.optimiser, model.average.values, generator)

    def _merge_codebooks(self) -> None:
        """Merge codebook entries when a round is due."""
        start = self.settings.start
        number, rest = divmod(self.step, start.reduce_every)
        if rest or number >= len(start.reduce_to) or start.reduce_to[number] >= self.model.config.network.codebook_size:
            return
        size = start.reduce_to[number]
        self.model = self.model.merged(size)
        # Checkpoints of other sizes don't compare.
        self.history.best = {}
        self._record("event", message=f"codebooks merged to {size} entries")

    # -- looking at it -------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        """Let the process that leads validate; the others meet it again in the next step."""
        if self.processes.leads:
            self.validator(self.model, self.step, self.spent)

    def _log(self, values: dict[str, float], watch: Watcher | None) -> None:
        """Take a step's numbers into the log, and tell who watches."""
        optimiser = self.settings.optimiser
        seconds = self.settings.data.window_seconds * optimiser.batch * self.step
        pace = {"lr": optimiser.rate_at(self.step - 1), "seconds_per_second": seconds / max(self.spent, 1e-9)}
        use = self.history.stepped(self.step, self.spent, values, pace, self.model.keeper)
        if watch is not None:
            watch({"step": self.step, "seconds": self.spent, "validation": self.history.last, **use, **values})

    def _record(self, kind: str, **values: Any) -> None:
        self.history.record(kind, self.step, self.spent, **values)
