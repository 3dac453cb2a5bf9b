"""A run from its settings to its folder: data, network, loop, card, picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from eegzip.codecs.channels import grouping
from eegzip.codecs.checkpoints.checkpoint import Checkpoint, add_prior, load_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.checkpoints.registry import cache_dir
from eegzip.codecs.malloc import tune_malloc
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.transfer import start_from
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.tables import PRIOR
from eegzip.training.base_model import BaseModel, same_codec
from eegzip.training.data.batches import Batches
from eegzip.training.data.corpus import CachedRecording, Corpus, divide, prepare
from eegzip.training.data.preprocessing import Preprocessing
from eegzip.training.data.sampling import Sampler
from eegzip.training.data.sources import SYNTHETIC, find_sources
from eegzip.training.data.synthetic import synthetic_corpus
from eegzip.training.loop.distributed import Processes, processes
from eegzip.training.loop.parts import makes_the_same_tokens
from eegzip.training.loop.trainer import Trainer
from eegzip.training.outcome import FinishedRun
from eegzip.training.reporting.artifacts import write_card_and_curves
from eegzip.training.reporting.journal import Journal
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.model_config import model_config
from eegzip.training.stage_work import StageWork
from eegzip.training.validation.windows import Validation, chosen_windows

if TYPE_CHECKING:
    from eegzip.progress import Progress

# What the discriminators' longest spectrogram takes.
_SHORTEST_JUDGED = 1024


def run(work: StageWork) -> FinishedRun:
    """Do the stage ``network``; return what came of it."""
    settings, out, name, start = work.settings, work.out, work.name, work.start
    progress, watch = work.progress, work.watch
    tune_malloc()
    if settings.run.threads:
        torch.set_num_threads(settings.run.threads)
    if settings.run.deterministic:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    with processes(settings.run.device) as group:
        if not group.leads:
            # The first process prepares; the others then find everything in the cache.
            group.wait()
            progress = watch = None
        corpus = corpus_of(settings, progress)
        if group.leads:
            group.wait()
        train, validation = divide(corpus, settings.data.held_out, settings.run.seed)
        with Journal(out) if group.leads else nullcontext() as journal:
            trainer = trainer_of(settings, name, start, train, validation, group, journal, out)
            if work.resume:
                trainer.resume()
            elif journal is not None:
                journal.begin(name, settings.to_dict())
            outcome = trainer.run(watch)
        if group.leads:
            initial = "scratch" if start is None else f"{start.config.name} ({start.digest[:16]})"
            if start is not None and same_codec(load_checkpoint(out).config, start.config):
                if not outcome.best_step:
                    # With its prior, which new weights can't have.
                    BaseModel(start, name, joint=True).write(out)
                elif start.config.prior is not None and makes_the_same_tokens(settings.optimiser):
                    add_prior(out, (start.folder / PRIOR).read_bytes())
            write_card_and_curves(out, settings, outcome, corpus, train, validation, work.command, initial)
        group.wait()
    subjects, held_out = (sorted({r.subject for r in side}) for side in (train, validation))
    return FinishedRun(outcome, subjects, held_out, list(corpus.skipped))


def corpus_of(settings: TrainSettings, progress: Progress | None) -> Corpus:
    """Return the recordings that settings name, found and prepared."""
    data = settings.data
    preprocessing = Preprocessing.of(data)
    if data.sources == (SYNTHETIC,):
        return synthetic_corpus(preprocessing, seed=settings.run.seed)
    cache = Path(data.cache) if data.cache else cache_dir() / "training"
    sources = find_sources(data.sources, data.domain, data.person_regex)
    return prepare(sources, preprocessing, cache, data.workers, progress)


def trainer_of(
    settings: TrainSettings,
    name: str,
    start: Checkpoint | None,
    train: Sequence[CachedRecording],
    validation: Sequence[CachedRecording],
    group: Processes,
    journal: Journal | None,
    out: Path,
) -> Trainer:
    """Return the trainer of a run, its network at the weights to start from."""
    config = model_config(settings, name, (label for r in train for label in r.labels))
    torch.manual_seed(settings.run.seed)
    network = build(config)
    if start is not None:
        start_from(network, start)
    limit = config.multichannel.max_channels if config.multichannel else 1
    groups = settings.groups
    law = {"rate": groups.exponential_rate, "scale": groups.scale, "tau": groups.tau}

    def grouped(labels: Sequence[str], rng: np.random.Generator) -> list[tuple[int, ...]]:
        found = grouping.grouping_for(config, labels, groups.kind, rng, law=law, partial=True)
        return [group.channels for group in found]

    styles_of = partial(grouping.styles_for, config)
    length = segment_samples(settings, config)
    windows = chosen_windows(validation, length, settings.run.validation_windows, grouped, settings.run.seed)

    if settings.adversarial.weight and length < _SHORTEST_JUDGED:
        raise UsageError(
            f"segments of {length} samples are too short for the discriminators, which need {_SHORTEST_JUDGED}; take "
            "a longer data.window_seconds or adversarial.weight=0."
        )
    return Trainer(
        settings,
        config,
        network,
        Batches(Sampler(train, length, limit, grouped, settings.run.seed), styles_of, group.device),
        Validation(windows, length, config.rate, styles_of),
        group,
        journal,
        out,
        fresh=start is None,
        apart=start is not None and _starts_apart(settings, config, start),
    )


def _starts_apart(settings: TrainSettings, config: ModelConfig, start: Checkpoint) -> bool:
    """Whether data are to tell the channels of a group apart: a network of groups that comes from single channels."""
    from_single = config.adapters is not None and start.config.adapters is None
    return from_single and settings.start.channels == "apart" and settings.groups.kind != "single"


def segment_samples(settings: TrainSettings, config: ModelConfig) -> int:
    """Return the samples of a training segment: whole hops, as near to the window wished for as can be."""
    hop = config.network.hop
    return max(round(settings.data.window_seconds * settings.data.rate / hop), 1) * hop
