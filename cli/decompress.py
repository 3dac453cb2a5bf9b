"""``eegzip decompress``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import (
    STANDARD,
    STANDARD_INPUT,
    device_option,
    force_option,
    input_file,
    json_option,
    max_memory_option,
    output_file,
    print_report,
    progress_bar,
    quiet_option,
    shown_name,
    verbose_option,
)
from eegzip.cli.keys import key_options
from eegzip.cli.many import Many, many_options, run_many
from eegzip.cli.saying import say
from eegzip.cli.values import FILE, FOLDER, SIZE, TIME
from eegzip.formats.remote.path import place_of

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip decompress night.eegz                             makes night.edf (or .bdf)
  eegzip decompress night.eegz part.edf --start 60 --stop 90 --channels C3,C4
  eegzip decompress night.eegz hour.edf --start 01:00:00 --stop 02:00:00
  eegzip decompress -r archive/ -o restored/               a tree, mirrored
  eegzip decompress sealed.eegz --ask-passphrase           what --encrypt sealed, too
  eegzip decompress broken.eegz rest.edf --salvage         what is intact of a damaged file
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="IN [OUT] | PATH...", nargs=-1, type=FILE)
@click.option("--start", type=TIME, metavar="TIME", help="Begin here, widened to a whole data record.")
@click.option("--stop", type=TIME, metavar="TIME", help="End here, widened to a whole data record.")
@click.option(
    "-c",
    "--channels",
    multiple=True,
    metavar="PATTERN[,...]",
    help="Only these channels. Repeatable; a comma within a label takes a backslash before it.",
)
@click.option(
    "--salvage",
    is_flag=True,
    help="Restore what is intact of a damaged file; the rest becomes zeros (exit code 1).",
)
@click.option("--alone", is_flag=True, help="Decode each channel from its own tokens only: faster, less near.")
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@key_options
@many_options(output="Write recordings there, trees mirrored.", writes=True)
@device_option
@click.option(
    "--max-output", type=SIZE, metavar="SIZE", help="Write no larger file; how much --salvage may fill with zeros."
)
@max_memory_option
@force_option
@quiet_option
@verbose_option
@json_option
def decompress(
    paths: tuple[str, ...],
    start: float | None,
    stop: float | None,
    channels: tuple[str, ...],
    model: str | None,
    max_output: int | None,
    max_memory: int | None,
    device: str,
    *,
    key: AnyKey | None,
    many: Many,
    salvage: bool,
    alone: bool,
    force: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Restore the recording in the .eegz file IN to OUT.

    OUT defaults to IN with the ending .edf or .bdf; '-' stands for standard input or output. TIMEs are recorded time,
    from the start of the recording (not of the day): 90, 1m30s, 1:30 or 00:01:30; gaps of a discontinuous recording
    don't count.

    Two PATHs are IN and OUT. With -r, -o, -j or another option for many files, each of any number of PATHs is a file, a
    folder (-r) or a pattern; one that fails costs itself only, and the exit code is then 1.
    """
    import eegzip
    from eegzip.batches.files import restored_name
    from eegzip.codecs.malloc import tune_malloc
    from eegzip.formats.edf.label_patterns import split_patterns

    tune_malloc()
    patterns = [pattern for item in channels for pattern in split_patterns(item) if pattern]
    options: dict[str, Any] = {
        "start": start,
        "stop": stop,
        "channels": patterns,
        "salvage": salvage,
        "alone": alone,
        "model": model,
        "device": device,
        "max_output": max_output,
        "max_memory": max_memory,
        "key": key,
    }
    if many.wanted(2):
        run_many("decompress", many, overwrite=force, quiet=quiet, as_json=as_json, **options)
        return
    source, target = paths if len(paths) == 2 else (paths[0], None)
    with input_file(source) as read, progress_bar(quiet=quiet) as progress:
        if target is None:
            place = place_of(source)
            target = STANDARD if source == STANDARD else str(place.with_name(restored_name(place, key)))
        with output_file(target) as write:
            report = eegzip.decompress(read, write, overwrite=force, progress=progress, **options)
    report = replace(report, source=shown_name(source, STANDARD_INPUT), target=shown_name(target, "standard output"))
    details = [f"note: {note}" for note in report.notes] + [f"{report.elapsed:.1f} s"]
    print_report(
        report.sentence(), details, report.to_dict(), output=target, quiet=quiet, verbose=verbose, as_json=as_json
    )
    for line in report.losses:
        say(line, err=True)
    if report.losses:
        sys.exit(1)
