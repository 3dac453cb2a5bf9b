"""Train a model on recordings: what ``eegzip train`` does.

This module brings the parts of :mod:`eegzip.training` together; their decisions and reasons stand in
``docs/training.md``.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip import models
from eegzip.codecs.checkpoints.checkpoint import CONFIG, Checkpoint
from eegzip.codecs.checkpoints.config import CAUSAL
from eegzip.codecs.extra import require_torch
from eegzip.formats.errors import OutputExistsError, UsageError
from eegzip.formats.extras import require
from eegzip.training.loop.state import STATE, load_run_settings, save_settings
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.model_config import model_config, settings_of
from eegzip.training.settings.presets import load_settings, with_overrides, with_presets

if TYPE_CHECKING:
    from eegzip.codecs.checkpoints.config import ModelConfig
    from eegzip.progress import Progress
    from eegzip.training.outcome import FinishedStage

Watcher = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class StageReport:
    """What came of a stage.

    Attributes
    ----------
    stage : str
    steps : int
        Steps or rounds done.
    seconds : float
    best_step : int
        Of the result; 0: no step did better than the start.
    before, after : dict
        Metrics on subjects held out.
    """

    stage: str
    steps: int
    seconds: float
    best_step: int
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True)
class TrainingReport:
    """What came of a run.

    Attributes
    ----------
    folder : str
        Where the model lies; it is the best checkpoint of the run.
    digest : str
        Of that model.
    steps : int
        Steps done, over all resumptions.
    seconds : float
        Time in the training loop.
    best_step : int
        Step of the best checkpoint.
    before, after : dict
        Metrics on subjects held out: before the first step, and of the best checkpoint.
    people, held_out : tuple of str
        Who was trained on, and who was kept for validation.
    skipped : tuple of (str, str)
        Files that could not be used, and why.
    stopped_by : int
        Number of the signal that ended the run early; 0: it came to its end.
    stage : str
        The last stage that was done: what stands above is of it.
    earlier : tuple of StageReport
        The stages before.
    at_equal_bytes : float or None
        By how many percent the PRD of files of subjects held out differs from that with the model started from, at
        equal bytes, where both codebooks and prior were made anew. Where it is not less, the model is the start.
    prior_lost : bool
        Whether the model started from codes its tokens in context, and the result does not.
    """

    folder: str
    digest: str
    steps: int
    seconds: float
    best_step: int
    before: dict[str, Any]
    after: dict[str, Any]
    people: tuple[str, ...]
    held_out: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    stopped_by: int
    stage: str = "network"
    earlier: tuple[StageReport, ...] = ()
    at_equal_bytes: float | None = None
    prior_lost: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        return asdict(self)


def settings_for(
    *,
    config: str | Path | None = None,
    presets: Sequence[str] = (),
    values: Mapping[str, Mapping[str, Any]] | None = None,
    assignments: Iterable[str] = (),
) -> TrainSettings:
    """Return the settings of a run, from the general to the particular.

    Later ones win: the defaults; the shape, rate and scaling of the checkpoint that is started from; presets; the
    file; single values.

    Parameters
    ----------
    config
        TOML, YAML or JSON file.
    presets
        Names of :data:`eegzip.training.settings.presets.PRESETS`.
    values
        Sections of values.
    assignments
        Texts such as ``optimiser.lr=1e-4``.

    Raises
    ------
    UsageError
        Something is unknown or makes no sense.
    ModelError
        The checkpoint to start from is missing or damaged.
    """
    assignments = list(assignments)

    def over(base: TrainSettings) -> TrainSettings:
        settings = with_presets(base, presets)
        if config is not None:
            settings = load_settings(config, settings)
        return with_overrides(settings.changed(values or {}, "the command line"), assignments)

    settings = over(TrainSettings())
    start = _checkpoint_to_start_from(settings)
    causal = settings.model.architecture == CAUSAL if start is None else start.config.causal
    if causal:
        # Losses, scaling and what else belongs to this architecture and to no other.
        settings = over(with_presets(TrainSettings(), [CAUSAL]))
    if start is not None:
        base = with_presets(TrainSettings(), [CAUSAL] if causal else [])
        settings = over(base.changed(settings_of(start), str(start.folder)))
        settings = _with_reduction(settings, start)
        if not settings.run.stages and start.config.joint is not None:
            # What was trained of such a model is its decoder; the codec under it is a transform.
            settings = settings.changed({"run": {"stages": ["joint"]}})
    settings.check()
    return settings


def settings_to_resume(
    out: str | Path,
    *,
    config: str | Path | None = None,
    presets: Sequence[str] = (),
    values: Mapping[str, Mapping[str, Any]] | None = None,
    assignments: Iterable[str] = (),
) -> tuple[TrainSettings, TrainSettings]:
    """Return the settings that a run was started with, and those that it is to go on with.

    Parameters
    ----------
    out
        Folder of the run.
    config, presets, values, assignments
        As for :func:`settings_for`. With sources or a file they are the whole command again; without they change
        single values.

    Raises
    ------
    ModelError
        There is no run in the folder, or it is damaged.
    UsageError
        Something is unknown or makes no sense.
    """
    stored = load_run_settings(Path(out))
    if config is not None or "sources" in (values or {}).get("data", {}):
        wanted = settings_for(config=config, presets=presets, values=values, assignments=assignments)
    else:
        wanted = with_overrides(stored.changed(values or {}, "the command line"), assignments)
    wanted.check()
    return stored, wanted


def planned_model(settings: TrainSettings, name: str) -> ModelConfig:
    """Return the config of the model that settings make, but for channel names that only the recordings know."""
    return model_config(settings, name, ())


def _checkpoint_to_start_from(settings: TrainSettings) -> Checkpoint | None:
    """Return the checkpoint that a run starts from, official weights imported into the cache."""
    init = settings.start.init
    if init == "scratch":
        return None
    if init == "audio":
        return models.imported(models.download_official(settings.start.sha256))
    return models.imported(init) if models.is_descript(init) else models.load(init)


def _leads() -> bool:
    """Whether this is the process that writes files: the only one, or the first that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def _with_reduction(settings: TrainSettings, start: Checkpoint) -> TrainSettings:
    """Make a smaller codebook than the checkpoint's a round of merging, and sizes to merge to the final size."""
    has, wanted = start.config.network.codebook_size, settings.model.codebook_size
    rounds = settings.start.reduce_to or ((wanted,) if wanted < has else ())
    if not rounds:
        return settings
    if list(rounds) != sorted(rounds, reverse=True) or not 2 <= rounds[-1] <= rounds[0] < has:
        raise UsageError(f"start.reduce_to must fall from the checkpoint's {has} entries, such as 512, 256.")
    return settings.changed({"start": {"reduce_to": rounds}, "model": {"codebook_size": has}})


