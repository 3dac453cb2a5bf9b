"""``eegzip report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegzip.cli.common import device_option, force_option, json_option, print_report, progress_bar, quiet_option
from eegzip.cli.keys import key_options
from eegzip.cli.values import FILE, FOLDER

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip report night.edf night.eegz -o night.html      a page to look at in a browser
  eegzip report night.edf back.edf -o night.html --patient
  eegzip report recordings/ archive/ -o all.html --pages   all pairs on one page, and a page of each
  eegzip report archive/manifest.jsonl -o all.html         what was lost when an archive was made
"""


@click.command(epilog=_EPILOG)
@click.argument("original", metavar="ORIGINAL", type=FILE)
@click.argument("other", metavar="[OTHER]", required=False, type=FILE)
@click.option("-o", "--output", metavar="PAGE.html", type=FILE, required=True, help="The page to write.")
@click.option("--patient", is_flag=True, help="Show the patient's and the recording's fields and the date.")
@click.option("--pages", is_flag=True, help="Of a folder: write a report of each pair, too, and link it.")
@click.option("-j", "--jobs", type=click.IntRange(0), metavar="N", help="Pairs at a time.  [default: one a core]")
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@key_options
@device_option
@force_option
@quiet_option
@json_option
def report(
    original: str,
    other: str | None,
    output: str,
    jobs: int | None,
    model: str | None,
    device: str,
    *,
    key: AnyKey | None,
    patient: bool,
    pages: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write one page that shows what a recording lost: EDF, BDF or .eegz on either side.

    Sizes and promises, a map of error over channels and time, traces of both laid over each other (the worst ten
    seconds first) in three montages, spectra, bands, a map of the scalp, bits a channel. The page needs no network.
    Patient and date are left out unless asked for; names of the files are shown.

    Of a folder ORIGINAL every recording below it is compared with the .eegz file of its name, beside it or in the
    folder OTHER: one page with a table to sort, histograms, what stands out first. Exit code 1: a pair failed.
    Of a manifest (.jsonl) the page shows what is recorded in it.
    """
    import eegzip

    if Path(original).is_dir() or original.lower().endswith(".jsonl"):
        with progress_bar(quiet=quiet) as bar:

            def tell(done: int, total: int) -> None:
                if bar is not None:
                    bar("comparing", done, total)

            many = eegzip.overview(
                original,
                output,
                others=other,
                pages=pages,
                patient=patient,
                jobs=jobs,
                model=model,
                device=device,
                overwrite=force,
                key=key,
                on_file=tell,
            )
        said = f"{output}: {many.sentence()}"
        print_report(said, [], many.to_dict(), output=output, quiet=quiet, verbose=False, as_json=as_json)
        sys.exit(int(many.failed > 0 and Path(original).is_dir()))
    if other is None:
        raise click.UsageError("Missing argument 'OTHER': name the other file, or a folder or a manifest alone.")
    if pages or jobs is not None:
        raise click.UsageError("--pages and --jobs are for folders; name a folder of recordings.")
    with progress_bar(quiet=quiet) as progress:
        found = eegzip.report(
            original,
            other,
            output,
            patient=patient,
            model=model,
            device=device,
            overwrite=force,
            key=key,
            progress=progress,
        )
    said = f"{output}: {found.sentence()}"
    print_report(said, [], found.to_dict(), output=output, quiet=quiet, verbose=False, as_json=as_json)
