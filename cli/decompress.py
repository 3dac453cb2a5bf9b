"""``eegzip decompress``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from eegzip.cli.common import (
    STANDARD,
    device_option,
    force_option,
    input_file,
    json_option,
    output_file,
    print_report,
    progress_bar,
    quiet_option,
    shown_name,
    verbose_option,
)

_EPILOG = """\b
Examples:
  eegzip decompress night.eegz                             makes night.edf (or .bdf)
  eegzip decompress night.eegz part.edf --start 60 --stop 90 --channels C3,C4
  eegzip decompress broken.eegz rest.edf --salvage         what is intact of a damaged file
"""


@click.command(epilog=_EPILOG)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False)
@click.option("--start", type=float, metavar="SECONDS", help="Begin here, widened to a whole data record.")
@click.option("--stop", type=float, metavar="SECONDS", help="End here, widened to a whole data record.")
@click.option("-c", "--channels", multiple=True, metavar="PATTERN[,...]", help="Only these channels. Repeatable.")
@click.option(
    "--salvage",
    is_flag=True,
    help="Restore what is intact of a damaged file; the rest becomes zeros (exit code 1).",
)
@click.option("--alone", is_flag=True, help="Decode each channel from its own tokens only: faster, less near.")
@click.option("-m", "--model", metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@device_option
@force_option
@quiet_option
@verbose_option
@json_option
def decompress(
    source: str,
    target: str | None,
    start: float | None,
    stop: float | None,
    channels: tuple[str, ...],
    model: str | None,
    device: str,
    *,
    salvage: bool,
    alone: bool,
    force: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Restore the recording in the .eegz file IN to OUT.

    OUT defaults to IN with the ending .edf or .bdf; '-' stands for standard input or output. Times are seconds of
    recorded data; gaps of a discontinuous recording don't count.
    """
    import eegzip
    from eegzip.codecs.malloc import tune_malloc

    tune_malloc()
    patterns = [pattern for item in channels for pattern in item.split(",") if pattern.strip()]
    with input_file(source) as read, progress_bar(quiet=quiet) as progress:
        if target is None:
            target = STANDARD if source == STANDARD else str(Path(source).with_suffix(_ending(read)))
        with output_file(target) as write:
            report = eegzip.decompress(
                read,
                write,
                start=start,
                stop=stop,
                channels=patterns,
                salvage=salvage,
                alone=alone,
                model=model,
                device=device,
                overwrite=force,
                progress=progress,
            )
    report = replace(report, source=shown_name(source, "standard input"), target=shown_name(target, "standard output"))
    details = [f"note: {note}" for note in report.notes] + [f"{report.elapsed:.1f} s"]
    print_report(
        report.sentence(), details, report.to_dict(), output=target, quiet=quiet, verbose=verbose, as_json=as_json
    )
    for first, last in report.lost_records:
        click.echo(f"lost: data records {first} to {last}", err=True)
    if report.lost_records:
        sys.exit(1)


def _ending(path: Path) -> str:
    from eegzip.formats.eegz.reader import EegzReader

    with EegzReader(path) as reader:
        return ".edf" if reader.header.sample_bytes == 2 else ".bdf"