def train(
    settings: TrainSettings | None,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    watch: Watcher | None = None,
    command: Sequence[str] = (),
) -> TrainingReport:
    """Train a model.

    Parameters
    ----------
    settings : TrainSettings or None
        From :func:`settings_for`. For a resumed run ``None`` takes those it was started with.
    out : path-like
        Folder of the run. It becomes a checkpoint that ``compress(model=out)`` takes: the best so far, at any time.
    resume : bool
        Go on with the run in that folder.
    overwrite : bool
        Begin anew in a folder that holds a run or a model already.
    progress : callable, optional
        Called with what is being prepared, how much is done, and of how much.
    watch : callable, optional
        Called after every step with a dict of ``step``, ``seconds``, ``loss/total``, ``prd``, ``validation``...; of the
        stages without a network after every round or hundred steps, with the name of the ``stage`` besides.
    command : sequence of str
        The command line, for the model card; by default this process's own.

    Returns
    -------
    TrainingReport

    Raises
    ------
    BadInputError
        No recording can be used.
    ModelError
        A checkpoint or a run to be resumed is missing or damaged.
    OutputExistsError
        The folder holds something already.
    UsageError
        A setting makes no sense, or a package is not installed that training takes.

    Examples
    --------
    >>> settings = eegzip.settings_for(values={"data": {"sources": ["recordings/"]}})
    >>> report = eegzip.train(settings, "my-model")  # doctest: +SKIP
    >>> eegzip.compress("night.edf", "night.eegz", model="my-model")  # doctest: +SKIP
    """
    require_torch("training")
    out = Path(out)
    if resume:
        settings = settings or load_run_settings(out)
    elif settings is None:
        raise UsageError("a new run needs settings.")
    elif not overwrite and _leads():
        found = next((name for name in (STATE, CONFIG) if (out / name).exists()), None)
        if found:
            raise OutputExistsError(
                f"{out} holds a run or a model already ({found}); resume it, choose another folder or overwrite it."
            )
    settings.check()
    # For card and curves at the end of the run.
    require("train", "yaml", "matplotlib", *(["soundfile"] if settings.data.domain == "audio" else []))
    if not settings.data.sources:
        raise UsageError("name the recordings to train on: --data FOLDER, or 'synthetic' for a first try.")
    start = _checkpoint_to_start_from(settings)
    if _leads():
        save_settings(out, settings)
    name = settings.model.name or re.sub(r"[^A-Za-z0-9._-]+", "-", out.resolve().name) or "model"
    command = list(command) or [shlex.quote(word) for word in sys.argv]
    # torch is loaded only now, so that wrong settings are told at once.
    from eegzip.training.stages import run_stages

    finished = run_stages(settings, out, name, start, resume=resume, progress=progress, watch=watch, command=command)
    return _report(start, finished)


def _report(start: Checkpoint | None, finished: Sequence[FinishedStage]) -> TrainingReport:
    last = finished[-1]
    outcome = last.run.outcome
    model = models.load(last.folder)
    return TrainingReport(
        folder=str(last.folder),
        digest=model.digest,
        steps=outcome.step,
        seconds=round(outcome.seconds, 1),
        best_step=outcome.best_step,
        before=outcome.first,
        after=outcome.best,
        people=tuple(last.run.subjects),
        held_out=tuple(last.run.held_out),
        skipped=tuple(last.run.skipped),
        stopped_by=outcome.signal,
        stage=last.stage,
        earlier=tuple(_stage_report(stage) for stage in finished[:-1]),
        at_equal_bytes=last.change_percent,
        prior_lost=start is not None and start.config.prior is not None and model.config.prior is None,
    )


def _stage_report(done: FinishedStage) -> StageReport:
    outcome = done.run.outcome
    seconds = round(outcome.seconds, 1)
    return StageReport(done.stage, outcome.step, seconds, outcome.best_step, outcome.first, outcome.best)
