"""``eegzip tokens``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eegzip.cli.common import device_option, force_option, json_option, print_report, progress_bar, quiet_option
from eegzip.cli.keys import key_options
from eegzip.cli.values import FILE

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip tokens night.edf -o night.npz                 a channel's own tokens, coded for the occasion
  eegzip tokens archive/ -o tokens.zarr                all .eegz and EDF files below a folder
  eegzip tokens archive/ -o tokens.parquet --labels participants.tsv --label diagnosis
  eegzip tokens archive/manifest.jsonl -o coarse.npz -k 4   the first four levels alone

\b
In Python: numpy.load("night.npz")["0/codes"] is uint16 [channels, codebooks, frames], 65535 for no token;
"0/channels", "0/times" (seconds of each frame), "files", "subjects", "labels", "frame_rate", "model", "digest".
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="IN...", nargs=-1, required=True, type=FILE)
@click.option("-o", "--output", metavar="OUT", required=True, type=FILE, help="The file or zarr store to make.")
@click.option("--to", type=click.Choice(["npz", "zarr", "parquet"]), help="Its kind.  [default: what OUT ends with]")
@click.option("--model", metavar="NAME", default="eegz-sc-1", show_default=True, help="Codes EDF and BDF files.")
@click.option("-k", "--codebooks", type=click.IntRange(1), metavar="N", help="The first N levels.  [default: all]")
@click.option("--labels", metavar="TABLE", type=FILE, help="CSV or participants.tsv with a label a file or subject.")
@click.option("--label", metavar="COLUMN", help="Which of its columns.  [default: 'label', or the only one]")
@click.option("--subject", metavar="REGEX", default="", help="Its first group is the subject in a path.")
@key_options
@device_option
@force_option
@quiet_option
@json_option
def tokens(
    paths: tuple[str, ...],
    output: str,
    to: str | None,
    model: str,
    codebooks: int | None,
    labels: str | None,
    label: str | None,
    subject: str,
    device: str,
    *,
    key: AnyKey | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Export tokens for machine learning: integers, with labels, subjects, channel names, times and the model's digest.

    IN are .eegz, EDF or BDF files, folders, or manifests of 'eegzip archive'. What .eegz files hold is taken as it is,
    without a network; files that are kept exactly hold no tokens. zarr needs eegzip[zarr], parquet eegzip[parquet].
    """
    # Here, so that --help needs nothing of it.
    from eegzip.token_data.export import export_tokens

    with progress_bar(quiet=quiet) as progress:
        report = export_tokens(
            list(paths),
            output,
            to,
            model=model,
            codebooks=codebooks,
            labels=labels,
            label=label,
            subject=subject,
            device=device,
            overwrite=force,
            key=key,
            progress=progress,
        )
    print_report(report.sentence(), [], report.to_dict(), output=output, quiet=quiet, verbose=False, as_json=as_json)
