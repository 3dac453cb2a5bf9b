"""A run of the stage ``joint`` from its settings to its folder: segments, loop, model, card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from eegzip.codecs.checkpoints.checkpoint import add_joint, load_checkpoint
from eegzip.codecs.checkpoints.config import JointConfig
from eegzip.codecs.networks.joint import JointDecoder, joint_decoder
from eegzip.training.base_model import BaseModel
from eegzip.training.device import chosen_device
from eegzip.training.joint.card import joint_card
from eegzip.training.joint.examples import Draw, noise_table
from eegzip.training.joint.trainer import JointTrainer
from eegzip.training.joint.validation import Validation
from eegzip.training.outcome import FinishedRun
from eegzip.training.reporting.journal import Journal
from eegzip.training.reporting.stage_facts import StageFacts, write_card
from eegzip.training.segments.codec import Codec
from eegzip.training.segments.gathering import Gathered, cache_of, gathered, parts_of
from eegzip.training.segments.recordings import Part
from eegzip.training.segments.segments import Segments, segments_of
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.stage_work import StageWork

if TYPE_CHECKING:
    from eegzip.progress import Progress


def run(work: StageWork) -> FinishedRun:
    """Do the stage; return what came of it."""
    settings, out, name, start = work.settings, work.out, work.name, work.model_for("joint")
    # One thread unless told otherwise: sums of others differ, and small products gain nothing.
    torch.set_num_threads(settings.run.threads or 1)
    device = chosen_device(settings.run.device)
    codec = Codec(start)
    material = _material(settings, codec, work.progress)
    train, validation = ([s for one in side for s in one.segments] for side in (material.train, material.validation))
    torch.manual_seed(settings.run.seed)
    shape = JointConfig(
        "0" * 64, settings.joint.width, settings.joint.blocks, settings.joint.heads, settings.joint.kernel
    )
    known = joint_decoder(start)
    if known is None:
        decoder = JointDecoder(shape, codec.depths, codec.codebooks.shape[2])
        decoder.noise.copy_(noise_table(train, codec))
    else:
        decoder, shape = known, known.config
    # The examples are made on the CPU.
    noise = decoder.noise
    decoder.requires_grad_(True).to(device)
    base = BaseModel(start, name)

    def save(state: dict[str, torch.Tensor]) -> None:
        base.write(out)
        add_joint(out, shape, {key: value.cpu() for key, value in state.items()})

    with Journal(out) as journal:
        trainer = JointTrainer(
            settings,
            decoder,
            Draw(train, codec, noise, settings.joint, settings.run.seed),
            Validation(validation, codec),
            journal,
            out,
            save,
            tuning=known is not None,
        )
        if work.resume:
            trainer.resume()
        else:
            journal.begin(name, settings.to_dict())
        outcome = trainer.run(work.watch)
    finished = material.finished(outcome)
    facts = StageFacts(load_checkpoint(out), start, settings, finished, material.hours, material.files, work.command)
    parameters = sum(value.numel() for value in decoder.parameters())
    trained_on = "a CPU" if device.type == "cpu" else f"one {torch.cuda.get_device_name(device)}"
    write_card(out, joint_card(facts, start, parameters, trained_on))
    return finished


def _material(settings: TrainSettings, codec: Codec, progress: Progress | None) -> Gathered[Segments]:
    parts, cache, seed, joint = parts_of(settings), cache_of(settings), settings.run.seed, settings.joint
    most = -(-settings.run.validation_windows // max(sum(part.held_out for part in parts), 1))
    variants = range(joint.renditions + 1)
    jobs = [(part, variant) for variant in variants for part in parts if not (part.held_out and variant)]

    # Threads serve: the search holds no lock of Python's.
    def make(part: Part, variant: int) -> Segments:
        return segments_of(part, codec, cache, seed, variant, most if part.held_out else 0, joint.drift)

    return gathered(jobs, make, settings.data.workers, "searching tokens", progress)
