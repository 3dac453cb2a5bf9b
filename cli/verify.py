"""``eegzip verify``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import (
    STANDARD_INPUT,
    device_option,
    input_file,
    json_option,
    max_memory_option,
    progress_bar,
    quiet_option,
    sentence,
    shown_name,
    verbose_option,
)
from eegzip.cli.keys import key_options
from eegzip.cli.many import Many, many_options, run_many
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE, FOLDER
from eegzip.formats.errors import EegzipError

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip verify night.eegz
  eegzip verify --deep archive/*.eegz      synthesises every waveform too
  eegzip verify -r archive/ -j 4 --manifest scrubbed.jsonl   a tree; what changed since the last time
  eegzip verify --json night.eegz | jq .intact
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="IN...", nargs=-1, type=FILE)
@click.option("--deep", is_flag=True, help="Synthesise every waveform too; needs the model.")
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@key_options
@many_options(output=None, writes=False)
@max_memory_option
@device_option
@quiet_option
@verbose_option
@json_option
def verify(
    paths: tuple[str, ...],
    model: str | None,
    max_memory: int | None,
    device: str,
    *,
    key: AnyKey | None,
    many: Many,
    deep: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Check every checksum of .eegz files and decode every block; '-' stands for standard input.

    The exit code is 0 when all files are intact, else 1.
    """
    import eegzip
    from eegzip.codecs.malloc import tune_malloc

    tune_malloc()
    options: dict[str, Any] = {"deep": deep, "model": model, "max_memory": max_memory, "device": device, "key": key}
    if many.wanted(sys.maxsize):
        run_many("verify", many, quiet=quiet, as_json=as_json, **options)
        return
    results = []
    damaged = False
    for source in paths:
        try:
            with input_file(source) as path, progress_bar(quiet=quiet) as progress:
                found = eegzip.verify(path, progress=progress, **options)
        except EegzipError as error:
            damaged = True
            results.append({"source": shown_name(source, STANDARD_INPUT), "intact": False, "problems": [str(error)]})
            if not as_json:
                say(f"eegzip: {sentence(error)}", err=True)
            continue
        found = replace(found, source=shown_name(source, STANDARD_INPUT))
        damaged = damaged or not found.intact
        results.append(found.to_dict())
        if as_json:
            continue
        if not quiet:
            say(found.sentence())
        for problem in found.problems:
            say(f"  problem: {in_one_line(problem)}", err=True)
        for missing in found.unchecked:
            say(f"  not checked: {in_one_line(missing)}", err=True)
        for deviation in found.deviations if verbose else ():
            say(f"  deviation of the original: {in_one_line(deviation)}")
    if as_json:
        say(json.dumps(results[0] if len(paths) == 1 else results, indent=2))
    sys.exit(int(damaged))
