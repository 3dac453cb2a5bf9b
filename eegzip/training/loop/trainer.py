"""The training loop.

Everything that a step does follows from the settings, the state and the step's number: which segments it sees, which
rows use how many codebooks, which entries are revived. A run that was killed and resumed therefore goes on as if
nothing had happened, to the same losses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eegzip.codecs.checkpoints.checkpoint import save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.codebook_reduction import reduced
from eegzip.codecs.networks.dac import EegDac
from eegzip.codecs.networks.dac_mc import EegDacMc
from eegzip.training.data.batches import Feed
from eegzip.training.initialisation.from_data import DataStart
from eegzip.training.loop.distributed import Processes
from eegzip.training.loop.ema import WeightAverage
from eegzip.training.loop.history import History, Watcher
from eegzip.training.loop.signals import StopRequest, stop_on_signals
from eegzip.training.loop.state import LAST, load_state, save_state
from eegzip.training.loop.step import CodecStep
from eegzip.training.losses.adversarial import Adversary
from eegzip.training.losses.adversarial_schedule import AdversarialPhase
from eegzip.training.losses.total import energies_of, losses_of, prd_of, weighted_sum, weights_at, with_adversary
from eegzip.training.outcome import Outcome
from eegzip.training.quantiser import CodebookKeeper, drawn_depths
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
    feed
        Gives batches.
    validation
        Measures the network on people held out.
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
        network: EegDac,
        feed: Feed,
        validation: Validation,
        processes: Processes,
        journal: Journal | None,
        out: Path,
        *,
        fresh: bool,
        apart: bool,
    ) -> None:
        self.settings, self.config, self.feed, self.validation = settings, config, feed, validation
        self.processes, self.out = processes, out
        self.device = processes.device
        self.rows = processes.share(settings.optimiser.batch)
        self.fresh, self.apart = fresh, apart
        self.data_start = DataStart(feed, settings.optimiser.batch, settings.run.seed)
        self.open_steps = settings.quantiser.open_steps if fresh else 0
        self.starts_codebooks = fresh and settings.quantiser.start == "kmeans"
        self.step, self.spent = 0, 0.0
        self.history = History(settings.run, journal)
        self.phase = AdversarialPhase(settings.adversarial)
        self.adversary = None
        if not self.phase.ended:
            self.adversary = Adversary(settings.adversarial, self.device, processes.wrapped)
        self._take(network)

    def _take(self, network: EegDac) -> None:
        """Train this network from here on: optimiser, averages and counts begin anew."""
        optimiser = self.settings.optimiser
        self.network = network.to(self.device).train()
        if self.settings.quantiser.update == "ema":
            for quantizer in network.quantizer.quantizers:
                quantizer.codebook.weight.requires_grad_(False)
        trained = [p for p in network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(trained, lr=optimiser.lr, betas=(optimiser.betas[0], optimiser.betas[1]))
        self.average = WeightAverage(network, optimiser.average)
        self.keeper = CodebookKeeper(network, self.settings.quantiser)
        autocast = optimiser.autocast == "bfloat16" or (optimiser.autocast == "auto" and self.device.type == "cuda")
        self.codec = self.processes.wrapped(CodecStep(network, autocast=autocast))
        self.judged = build(self.config).to(self.device).eval().requires_grad_(False)

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the state, and the last checkpoint."""
        if not self.processes.leads:
            return
        state: dict[str, Any] = {
            "codebook_size": self.config.network.codebook_size,
            "network": self.network.state_dict(),
            "average": self.average.values,
            "averaged_steps": self.average.steps,
            "optimiser": self.optimiser.state_dict(),
            "keeper": self.keeper.state(),
            "phase": self.phase.state(),
            "adversary": None if self.adversary is None else self.adversary.state(),
            "step": self.step,
            "spent": self.spent,
            "history": self.history.state(),
        }
        save_checkpoint(self.out / LAST, self.config, self.average.values, overwrite=True)
        save_state(self.out, state)

    def resume(self) -> None:
        """Go on from the state in the run's folder."""
        state = load_state(self.out, self.device)
        if state["codebook_size"] != self.config.network.codebook_size:
            self._resize(state["codebook_size"])
            self._take(build(self.config))
        self.network.load_state_dict(state["network"])
        self.average.values, self.average.steps = state["average"], state["averaged_steps"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.keeper.load(state["keeper"])
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
            if not self.history.first:
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
                if self._asked_to_stop(stop):
                    self.save()
                    break
        self.processes.wait()
        history = self.history
        return Outcome(self.step, self.spent, stop.signal, history.first, history.best, history.last, history.best_step)

    def _asked_to_stop(self, stop: StopRequest) -> bool:
        return self.processes.any(bool(stop.signal))

    def _over(self) -> bool:
        """Whether a limit is reached; the processes agree on it."""
        run = self.settings.run
        late = bool(run.max_seconds) and self.processes.leads and self.spent >= run.max_seconds
        return bool(run.max_steps and self.step >= run.max_steps) or (
            bool(run.max_seconds) and self.processes.any(late)
        )

    def _one_step(self) -> dict[str, float]:
        self._reduce_vocabulary()
        step, settings = self.step, self.settings
        generator = torch.Generator().manual_seed(settings.run.seed * 1_000_003 + step)
        if step == self.open_steps and self.starts_codebooks:
            self._set_weights(self.data_start.codebooks)
        is_open = step < self.open_steps
        first, count = self.rows
        wave, styles, present = self.feed.batch(step, settings.optimiser.batch, first, count)
        levels = self.config.network.n_codebooks
        depth = drawn_depths(settings.optimiser.batch, levels, 0 if is_open else settings.quantiser.dropout, generator)
        mine = depth[first : first + count].to(self.device)
        restored, commitment, codebook, codes, rows = self.codec(wave, styles, present, mine, is_open)
        # Absent channels are no part of any loss.
        x, y = wave[present], restored[present]
        # Groups differ in size, so processes differ in how many channels they see.
        part = self.processes.weight(len(x))
        losses = {name: part * loss for name, loss in losses_of(x, y, stft=bool(settings.losses.stft)).items()}
        losses.update(commitment=commitment, codebook=codebook)
        playing = self.adversary is not None and self.phase.active(step) and not is_open
        discrimination = x.new_zeros(())
        if playing and self.adversary is not None:
            discrimination = with_adversary(losses, self.adversary, x, y, part)
        total = weighted_sum(losses, weights_at(settings, step))
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.optimiser.clip)
        if bool(torch.isfinite(norm)):
            self.optimiser.step()
        self.average.update(self.network)
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

    def learning_rate(self, step: int) -> float:
        """Return Adam's learning rate at a step: a linear rise, then halving ever again."""
        optimiser = self.settings.optimiser
        rate = optimiser.lr * min(1.0, (step + 1) / max(optimiser.warmup, 1))
        return rate * 0.5 ** (step / optimiser.half_life) if optimiser.half_life else rate

    # -- weights that data set -----------------------------------------------------------------------------------------

    def _start_from_data(self) -> None:
        """Set what the first step needs: gains of untrained weights, or what tells the channels of a group apart."""
        if self.fresh:
            self._set_weights(self.data_start.level)
        elif self.apart and isinstance(self.network, EegDacMc):
            self._set_weights(self.data_start.channels)
            # What the start alone gave.
            self._validate()

    def _set_weights(self, start: Callable[[Any], str]) -> None:
        """Let the first process set weights, the others take them over, and count and average from here on."""
        if self.processes.leads:
            self._record("event", message=start(self.network))
        self.processes.agree(self.network)
        self.keeper.begin(self.network)
        self.average.begin(self.network)

    def _keep_codebooks(
        self, codes: torch.Tensor, rows: list[torch.Tensor], depth: torch.Tensor, generator: torch.Generator
    ) -> None:
        gather, every = self.processes.gathered, self.settings.quantiser.revive_every
        codes, rows = gather(codes), [gather(row) for row in rows]
        self.keeper.update(self.network, codes, rows, depth.to(self.device))
        if every and self.step % every == 0:
            self.keeper.revive(self.network, rows, self.optimiser, self.average.values, generator)

    def _reduce_vocabulary(self) -> None:
        """Merge codebook entries when a round is due."""
        start = self.settings.start
        number, rest = divmod(self.step, start.reduce_every)
        if rest or number >= len(start.reduce_to) or start.reduce_to[number] >= self.config.network.codebook_size:
            return
        size = start.reduce_to[number]
        state, self.config = reduced(
            self.network.state_dict(), self.config, size, [use.cpu().numpy() for use in self.keeper.uses]
        )
        network = build(self.config)
        network.load_state_dict(state)
        self._take(network)
        # Checkpoints of other sizes don't compare.
        self.history.best = {}
        self._record("event", message=f"codebooks merged to {size} entries")

    def _resize(self, size: int) -> None:
        self.config = replace(self.config, network=replace(self.config.network, codebook_size=size))

    # -- looking at it -------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        """Measure the averaged weights on people held out; keep them when they are the best so far."""
        if not self.processes.leads:
            self.history.first = self.history.first or {"waited": True}
            return
        self.judged.load_state_dict(self.average.values)
        if self.history.validated(self.step, self.spent, self.validation.measure(self.judged)):
            save_checkpoint(self.out, self.config, self.average.values, overwrite=True)

    def _log(self, values: dict[str, float], watch: Watcher | None) -> None:
        """Take a step's numbers into the log, and tell who watches."""
        seconds = self.settings.data.window_seconds * self.settings.optimiser.batch * self.step
        pace = {"lr": self.learning_rate(self.step - 1), "seconds_per_second": seconds / max(self.spent, 1e-9)}
        use = self.history.stepped(self.step, self.spent, values, pace, self.keeper)
        if watch is not None:
            watch({"step": self.step, "seconds": self.spent, "validation": self.history.last, **use, **values})

    def _record(self, kind: str, **values: Any) -> None:
        self.history.record(kind, self.step, self.spent, **values)
