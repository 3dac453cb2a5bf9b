"""``eegzip evaluate``."""

from __future__ import annotations

import json

import click

from eegzip.cli.common import device_option, json_option, progress_bar, quiet_option
from eegzip.cli.many import Many, many_options, run_many
from eegzip.cli.values import FILE, FOLDER

_EPILOG = """\b
Examples:
  eegzip evaluate night.edf night.eegz          what a compressed file lost, channel by channel
  eegzip evaluate night.edf back.edf            the same of two recordings
  eegzip evaluate -r recordings/ -o compressed/   a tree beside another
  eegzip evaluate --json night.edf night.eegz | jq .tier.letter
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="ORIGINAL RESTORED|FILE.eegz | PATH...", nargs=-1, type=FILE)
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@many_options(output="Where the restored files are, in the same tree.  [default: beside the originals]", writes=False)
@device_option
@quiet_option
@json_option
def evaluate(
    paths: tuple[str, ...], model: str | None, device: str, *, many: Many, quiet: bool, as_json: bool
) -> None:
    """Compare a recording with what came back, or with an .eegz file made of it.

    A line a channel: PRD (mean removed) of the whole, of the EEG part (above 0.5 Hz and beside mains of 50 and 60 Hz)
    and of its worst second, SNR, correlation, largest error, change of band power (delta 0.5-4, theta 4-8, alpha 8-13,
    beta 13-30, gamma 30-45 Hz), spectrogram loss. Seconds that are flat (one value for half a second or more: padding,
    an electrode off) are left out of the worst. Then the tier that the EEG channels reach together, in the whole, the
    EEG part and the bands, in the manner of OpenECS: L lossless, N near-lossless, C clinical, M monitoring, A alerting.

    Two PATHs are ORIGINAL and RESTORED. With -r, -o, -j or another option for many files, each PATH is an original, a
    folder (-r) or a pattern, and is compared with the file of its name in -o DIR, or the .eegz beside it.
    """
    import eegzip
    from eegzip.codecs.malloc import tune_malloc

    tune_malloc()
    if many.wanted(2):
        run_many("evaluate", many, quiet=quiet, as_json=as_json, model=model, device=device)
        return
    if len(paths) != 2:
        raise click.UsageError("Missing argument 'RESTORED': name what came back, or the .eegz file.")
    original, restored = paths
    with progress_bar(quiet=quiet) as progress:
        report = eegzip.evaluate(original, restored, model=model, device=device, progress=progress)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    elif not quiet:
        for line in report.table():
            click.echo(line)
        click.echo(report.sentence())
        click.echo(report.tier_line())
