"""``eegzip train``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import force_option, json_option, progress_bar, quiet_option
from eegzip.cli.downloading import download_bar
from eegzip.cli.saying import say
from eegzip.cli.train_settings import absent_sources, changes, sections, to_toml
from eegzip.cli.values import FILE, FOLDER
from eegzip.formats.errors import BadInputError, EegzipError, UsageError

if TYPE_CHECKING:
    from eegzip.training.api import StageReport, TrainingReport
    from eegzip.training.settings.checked import TrainSettings

_MAX_SKIPPED = 10
# What a stage's figure is called, its key, and what the stage counts.
_FIGURES = {
    "codebooks": ("PRD", "prd", "round"),
    "network": ("PRD", "prd", "step"),
    "prior": ("bytes of tokens, packed 100 %,", "packed_percent", "step"),
    "joint": ("what is left of the PRD", "prd", "step"),
}
_NO_BETTER = {
    "codebooks": "no round did better, so the codebooks are those of the start",
    "network": "no step did better, so the model is the start",
    "prior": "it saves no bytes, so tokens are coded as those of the start",
    "joint": "no step did better, so the model is the start",
}
_EPILOG = """\b
Examples:
  eegzip train --data recordings/ --out mine --preset compact --max-time 20m
  eegzip train --resume --out mine --max-time 1h          goes on where it was stopped
  eegzip train --data recordings/ --out pairs --model dac-mc --groups random --init mine
  eegzip train --data recordings/ --out tokens --model biocodec --max-time 2h
  eegzip train --data speech/ --domain audio --out heard --preset compact --max-steps 5000
  eegzip train --data recordings/ --out tuned --init heard        from audio to EEG
  eegzip train --data recordings/ --out ours --init eegz-sc-4 --stages joint --max-time 20m
  eegzip train --data recordings/ --out ours --init eegz-sc-1 --stages codebooks,prior
  eegzip train --data 'tuh/**/*.edf' --held-out sub-03,sub-17 --preset paper --out paper
  eegzip train --data synthetic --out try --max-steps 50  needs no recordings
  eegzip train --data recordings/ --out mine --dry-run > mine.toml    then --config mine.toml
  torchrun --nproc-per-node 2 -m eegzip.cli.main train --data recordings/ --out mine

