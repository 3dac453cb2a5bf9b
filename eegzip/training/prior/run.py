"""A run of the stage ``prior`` from its settings to its folder: tokens, fit, judgement, model, card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, add_prior, load_checkpoint, read_prior, rename
from eegzip.codecs.checkpoints.config import MAX_MIXTURE, ChannelCoding, ModelConfig, MultichannelConfig
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.tables import TokenPrior
from eegzip.training.base_model import BaseModel
from eegzip.training.loop.signals import stop_on_signals
from eegzip.training.loop.state import load_state, save_state
from eegzip.training.outcome import FinishedRun, Outcome
from eegzip.training.prior.card import prior_card
from eegzip.training.prior.fit import PriorFit
from eegzip.training.prior.measure import measure
from eegzip.training.prior.pieces import Tokens, chosen_parts, tokens_of
from eegzip.training.prior.rows import Piece, words_like, words_of
from eegzip.training.reporting.journal import Journal
from eegzip.training.reporting.stage_facts import StageFacts, write_card
from eegzip.training.segments.gathering import Gathered, cache_of, gathered, parts_of
from eegzip.training.segments.recordings import Part
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.stage_work import StageWork

if TYPE_CHECKING:
    from eegzip.progress import Progress
    from eegzip.training.loop.history import Watcher

_SAVED_EVERY = 100


def run(work: StageWork) -> FinishedRun:
    """Do the stage; return what came of it.

    Where the start has no prior, that of the run's origin is gone on from.
    """
    settings, out, name, origin = work.settings, work.out, work.name, work.origin
    start = work.model_for("prior")
    torch.set_num_threads(settings.run.threads or 1)
    model = _begun(settings, out, name, start)
    material = _material(settings, model, work.progress)
    seen, held_out = ([p for one in side for p in one.pieces] for side in (material.train, material.validation))
    known, older = _prior_of(start), None if origin is None else _prior_of(origin)
    if known is not None:
        words, begin = known.tables.words, known.stored()
    elif origin is not None and older is not None and origin.config.network == start.config.network:
        words, begin = words_like(model, origin, older.tables), older.stored()
    else:
        words, begin = words_of(model), None
    fit = PriorFit(words, seen, settings.prior, settings.run.seed, begin)
    with Journal(out) as journal:
        if work.resume:
            fit.load(load_state(out, torch.device("cpu")))
            journal.truncate_after(fit.step)
            journal.record("resume", fit.step, seconds=round(fit.seconds, 2))
        else:
            journal.begin(name, settings.to_dict())
            save_state(out, fit.state())
        signal = _fitted(fit, settings, out, journal, work.progress, work.watch)
        outcome = _judged(fit, model, known, held_out, signal)
        journal.record("validation", fit.step, seconds=round(fit.seconds, 2), **outcome.last)
    finished = material.finished(outcome)
    facts = StageFacts(load_checkpoint(out), start, settings, finished, material.hours, material.files, work.command)
    write_card(out, prior_card(facts))
    return finished


def _begun(settings: TrainSettings, out: Path, name: str, start: Checkpoint) -> Checkpoint:
    """Return the model as it is before it has new tables."""
    BaseModel(start, name, joint=True).write(out)
    if not settings.prior.components:
        return load_checkpoint(out)
    if start.config.multichannel is not None or not start.config.network.linear_path:
        raise UsageError(
            f"prior.components needs a model of single channels with a linear path, which {start.config.name} is not."
        )
    return rename(out, of_components(start.config, name))


def of_components(config: ModelConfig, name: str) -> ModelConfig:
    """Return the config of the model of whole recordings that has the weights of one of single channels."""
    shared = MultichannelConfig(max_channels=MAX_MIXTURE, styles=ChannelCoding.KLT.value)
    return replace(config, name=name, architecture="dac-mc", multichannel=shared, joint=None)


def _prior_of(model: Checkpoint) -> TokenPrior | None:
    return None if model.config.prior is None else read_prior(model.folder, model.config.prior)


def _material(settings: TrainSettings, model: Checkpoint, progress: Progress | None) -> Gathered[Tokens]:
    wanted, seed, cache = settings.prior, settings.run.seed, cache_of(settings)
    jobs = [(part, 0) for part in chosen_parts(parts_of(settings), wanted.recordings, seed)]

    def make(part: Part, _variant: int) -> Tokens:
        return tokens_of(part, model, wanted.minutes, cache, seed)

    # One at a time: compressing has threads of its own.
    return gathered(jobs, make, 1, "compressing recordings", progress)


def _fitted(
    fit: PriorFit,
    settings: TrainSettings,
    out: Path,
    journal: Journal,
    progress: Progress | None,
    watch: Watcher | None,
) -> int:
    """Fit to the end, to the limit of time or to a signal, whose number is returned."""
    steps, limit = settings.prior.steps, settings.run.max_seconds
    total, count = 0.0, 0
    with stop_on_signals() as request:
        while fit.step < steps and not request.signal and not (limit and fit.seconds >= limit):
            total, count = total + fit.advance(), count + 1
            if progress is not None:
                progress("fitting the prior", fit.step, steps)
            if fit.step % _SAVED_EVERY == 0 or fit.step == steps:
                journal.record("step", fit.step, loss={"total": round(total / count, 4)}, seconds=round(fit.seconds, 2))
                save_state(out, fit.state())
                if watch is not None:
                    values = {"stage": "prior", "step": fit.step, "seconds": fit.seconds}
                    watch(values | {"loss/total": total / count})
                total, count = 0.0, 0
        save_state(out, fit.state())
        return request.signal


def _judged(
    fit: PriorFit, model: Checkpoint, known: TokenPrior | None, held_out: Sequence[Piece], signal: int
) -> Outcome:
    """Keep the tables that take fewer bytes on people held out, and say what each takes."""
    content = fit.content()
    new = measure(TokenPrior(content), held_out)
    old = new if known is None else measure(known, held_out)
    table = {
        group: {"packed": new[group][0], "before": old[group][1] if known else new[group][0], "after": new[group][1]}
        for group in new
    }
    first = {"packed_percent": _percent([row["before"] / row["packed"] for row in table.values()])}
    last: dict[str, Any] = {
        "packed_percent": _percent([row["after"] / row["packed"] for row in table.values()]),
        "table": table,
    }
    better = last["packed_percent"] < first["packed_percent"]
    if better:
        add_prior(model.folder, content)
    best = last if better else {**first, "table": table}
    return Outcome(fit.step, fit.seconds, signal, first, best, last, fit.step if better else 0)


def _percent(shares: Sequence[float]) -> float:
    """Return a geometric mean in percent."""
    return round(100 * math.exp(sum(math.log(share) for share in shares) / len(shares)), 3)
