"""``eegzip bids``."""

from __future__ import annotations

import sys
from typing import Any

import click

from eegzip.cli.common import level_options, quiet_option, sentence
from eegzip.cli.values import FOLDER

_EPILOG = """\b
Examples:
  eegzip bids dataset/ -o dataset/derivatives/eegzip
  eegzip bids dataset/ -o quick/ -1                       some 20 times as fast, files a little larger
  eegzip bids dataset/ -o small/ --max-prd 9              lossy within a bound, which is checked
  eegzip bids --restore small/ -o restored/               the raw data set again
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset", metavar="DATASET", type=FOLDER)
@click.option("-o", "--output", metavar="DIR", type=FOLDER, required=True, help="The data set to make.")
@click.option("--restore", is_flag=True, help="Make the raw data set of the derivative one.")
@click.option("--max-prd", type=float, metavar="PERCENT", help="Not lossless: error at most, as with compress.")
@level_options
@click.option("-j", "--jobs", type=click.IntRange(0), metavar="N", help="Files at a time.  [default: one a core]")
@quiet_option
def bids(
    dataset: str, output: str, max_prd: float | None, level: int | None, jobs: int | None, *, restore: bool, quiet: bool
) -> None:
    """Make a derivative BIDS data set of .eegz files out of DATASET, or the raw one again.

    Each EDF or BDF recording (_eeg, _ieeg) is compressed, lossless unless asked otherwise, read back and compared, and
    gets a sidecar that says what was lost; all other files are copied untouched, but for derivatives and sourcedata.
    The same command goes on where it was ended. One recording that fails costs itself only; the exit code is then 1.
    """
    from eegzip.bids import compress_bids, restore_bids

    def show(name: str, error: str | None) -> None:
        if error is not None:
            click.echo(f"eegzip: {sentence(Exception(error))}", err=True)
        elif not quiet:
            click.echo(name)

    if restore:
        if max_prd is not None or level is not None:
            raise click.UsageError("--max-prd and levels are of compressing; restoring takes what is there.")
        report = restore_bids(dataset, output, jobs=jobs, on_file=show)
    else:
        options: dict[str, Any] = {"lossless": True} if max_prd is None else {"max_prd": max_prd}
        if level is not None:
            options["level"] = level
        report = compress_bids(dataset, output, jobs=jobs, on_file=show, **options)
    if not quiet or report.failed:
        click.echo(report.sentence(), err=quiet)
    sys.exit(int(report.failed > 0))
