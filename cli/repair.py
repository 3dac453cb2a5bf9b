"""``eegzip repair``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegzip.cli.common import force_option, json_option, print_report, quiet_option, verbose_option
from eegzip.cli.keys import key_options
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip repair broken.eegz                   makes broken.repaired.eegz
  eegzip repair broken.eegz sound.eegz -v     and says what was wrong
"""


@click.command(epilog=_EPILOG)
@click.argument("source", metavar="IN", type=FILE)
@click.argument("target", metavar="[OUT]", required=False, type=FILE)
@key_options
@force_option
@quiet_option
@verbose_option
@json_option
def repair(
    source: str, target: str | None, *, key: AnyKey | None, force: bool, quiet: bool, verbose: bool, as_json: bool
) -> None:
    """Write the damaged .eegz file IN anew: signature, copies of the header, order of chunks, index.

    Nothing is decoded, and what is lost stays lost: 'eegzip decompress --salvage' then gets what is there. OUT defaults
    to IN with the ending .repaired.eegz. The exit code is 1 where something can't be mended.
    """
    import eegzip

    name = str(Path(source).with_suffix(".repaired.eegz")) if target is None else target
    report = eegzip.repair(source, name, overwrite=force, key=key)
    details = [f"repaired: {what}" for what in report.repaired]
    print_report(
        report.sentence(), details, report.to_dict(), output=name, quiet=quiet, verbose=verbose, as_json=as_json
    )
    for what in report.remaining:
        say(f"remains: {in_one_line(what)}", err=True)
    sys.exit(int(bool(report.remaining)))
