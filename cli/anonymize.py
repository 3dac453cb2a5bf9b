"""``eegzip anonymize``."""

from __future__ import annotations

from dataclasses import replace

import click

from eegzip.cli.common import (
    STANDARD,
    STANDARD_INPUT,
    force_option,
    input_file,
    json_option,
    output_file,
    print_report,
    quiet_option,
    shown_name,
    verbose_option,
)
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE

_EPILOG = """\b
Examples:
  eegzip anonymize night.edf anonymous.edf                        start on 1 January 1985
  eegzip anonymize night.edf anonymous.edf --shift-days -1234     or so many days earlier
  eegzip anonymize night.edf anonymous.edf --keep age,sex --annotations remove
  eegzip compress night.edf night.eegz --anonymize                at once, with the defaults
"""
_SHOWN = 20


@click.command(epilog=_EPILOG)
@click.argument("source", metavar="IN", type=FILE)
@click.argument("target", metavar="OUT", type=FILE)
@click.option("--shift-days", type=int, metavar="N", help="Move the start by N days, instead of to 1 January 1985.")
@click.option("--keep", metavar="age,sex", help="Keep these of the patient, where the fields of EDF+ state them.")
@click.option(
    "--annotations",
    type=click.Choice(("list", "remove", "hash", "keep")),
    default="list",
    show_default=True,
    help="Texts of annotations: keep and list them; remove them; put codes in their place; keep them.",
)
@force_option
@quiet_option
@verbose_option
@json_option
def anonymize(
    source: str,
    target: str,
    shift_days: int | None,
    keep: str | None,
    annotations: str,
    *,
    force: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Write the EDF or BDF recording IN to OUT without what tells whose it is.

    Name, code and birth date of the patient, identifiers of the recording, technician, equipment and day are removed;
    the time of day, labels of channels and samples stay. What was done is said, and what stays and only a person can
    judge: texts of annotations, for instance, unless they are removed.
    """
    import eegzip

    kept = [part.strip().lower() for part in (keep or "").split(",") if part.strip()]
    with input_file(source) as read, output_file(target) as write:
        report = eegzip.anonymize(
            read, write, shift_days=shift_days, keep=kept, annotations=annotations, overwrite=force
        )
    report = replace(report, source=shown_name(source, STANDARD_INPUT), target=shown_name(target, "standard output"))
    print_report(report.sentence(), [], report.to_dict(), output=target, quiet=quiet, verbose=verbose, as_json=as_json)
    if quiet or as_json:
        return
    for what in report.done:
        say(f"  {in_one_line(what)}", err=target == STANDARD)
    for what in report.unjudged:
        say(f"look at this: {in_one_line(what)}", err=True)
    shown = list(report.annotation_texts.items())
    for text, count in shown if verbose else shown[:_SHOWN]:
        say(f"  {count} x {in_one_line(text)}", err=True)
    if len(shown) > _SHOWN and not verbose:
        say(f"  and {len(shown) - _SHOWN} other texts; -v or --json lists them all", err=True)
