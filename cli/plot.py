"""``eegzip plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eegzip.cli.common import device_option, force_option, quiet_option
from eegzip.cli.keys import key_options
from eegzip.cli.saying import say
from eegzip.cli.values import FILE, FOLDER, TIME

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip plot night.edf -o night.png                        the first ten seconds
  eegzip plot night.edf --compare night.eegz --start 1:30:00 -o page.svg
  eegzip plot night.eegz --start 60 --stop 64 -c C3,C4,O* -o four.png
  eegzip plot night.eegz --montage bipolar -o banana.png
"""


@click.command(epilog=_EPILOG)
@click.argument("source", metavar="FILE", type=FILE)
@click.option("-o", "--output", metavar="PICTURE", type=FILE, required=True, help="The .png or .svg to write.")
@click.option("--compare", metavar="OTHER", type=FILE, help="The same recording in another file, drawn over it.")
@click.option("--start", type=TIME, metavar="TIME", default=0.0, help="Begin here.  [default: the beginning]")
@click.option("--stop", type=TIME, metavar="TIME", help="End here.  [default: ten seconds later]")
@click.option(
    "-c",
    "--channels",
    multiple=True,
    metavar="PATTERN[,...]",
    help="These channels, in this order. Repeatable; a comma within a label takes a backslash before it.",
)
@click.option(
    "--montage",
    type=click.Choice(["recorded", "bipolar", "average"]),
    default="recorded",
    show_default=True,
    help="As recorded, the double banana, or against the average of all electrodes drawn.",
)
@click.option("-m", "--model", type=FOLDER, metavar="DIR", help="Checkpoint, where it is neither bundled nor cached.")
@key_options
@device_option
@force_option
@quiet_option
def plot(
    source: str,
    output: str,
    compare: str | None,
    start: float,
    stop: float | None,
    channels: tuple[str, ...],
    montage: str,
    model: str | None,
    device: str,
    *,
    key: AnyKey | None,
    force: bool,
    quiet: bool,
) -> None:
    """Draw a page of a recording: EDF, BDF or .eegz, with another file of it laid over.

    Traces stand in the order of the 10-20 system, negative up, at a scale that a bar shows. Only what is drawn is read
    and decoded. Patient and date are left out; names of the files are shown. It needs matplotlib: eegzip[plot].
    """
    import eegzip
    from eegzip.formats.edf.label_patterns import split_patterns

    patterns = [pattern for item in channels for pattern in split_patterns(item) if pattern]
    eegzip.plot(
        source,
        output,
        compare=compare,
        start=start,
        stop=stop,
        channels=patterns or None,
        montage=montage,
        model=model,
        device=device,
        overwrite=force,
        key=key,
    )
    if not quiet:
        say(output)
