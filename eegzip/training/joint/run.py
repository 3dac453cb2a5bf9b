"""A run of the stage ``joint`` from its settings to its folder: segments, loop, model, card."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from eegzip.codecs.checkpoints.checkpoint import (
    CARD,
    CONFIG,
    Checkpoint,
    add_joint,
    load_checkpoint,
    read_prior,
    rename,
)
from eegzip.codecs.checkpoints.config import JointConfig
from eegzip.codecs.checkpoints.registry import BUNDLED, cache_dir
from eegzip.codecs.checkpoints.weights import WEIGHTS, WEIGHTS_OF, weights_file
from eegzip.codecs.networks.joint import JointDecoder, joint_decoder
from eegzip.formats.errors import BadInputError, EegzipError
from eegzip.formats.files import atomic_output
from eegzip.formats.parallel import cores
from eegzip.formats.tokens.tables import PRIOR
from eegzip.training.data.sources import find_sources
from eegzip.training.device import chosen_device
from eegzip.training.joint.card import CardFacts, joint_card
from eegzip.training.joint.examples import Draw, noise_table
from eegzip.training.joint.recordings import Part, divided
from eegzip.training.joint.segments import Codec, Segment, segments_of
from eegzip.training.joint.trainer import JointTrainer
from eegzip.training.joint.validation import Validation
from eegzip.training.outcome import FinishedRun
from eegzip.training.reporting.journal import Journal
from eegzip.training.settings.checked import TrainSettings

if TYPE_CHECKING:
    from eegzip.progress import Progress
    from eegzip.training.loop.history import Watcher


@dataclass(frozen=True)
class _Material:
    """Segments of both sides, and what is to be told of them."""

    train: list[Segment]
    validation: list[Segment]
    parts: list[Part]
    hours: float
    skipped: list[tuple[str, str]]


def run(
    settings: TrainSettings,
    out: Path,
    name: str,
    start: Checkpoint,
    *,
    resume: bool,
    progress: Progress | None,
    watch: Watcher | None,
    command: Sequence[str],
) -> FinishedRun:
    """Do a run in a folder; parameters as in :func:`eegzip.training.run.run`."""
    # One thread unless told otherwise: sums of others differ, and small products gain nothing.
    torch.set_num_threads(settings.run.threads or 1)
    device = chosen_device(settings.run.device)
    codec = Codec(start)
    material = _material(settings, codec, progress)
    torch.manual_seed(settings.run.seed)
    shape = JointConfig(
        "0" * 64, settings.joint.width, settings.joint.blocks, settings.joint.heads, settings.joint.kernel
    )
    known = joint_decoder(start)
    if known is None:
        decoder = JointDecoder(shape, codec.depths, codec.codebooks.shape[2])
        decoder.noise.copy_(noise_table(material.train, codec))
    else:
        decoder, shape = known, known.config
    # The examples are made on the CPU.
    noise = decoder.noise
    decoder.requires_grad_(True).to(device)
    base = _Base(start, name)

    def save(state: dict[str, torch.Tensor]) -> None:
        base.write(out)
        add_joint(out, shape, {key: value.cpu() for key, value in state.items()})

    with Journal(out) as journal:
        trainer = JointTrainer(
            settings,
            decoder,
            Draw(material.train, codec, noise, settings.joint, settings.run.seed),
            Validation(material.validation, codec),
            journal,
            out,
            save,
            tuning=known is not None,
        )
        if resume:
            trainer.resume()
        else:
            journal.truncate_after(-1)
            journal.record("start", 0, name=name, settings=settings.to_dict())
        outcome = trainer.run(watch)
    subjects, held_out = (
        sorted({part.source.subject for part in material.parts if part.held_out is side}) for side in (False, True)
    )
    facts = CardFacts(
        checkpoint=load_checkpoint(out),
        start=start,
        settings=settings,
        outcome=outcome,
        parameters=sum(value.numel() for value in decoder.parameters()),
        hours=material.hours,
        files=len({part.source.path for part in material.parts}),
        subjects=subjects,
        held_out=held_out,
        # Of sets of one subject, the last third of a recording is held out, not the subject.
        by_time=sorted(set(subjects) & set(held_out)),
        command=command,
        device="a CPU" if device.type == "cpu" else f"one {torch.cuda.get_device_name(device)}",
    )
    with atomic_output(out / CARD, overwrite=True) as file:
        file.write(joint_card(facts).encode())
    return FinishedRun(outcome, subjects, held_out, material.skipped)


def _material(settings: TrainSettings, codec: Codec, progress: Progress | None) -> _Material:
    data = settings.data
    cache = Path(data.cache) if data.cache else cache_dir() / "training"
    parts = divided(find_sources(data.sources, data.domain, data.person_regex), data.held_out, settings.run.seed)
    kept = sum(part.held_out for part in parts)
    most = -(-settings.run.validation_windows // max(kept, 1))
    variants = range(settings.joint.renditions + 1)
    jobs = [(part, variant) for variant in variants for part in parts if not (part.held_out and variant)]
    train: list[Segment] = []
    validation: list[Segment] = []
    used: dict[Part, float] = {}
    skipped: dict[str, str] = {}

    def made(job: tuple[Part, int]) -> tuple[list[Segment], float] | str:
        part, variant = job
        try:
            return segments_of(part, codec, cache, settings.run.seed, variant, most if part.held_out else 0)
        except EegzipError as error:
            return str(error)

    # Threads: the search holds no lock of Python's.
    with ThreadPoolExecutor(data.workers or cores()) as pool:
        for number, ((part, _), found) in enumerate(zip(jobs, pool.map(made, jobs), strict=True), 1):
            if progress is not None:
                progress("searching tokens", number, len(jobs))
            if isinstance(found, str):
                skipped[str(part.source.path)] = found
                continue
            used.setdefault(part, found[1])
            (validation if part.held_out else train).extend(found[0])
    if not train or not validation:
        side = "train on" if not train else "validate with"
        reasons = "; ".join(list(skipped.values())[:3])
        raise BadInputError(f"there is nothing to {side}" + (f": {reasons}" if reasons else "."))
    return _Material(train, validation, list(used), sum(used.values()), list(skipped.items()))


class _Base:
    """The model that a decoder is for, as another folder holds it: the same weights and prior.

    Parameters
    ----------
    start
        The model.
    name
        Of the new one.
    """

    def __init__(self, start: Checkpoint, name: str) -> None:
        self._start, self._name = start, name
        self._weights = weights_file(start.folder)

    def write(self, out: Path) -> None:
        """Make a folder this model, where it isn't one yet."""
        if (out / CONFIG).is_file():
            return
        out.mkdir(parents=True, exist_ok=True)
        config = self._start.config
        if self._weights.parent.parent == BUNDLED:
            # Bundled weights are always at hand.
            (out / WEIGHTS_OF).write_text(self._weights.parent.name + "\n", encoding="ascii")
        else:
            shutil.copyfile(self._weights, out / WEIGHTS)
        if config.prior is not None and read_prior(out, config.prior) is None:
            shutil.copyfile(self._start.folder / PRIOR, out / PRIOR)
        rename(out, replace(config, name=self._name, joint=None))
