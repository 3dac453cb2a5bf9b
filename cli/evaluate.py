"""``eegzip evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from eegzip.cli.common import device_option, json_option, progress_bar, quiet_option
from eegzip.cli.keys import key_options
from eegzip.cli.many import Many, many_options, run_many
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE, FOLDER

if TYPE_CHECKING:
    from eegzip.evaluation.report import EvaluationReport
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip evaluate night.edf night.eegz          what a compressed file lost, channel by channel
  eegzip evaluate night.edf back.edf            the same of two recordings
  eegzip evaluate -r recordings/ -o compressed/   a tree beside another
  eegzip evaluate night.eegz                    what the file says of itself, measured when it was written
  eegzip evaluate --csv night.edf night.eegz > channels.csv
  eegzip evaluate --json night.edf night.eegz | jq .tier.letter
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="ORIGINAL [RESTORED|FILE.eegz] | PATH...", nargs=-1, type=FILE)
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@key_options
@many_options(output="Where the restored files are, in the same tree.  [default: beside the originals]", writes=False)
@device_option
@quiet_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Report as a table with a line a channel, comma-separated.")
def evaluate(
    paths: tuple[str, ...],
    model: str | None,
    device: str,
    *,
    key: AnyKey | None,
    many: Many,
    quiet: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Compare a recording with what came back, or with an .eegz file made of it.

    A line a channel: PRD (mean removed) of the whole, of the EEG part (above 0.5 Hz and beside mains of 50 and 60 Hz)
    and of its worst second, SNR, correlation, largest error, change of band power (delta 0.5-4, theta 4-8, alpha 8-13,
    beta 13-30, gamma 30-45 Hz), spectrogram loss. Seconds that are flat (one value for half a second or more: padding,
    an electrode off) are left out of the worst. Then a line a band: power and coherence in the EEG channels, phase
    locking and correlation between them before and after. Then, a line an EEG channel, what became of the height and
    the time of its largest peaks and of spikes. Then the tier that the EEG channels reach together, in the whole, the
    EEG part and the bands, in the manner of OpenECS: L lossless, N near-lossless, C clinical, M monitoring, A alerting.

    An .eegz file alone: what it says of itself. Two PATHs are ORIGINAL and RESTORED. With -r, -o, -j or another
    option for many files, each PATH is an original, a folder (-r) or a pattern, and is compared with the file of its
    name in -o DIR, or the .eegz beside it.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two ways of saying the same; choose one.")
    import eegzip
    from eegzip.codecs.malloc import tune_malloc

    tune_malloc()
    if many.wanted(2):
        if as_csv:
            raise click.UsageError("--csv is of one comparison; of many, --json gives a line each.")
        run_many("evaluate", many, quiet=quiet, as_json=as_json, model=model, device=device, key=key)
        return
    if len(paths) == 1:
        _alone(paths[0], key, quiet=quiet, as_json=as_json, as_csv=as_csv)
        return
    if len(paths) != 2:
        raise click.UsageError("name an original and what came back, or the .eegz file made of it.")
    original, restored = paths
    with progress_bar(quiet=quiet) as progress:
        report = eegzip.evaluate(original, restored, model=model, device=device, key=key, progress=progress)
    if as_json:
        say(json.dumps(report.to_dict(), indent=2))
    elif as_csv:
        say(report.csv(), nl=False)
    elif not quiet:
        _print(report)


def _print(report: EvaluationReport) -> None:
    for line in report.table():
        say(line)
    if report.eeg:
        for table in (report.band_table(), report.peak_table()):
            say()
            for line in table:
                say(line)
        say()
    say(report.sentence())
    say(report.tier_line())


def _alone(path: str, key: AnyKey | None, *, quiet: bool, as_json: bool, as_csv: bool) -> None:
    """Say what an .eegz file says of itself."""
    from eegzip.formats.files import is_eegz

    if not is_eegz(path):
        raise click.UsageError(
            f"'{path}' is no .eegz file, so it says nothing of what was lost; name what is to be compared with it, too."
        )
    if as_csv:
        raise click.UsageError("--csv is of a comparison; name the original, too, or take --json.")
    import eegzip
    from eegzip.cli.info import said_of_itself
    from eegzip.info import without_patient

    with eegzip.open(path, key=key) as recording:
        content = without_patient(recording.info)
    if as_json:
        say(json.dumps(content, indent=2))
    elif not quiet:
        for line in said_of_itself(content):
            say(in_one_line(line))