\b
Ctrl-C and SIGTERM finish the step, save the state and end with 130 and 143; --resume goes on to the same result.
DIR is a model at any time: eegzip compress --model DIR night.edf
"""


@click.command(epilog=_EPILOG)
@click.argument("more", metavar="[PATH]...", nargs=-1, type=FILE)
@click.option(
    "--data",
    "data",
    multiple=True,
    type=FILE,
    metavar="PATH",
    help="Folder, glob, file or manifest of recordings, or 'synthetic'. Repeatable; further PATHs may follow.",
)
@click.option("--out", required=True, type=FOLDER, metavar="DIR", help="Folder of the run; it becomes the model.")
@click.option("--config", type=FILE, metavar="FILE", help="Settings in TOML, YAML or JSON; options win over them.")
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="NAME",
    help="full, base, compact, paper, biocodec, biocodec-small, biocodec-emg. Repeatable.",
)
@click.option(
    "--model",
    "architecture",
    type=click.Choice(["dac-sc", "dac-mc", "biocodec"]),
    help="Channels alone or in groups; or alone and causally, by a network of another kind with its own presets.",
)
@click.option(
    "--stages",
    metavar="LIST",
    help="Some of codebooks, network, prior, joint, in this order.  [default: joint for --init eegz-sc-4; network]",
)
@click.option("--groups", type=FILE, metavar="KIND|FILE", help="Groups of dac-mc: random, manual, single or a file.")
@click.option("--init", type=FILE, metavar="START", help="scratch, audio, or a model's name, folder or file.")
@click.option("--sha256", metavar="HEX", help="Of the official weights, in place of the known one.")
@click.option("--domain", type=click.Choice(["eeg", "audio"]), help="What the recordings are.")
@click.option(
    "--signals",
    multiple=True,
    metavar="PATTERN",
    help="Labels of signals to train on in place of EEG, such as 'ECG*'. Repeatable.",
)
@click.option("--held-out", metavar="SHARE|NAMES", help="People kept for validation: 0.2, or sub-01,sub-02.")
@click.option("--person-regex", metavar="REGEX", help="Its first group, found in the path, is the person.")
@click.option("--rate", type=float, metavar="HZ", help="Sampling rate that the network sees.")
@click.option("--scaling", metavar="adaptive|fixed:200uV", help="Follow each channel's level, or clip as the paper.")
@click.option("--codebooks", type=int, metavar="K", help="Number of codebooks.")
@click.option("--codebook-size", type=int, metavar="N", help="Entries of each; fewer than --init has are merged.")
@click.option("--max-steps", type=int, metavar="N", help="Stop after N steps, those before a resumption included.")
@click.option("--max-time", metavar="TIME", help="Stop after 90s, 20m, 1.5h, the time before included.")
@click.option("--batch", type=int, metavar="N", help="Segments a step.")
@click.option("--lr", type=float, metavar="RATE", help="Learning rate.")
@click.option("--seed", type=int, metavar="N", help="Of everything random.")
@click.option("--deterministic", is_flag=True, help="Only algorithms whose result never varies (CUDA).")
@click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1.  [default: auto]")
@click.option("--threads", type=int, metavar="N", help="Threads of torch.")
@click.option("--workers", type=int, metavar="N", help="Processes that prepare recordings.")
@click.option("--licence", "--license", "licence", metavar="TEXT", help="Of the data; goes into the model card.")
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="Any other setting. Repeatable.")
@click.option("--resume", is_flag=True, help="Go on with the run in DIR; settings are remembered.")
@click.option("--dry-run", is_flag=True, help="Print the settings as TOML (--json: as JSON) and train nothing.")
@force_option
@quiet_option
@click.option("-v", "--verbose", is_flag=True, help="A line at every validation, and every skipped file.")
@json_option
def train(
    more: tuple[str, ...],
    data: tuple[str, ...],
    out: str,
    config: str | None,
    presets: tuple[str, ...],
    assignments: tuple[str, ...],
    *,
    resume: bool,
    dry_run: bool,
    force: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on recordings, or go on with one.

    DIR becomes a model folder: weights, config, card, curves. People are split, never windows: figures are of people
    that training never saw. Settings come from presets, then --config, then options, each winning over the one before.
    """
    values = sections({"sources": (*data, *more), **options})
    # The leading process of a torchrun speaks for all.
    silent = quiet or os.environ.get("RANK", "0") != "0"
    if values.get("start", {}).get("init") == "audio" and not resume:
        _download(options["sha256"], quiet=silent)
    settings = _settings(out, config, presets, values, assignments, resume=resume, quiet=silent)
    if dry_run:
        _print_plan(settings, out, as_json=as_json)
        return
    missing = absent_sources(settings.data.sources)
    if missing:
        raise BadInputError(f"there is nothing at {missing[0]}; --data takes folders, files, globs, or 'synthetic'.")
    if not settings.data.sources:
        raise UsageError("name the recordings to train on: --data FOLDER, or --data synthetic for a first try.")
    from eegzip.cli.train_progress import watching
    from eegzip.training import api

    preparing = ExitStack()
    progress = preparing.enter_context(progress_bar(quiet=silent))

    def begin() -> None:
        preparing.close()  # its bar would stay beside that of the training
        if not (silent or settings.run.max_steps or settings.run.max_seconds):
            say("note: no --max-steps and no --max-time: it trains until Ctrl-C, which saves", err=True)

    with (
        preparing,
        watching(settings.run, quiet=silent, verbose=verbose, begins=begin) as watch,
        _memory_advice(settings),
    ):
        report = api.train(
            settings,
            out,
            resume=resume,
            overwrite=force,
            progress=progress,
            watch=watch,
            command=["eegzip", *sys.argv[1:]],
        )
    if os.environ.get("RANK", "0") == "0":
        _print_report(report, settings, out, quiet=quiet, verbose=verbose, as_json=as_json)
    if report.stopped_by:
        raise SystemExit(128 + report.stopped_by)


def _download(sha256: str | None, *, quiet: bool) -> None:
    """Bring the official weights into the cache, where the run finds them, with a bar."""
    from eegzip import models

    with download_bar("official weights", quiet=quiet) as progress:
        models.download_official(sha256, progress=progress)


def _settings(
    out: str,
    config: str | None,
    presets: tuple[str, ...],
    values: dict[str, dict[str, Any]],
    assignments: tuple[str, ...],
    *,
    resume: bool,
    quiet: bool,
) -> TrainSettings:
    """Return the settings that the options ask for; of a resumed run, those it has with what may change."""
    from eegzip.training import api

    if values.get("data", {}).get("domain") == "audio":
        presets = ("audio", *presets)
    if not resume:
        return api.settings_for(config=config, presets=presets, values=values, assignments=assignments)
    stored, wanted = api.settings_to_resume(out, config=config, presets=presets, values=values, assignments=assignments)
    changed = changes(stored, wanted)
    if changed and not quiet:
        say(f"note: the run goes on differently than it began: {'; '.join(changed)}", err=True)
    return wanted


