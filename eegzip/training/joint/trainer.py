"""The loop: examples, steps, validations, states on disk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eegzip.codecs.networks.joint import JointDecoder
from eegzip.formats.parallel import cores
from eegzip.training.joint.examples import Draw
from eegzip.training.joint.stacks import Stack, stacks_from
from eegzip.training.joint.validation import Validation, relative_error
from eegzip.training.loop.ema import WeightAverage
from eegzip.training.loop.history import Watcher
from eegzip.training.loop.signals import stop_on_signals
from eegzip.training.loop.state import load_state, save_state
from eegzip.training.outcome import Outcome
from eegzip.training.reporting.journal import Journal
from eegzip.training.settings.checked import TrainSettings

# What is left of the learning rate at the end.
_LAST_RATE = 0.02
# Keeps the ratio of two errors finite where there are none.
_FLOOR = 1e-5


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Let torch multiply matrices at a precision."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class JointTrainer:
    """Trains a joint decoder; everything random is a function of seed and step.

    Parameters
    ----------
    settings
        Of the run.
    decoder
        At the weights to start from, on the device to train on.
    draw
        Where examples come from.
    validation
        What measures it.
    journal
        Where metrics go.
    out
        Folder of the run, for its state.
    save
        Called with the averaged weights where they are the best so far.
    tuning
        Whether the weights are trained already. They are then measured first, and stay where no step does better.
    """

    def __init__(
        self,
        settings: TrainSettings,
        decoder: JointDecoder,
        draw: Draw,
        validation: Validation,
        journal: Journal,
        out: Path,
        save: Callable[[dict[str, torch.Tensor]], None],
        *,
        tuning: bool,
    ) -> None:
        self._settings, self._decoder, self._draw, self._validation = settings, decoder, draw, validation
        self._journal, self._out, self._save, self._tuning = journal, out, save, tuning
        optimiser, weight_decay = settings.optimiser, settings.joint.weight_decay
        betas = (optimiser.betas[0], optimiser.betas[1])
        self._optimiser = torch.optim.AdamW(decoder.parameters(), optimiser.lr, betas, weight_decay=weight_decay)
        self._average = WeightAverage(decoder, optimiser.average)
        self._device = decoder.noise.device
        self._measured = JointDecoder(decoder.config, len(decoder.noise) - 1, decoder.bins).to(self._device)
        self._step, self._seconds = 0, 0.0
        # Of tokens alone, by definition.
        self._first: dict[str, Any] = {"prd": 100.0}
        self._best: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._best_step = 0
        self._losses: list[float] = []

    def resume(self) -> None:
        """Go on from the state in the folder."""
        state = load_state(self._out, self._device)
        self._decoder.load_state_dict(state["decoder"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._average.values, self._average.steps = state["average"], state["averaged"]
        self._step, self._seconds, self._losses = state["step"], state["seconds"], state["losses"]
        self._first, self._best, self._last = state["metrics"]
        self._best_step = state["best_step"]
        self._journal.truncate_after(self._step)
        self._journal.record("resume", self._step, seconds=round(self._seconds, 2))

    def run(self, watch: Watcher | None) -> Outcome:
        """Train until a limit or a signal; return how it ended."""
        run = self._settings.run
        began = saved = time.monotonic() - self._seconds
        with stop_on_signals() as request:
            if self._tuning and not self._step:
                self._validate()
                self._first = self._last
            examples = self._settings.optimiser.batch
            stacks = stacks_from(self._step, self._draw, examples, self._device, self._settings.data.workers or cores())
            while self._share() < 1.0 and not request.signal:
                loss = self._learn(next(stacks))
                self._step += 1
                self._seconds = time.monotonic() - began
                self._losses.append(loss)
                if self._step % run.log_every == 0:
                    mean = sum(self._losses) / len(self._losses)
                    rate = self._rate()
                    self._record("step", loss={"total": round(mean, 6)}, lr=round(rate, 8))
                    self._losses = []
                if self._step % run.validate_every == 0:
                    self._validate()
                if time.monotonic() - saved > run.save_seconds:
                    saved = time.monotonic()
                    self._store()
                if watch is not None:
                    watch(
                        {
                            "step": self._step,
                            "seconds": self._seconds,
                            "loss/total": loss,
                            "validation": self._last,
                        }
                    )
            signal = request.signal
        if not signal and (self._step % run.validate_every or not self._best):
            self._validate()
        elif signal and not self._best:
            # So that there is a model; when the run goes on, this counts for nothing.
            self._last = self._measure()
            self._save(self._average.values)
        self._store()
        best = (self._best, self._best_step) if self._best else (self._last, self._step)
        return Outcome(self._step, self._seconds, signal, self._first, best[0], self._last, best[1])

    def _share(self) -> float:
        """How much of the run is done, by the limit that is nearer."""
        run = self._settings.run
        by_steps = self._step / run.max_steps if run.max_steps else 0.0
        by_time = self._seconds / run.max_seconds if run.max_seconds else 0.0
        return min(max(by_steps, by_time), 1.0)

    def _rate(self) -> float:
        """The learning rate: a linear rise, then half a cosine down."""
        optimiser = self._settings.optimiser
        fall = 0.5 * (1 + math.cos(math.pi * self._share())) * (1 - _LAST_RATE) + _LAST_RATE
        return optimiser.lr * min(1.0, (self._step + 1) / max(optimiser.warmup, 1)) * fall

    def _learn(self, stacks: list[Stack]) -> float:
        optimiser = self._settings.optimiser
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        self._optimiser.zero_grad()
        total = torch.zeros((), device=self._device)
        # Tensor cores, where there are any: three digits are plenty for a gradient.
        with matmul_precision("high"):
            for stack in stacks:
                loss = self._loss(stack.to(self._device)) / optimiser.batch
                loss.backward()
                total += loss.detach()
        nn.utils.clip_grad_norm_(self._decoder.parameters(), optimiser.clip)
        self._optimiser.step()
        self._average.update(self._decoder)
        return total.item()

    def _loss(self, stack: Stack) -> torch.Tensor:
        """Return the mean logarithm of what is left of each channel's PRD, summed over examples."""
        latents, decoded, loudness, depth, channels, neighbours = stack
        refined = self._decoder(decoded, depth[:, None, None].expand(loudness.shape), neighbours, channels)[0]
        after = relative_error(latents, refined, loudness)
        before = relative_error(latents, decoded, loudness)
        real = torch.arange(loudness.shape[1], device=channels.device) < channels[:, None]
        left = ((after + _FLOOR) / (before + _FLOOR)).log() * real
        return 0.5 * (left.sum(1) / channels).sum()

    def _measure(self) -> dict[str, Any]:
        self._measured.load_state_dict(self._average.values)
        with matmul_precision("highest"):
            return self._validation(self._measured)

    def _validate(self) -> None:
        found = self._measure()
        better = not self._best or found["prd"] < self._best["prd"]
        self._last = found
        if better:
            self._best, self._best_step = found, self._step
            self._save(self._average.values)
        self._record("validation", **found, best_step=self._best_step)

    def _store(self) -> None:
        state = {
            "decoder": self._decoder.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": self._average.values,
            "averaged": self._average.steps,
            "step": self._step,
            "seconds": self._seconds,
            "losses": self._losses,
            "metrics": [self._first, self._best, self._last],
            "best_step": self._best_step,
        }
        save_state(self._out, state)

    def _record(self, kind: str, **values: Any) -> None:
        self._journal.record(kind, self._step, seconds=round(self._seconds, 2), **values)
