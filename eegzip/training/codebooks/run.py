"""A run of the stage ``codebooks`` from its settings to its folder: segments, rounds, model, card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from eegzip.codecs.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.malloc import tune_malloc
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.dac import mdct_basis
from eegzip.formats.errors import UsageError
from eegzip.training.base_model import BaseModel
from eegzip.training.codebooks.card import codebooks_card
from eegzip.training.codebooks.pool import Drawn, Pool, drawn_from, segment_frames
from eegzip.training.codebooks.trainer import CodebookTrainer
from eegzip.training.codebooks.validation import Validation
from eegzip.training.outcome import FinishedRun
from eegzip.training.reporting.journal import Journal
from eegzip.training.reporting.stage_facts import StageFacts, write_card
from eegzip.training.segments.codec import Codec, Transform
from eegzip.training.segments.gathering import Gathered, cache_of, gathered, parts_of
from eegzip.training.segments.recordings import Part
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.model_config import model_config
from eegzip.training.stage_work import StageWork

if TYPE_CHECKING:
    from eegzip.progress import Progress

# Times the frames of a round that are kept of all recordings together: rounds see other segments.
_ROUNDS_KEPT = 6


def run(work: StageWork) -> FinishedRun:
    """Do the stage; return what came of it."""
    settings, out, name, start = work.settings, work.out, work.name, work.start
    tune_malloc()
    # The searches have threads of their own, which don't wait for one another as torch's do.
    torch.set_num_threads(1)
    config = replace(model_config(settings, name, ()) if start is None else start.config, name=name)
    transform = Transform(config) if start is None else Codec(start)
    _check(settings, transform, config)
    known = transform.codebooks if isinstance(transform, Codec) else None
    material = _material(settings, transform, work.progress)
    state = _untrained(settings, config.network.hop) if start is None else dict(start.state)
    base = None if start is None else BaseModel(start, name)
    # New codebooks make other tokens, which a prior and a joint decoder for the old ones don't know.
    config = replace(config, prior=None, joint=None)

    def save(codebooks: torch.Tensor) -> None:
        for level, codebook in enumerate(codebooks):
            state[f"quantizer.quantizers.{level}.codebook.weight"] = codebook
        save_checkpoint(out, config, state, overwrite=True)

    with Journal(out) as journal:
        validation = Validation(Pool(material.validation), transform.beam)
        trainer = CodebookTrainer(
            settings, known, Pool(material.train), validation, journal, out, save, work.progress, work.watch
        )
        if work.resume:
            trainer.resume()
        else:
            journal.begin(name, settings.to_dict())
        outcome = trainer.run()
    if base is not None and not outcome.best_step:
        base.write(out)
    finished = material.finished(outcome)
    facts = StageFacts(load_checkpoint(out), start, settings, finished, material.hours, material.files, work.command)
    write_card(out, codebooks_card(facts))
    return finished


def _check(settings: TrainSettings, transform: Transform, config: ModelConfig) -> None:
    size, frames, shape = settings.model.codebook_size, settings.codebooks.frames, config.network
    if (settings.model.n_codebooks, size, settings.model.beam) != (shape.n_codebooks, shape.codebook_size, config.beam):
        raise UsageError(
            f"the stage codebooks keeps the shape of --init: {shape.n_codebooks} codebooks of {shape.codebook_size} "
            f"entries, a beam of {config.beam}; another shape begins from scratch."
        )
    if frames < 4 * size:
        raise UsageError(
            f"codebooks.frames is {frames}; {size} entries of a codebook need at least {4 * size} to be means of."
        )
    if settings.codebooks.dimensions > transform.hop:
        raise UsageError(
            f"codebooks.dimensions is {settings.codebooks.dimensions}; a latent has {transform.hop}, one a sample."
        )


def _material(settings: TrainSettings, transform: Transform, progress: Progress | None) -> Gathered[Drawn]:
    parts, cache, seed = parts_of(settings), cache_of(settings), settings.run.seed
    variants = range(settings.codebooks.renditions + 1)
    jobs = [(part, variant) for variant in variants for part in parts if not (part.held_out and variant)]
    train = sum(not part.held_out for part, _ in jobs)
    wanted = _ROUNDS_KEPT * settings.codebooks.frames // segment_frames(transform)
    counts = {
        False: -(-wanted // max(train, 1)),
        True: -(-settings.run.validation_windows * 2 // (len(jobs) - train or 1)),
    }

    def make(part: Part, variant: int) -> Drawn:
        return drawn_from(part, transform, cache, seed, variant, counts[part.held_out])

    return gathered(jobs, make, settings.data.workers, "reading recordings", progress)


def _untrained(settings: TrainSettings, hop: int) -> dict[str, torch.Tensor]:
    """Return the weights of a network that is an MDCT: its convolutional branches are silent."""
    torch.manual_seed(settings.run.seed)
    network = build(model_config(settings, "untrained", ()))
    with torch.no_grad():
        for path in (network.encoder.linear, network.decoder.linear):
            path.weight.view(hop, 2 * hop).copy_(mdct_basis(hop))
    return dict(network.state_dict())
