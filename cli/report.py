"""``eegzip report``."""

from __future__ import annotations

import json

import click

from eegzip.cli.common import device_option, force_option, json_option, progress_bar, quiet_option
from eegzip.cli.values import FILE, FOLDER

_EPILOG = """\b
Examples:
  eegzip report night.edf night.eegz -o night.html      a page to look at in a browser
  eegzip report night.edf back.edf -o night.html --patient
"""


@click.command(epilog=_EPILOG)
@click.argument("original", metavar="ORIGINAL", type=FILE)
@click.argument("other", metavar="OTHER", type=FILE)
@click.option("-o", "--output", metavar="PAGE.html", type=FILE, required=True, help="The page to write.")
@click.option("--patient", is_flag=True, help="Show the patient's and the recording's fields and the date.")
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@device_option
@force_option
@quiet_option
@json_option
def report(
    original: str,
    other: str,
    output: str,
    model: str | None,
    device: str,
    *,
    patient: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write one page that shows what a recording lost: EDF, BDF or .eegz on either side.

    Sizes and promises, a map of error over channels and time, traces of both laid over each other (the worst ten
    seconds first) in three montages, spectra, bands, a map of the scalp, bits a channel. The page needs no network.
    Patient and date are left out unless asked for; names of the files are shown.
    """
    import eegzip

    with progress_bar(quiet=quiet) as progress:
        found = eegzip.report(
            original,
            other,
            output,
            patient=patient,
            model=model,
            device=device,
            overwrite=force,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    elif not quiet:
        click.echo(f"{output}: {found.sentence()}")
