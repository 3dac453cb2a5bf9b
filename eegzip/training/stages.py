"""The stages of a run, one after the other: each goes on from the model that the one before made.

The last stage works in the folder of the run, those before in ``stages/NAME`` below it. A stage that came to its end
leaves ``finished.json``, so that a run that is resumed goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eegzip.codecs.checkpoints.checkpoint import CARD, Checkpoint, load_checkpoint
from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.files import atomic_output
from eegzip.formats.json_text import parsed
from eegzip.training.base_model import BaseModel
from eegzip.training.judgement import Judgement, judged
from eegzip.training.loop.history import Watcher
from eegzip.training.loop.state import STATE
from eegzip.training.outcome import FinishedRun, FinishedStage, Outcome
from eegzip.training.reporting.stage_facts import write_card
from eegzip.training.segments.gathering import parts_of
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.model_config import settings_of
from eegzip.training.stage_work import StageWork

if TYPE_CHECKING:
    from eegzip.progress import Progress

STAGES = "stages"
_FINISHED = "finished.json"


def run_stages(
    settings: TrainSettings,
    out: Path,
    name: str,
    start: Checkpoint | None,
    *,
    resume: bool,
    progress: Progress | None,
    watch: Watcher | None,
    command: Sequence[str],
) -> list[FinishedStage]:
    """Do the stages of a run, to the last or to a signal; parameters as of :class:`StageWork`.

    Raises
    ------
    UsageError
        Several processes were started for a stage that is done by one.
    """
    stages = settings.run.stages or ("network",)
    if stages != ("network",) and os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("only the stage network is trained by several processes; start the others without torchrun.")
    if not resume and len(stages) > 1:
        shutil.rmtree(out / STAGES, ignore_errors=True)
    finished: list[FinishedStage] = []
    model = start
    for stage in stages:
        last = stage == stages[-1]
        folder = out if last else out / STAGES / stage
        done = None if last or not resume else _read_finished(folder)
        if done is None:
            # Of the model that the run began with settings know already, and what is wanted otherwise.
            here = settings if model is None or model is start else settings.changed(_shape_of(model))
            goes_on = resume and (folder / STATE).is_file()
            if last and resume and len(stages) == 1 and not goes_on:
                raise ModelError(f"{folder} holds no run that could be resumed: it has no {STATE}.")
            done = _run_stage(
                stage, StageWork(here, folder, name, model, start, goes_on, progress, watch, tuple(command))
            )
            if not last and not done.outcome.signal:
                _write_finished(folder, done)
        finished.append(FinishedStage(stage, folder, done))
        if done.outcome.signal:
            return finished
        model = load_checkpoint(folder)
    if start is not None and model is not None and {"codebooks", "prior"} <= set(stages):
        finished[-1] = replace(finished[-1], change_percent=_never_worse(settings, start, model, name, progress))
    return finished


def _shape_of(model: Checkpoint) -> dict[str, dict[str, object]]:
    """The settings that a stage takes from the model before it: its shape."""
    return {"model": settings_of(model)["model"]}


def _run_stage(stage: str, work: StageWork) -> FinishedRun:
    work.out.mkdir(parents=True, exist_ok=True)
    # Each loads what it needs, torch first of all.
    if stage == "network":
        from eegzip.training.run import run
    elif stage == "codebooks":
        from eegzip.training.codebooks.run import run
    elif stage == "prior":
        from eegzip.training.prior.run import run
    else:
        from eegzip.training.joint.run import run
    return run(work)


def _never_worse(
    settings: TrainSettings, start: Checkpoint, model: Checkpoint, name: str, progress: Progress | None
) -> float:
    """Compare files at equal bytes, say so on the card, and go back to the start where that is no worse."""
    found = judged(start, model, parts_of(settings), settings.run.seed, progress)
    card = model.folder / CARD
    if found.change_percent < 0:
        text = card.read_text(encoding="utf-8")
    else:
        BaseModel(start, name, joint=True).write(model.folder)
        text = (
            f"# {name}\n\nThe model `{start.config.name}` as it was: new codebooks and tables were made for these "
            "recordings, and did no better on people held out.\n"
        )
    write_card(model.folder, text + "\n" + _in_words(found, start.config.name))
    return round(found.change_percent, 3)


def _in_words(found: Judgement, start: str) -> str:
    lines = [
        "## Files of people held out",
        "",
        f"At equal bytes the PRD of the new model differs by {found.change_percent:+.2f} % from that of `{start}`.",
        "",
        f"| set | codebooks | bytes a second, `{start}` | new | PRD, `{start}` | new |",
        "|" + " --- |" * 6,
    ]
    for cell, row in found.table.items():
        group, depth = cell.rsplit(" ", 1)
        (size, error), (new_size, new_error) = row["before"], row["after"]
        lines.append(f"| {group} | {depth} | {size:.0f} | {new_size:.0f} | {error:.2f} | {new_error:.2f} |")
    return "\n".join(lines) + "\n"


def _write_finished(folder: Path, done: FinishedRun) -> None:
    with atomic_output(folder / _FINISHED, overwrite=True) as file:
        file.write(json.dumps(asdict(done)).encode())


def _read_finished(folder: Path) -> FinishedRun | None:
    path = folder / _FINISHED
    if not path.is_file():
        return None
    try:
        data = parsed(path.read_bytes())
        return FinishedRun(
            Outcome(**data["outcome"]), data["subjects"], data["held_out"], [(a, b) for a, b in data["skipped"]]
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path} is damaged; the run can't be resumed.") from error