def _print_plan(settings: TrainSettings, out: str, *, as_json: bool) -> None:
    """Print settings, and what kind of model they make."""
    from eegzip.codecs.checkpoints.config import bits_per_second
    from eegzip.training.api import planned_model

    config = planned_model(settings, settings.model.name or Path(out).resolve().name or "model")
    if as_json:
        say(json.dumps({"settings": settings.to_dict(), "model": config.to_json()}, indent=2))
        return
    shape, groups = config.network, config.multichannel
    stream = "channel" if groups is None else f"group of up to {groups.max_channels} channels"
    say(
        f"# {config.architecture} '{config.name}' at {config.rate:g} Hz, hop {shape.hop}, "
        f"{shape.n_codebooks} codebooks of {shape.codebook_size}: {bits_per_second(config):g} bit/s a {stream}"
    )
    limits = [f"{settings.run.max_steps} steps"] * bool(settings.run.max_steps)
    limits += [f"{settings.run.max_seconds:g} s"] * bool(settings.run.max_seconds)
    say(f"# from {settings.start.init}, until {' or '.join(limits) or 'it is stopped'}, into {out}\n")
    say(to_toml(settings), nl=False)


def _print_report(
    report: TrainingReport, settings: TrainSettings, out: str, *, quiet: bool, verbose: bool, as_json: bool
) -> None:
    """Say what came of the run, and how to go on."""
    from eegzip.cli.train_progress import clock, number

    if not quiet:
        shown = report.skipped if verbose else report.skipped[:_MAX_SKIPPED]
        for name, why in shown:
            say(f"skipped: {name}: {why.removeprefix(name).lstrip(': ')}", err=True)
        if len(shown) < len(report.skipped):
            say(f"skipped: {len(report.skipped) - len(shown)} more (-v lists them)", err=True)
    if as_json:
        from eegzip.reports import finite

        say(json.dumps(finite(report.to_dict()), indent=2))
    elif not quiet:
        people = "1 person" if len(report.held_out) == 1 else f"{len(report.held_out)} people"
        done: list[StageReport | TrainingReport] = [*report.earlier, report]
        for stage in done:
            what, figure, unit = _FIGURES[stage.stage]
            before, after = (number((side or {}).get(figure), 3) for side in (stage.before, stage.after))
            kind = f"{settings.model.architecture} model" if stage.stage in ("network", "joint") else stage.stage
            say(
                f"{report.folder}: {kind}, {stage.steps} {unit}s in {clock(stage.seconds)}; "
                f"{what} of {people} held out {before} -> {after} % (best at {unit} {stage.best_step})"
            )
            if not stage.best_step and stage.steps:
                say(f"{report.folder}: {_NO_BETTER[stage.stage]} ({settings.start.init}).")
        _print_comparison(report, settings)
    if report.stopped_by and not quiet:
        say(
            f"eegzip: stopped after step {report.steps}; the state is saved. Go on with: "
            f"eegzip train --resume --out {out}",
            err=True,
        )


def _print_comparison(report: TrainingReport, settings: TrainSettings) -> None:
    """Say what came of files as a whole, and what a model lacks that it began with."""
    change, start = report.at_equal_bytes, settings.start.init
    if change is not None and change < 0:
        say(f"{report.folder}: at equal bytes the PRD of people held out is {-change:.2f} % below that of {start}.")
    elif change is not None:
        say(f"{report.folder}: at equal bytes that is no better than {start}, so the model is the start.")
    elif report.prior_lost:
        stages = ",".join([*(stage.stage for stage in report.earlier), report.stage, "prior"])
        say(
            f"{report.folder}: its codebooks are not those of {start}, whose prior it can't have; "
            f"--stages {stages} fits one, and --stages prior to this model."
        )


@contextmanager
def _memory_advice(settings: TrainSettings) -> Iterator[None]:
    """Turn every way to run out of memory into a sentence with advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error).lower()
        # torch says it in several ways, and its own class of error is a RuntimeError.
        if not isinstance(error, MemoryError) and "out of memory" not in text and "allocate memory" not in text:
            raise
        raise EegzipError(
            f"there is not enough memory for a step; try a --batch below {settings.optimiser.batch}, shorter windows "
            f"(--set data.window_seconds={settings.data.window_seconds / 2:g}) or a smaller --preset (compact)."
        ) from error
