"""``eegzip compress``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import (
    STANDARD,
    STANDARD_INPUT,
    device_option,
    force_option,
    input_file,
    json_option,
    level_options,
    output_file,
    print_report,
    progress_bar,
    quiet_option,
    shown_name,
    verbose_option,
)
from eegzip.cli.keys import key_options
from eegzip.cli.many import Many, many_options, run_many
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE, FOLDER, KIND, TIME, models_of_kinds
from eegzip.formats.remote.path import place_of
from eegzip.notebook import CODING_NAMES

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey
    from eegzip.reports import CompressionReport

_EPILOG = """\b
Many recordings, each to a file of its whole name (night.edf.eegz):
  eegzip compress -r recordings/ -o compressed/      a tree, mirrored
  eegzip compress -j 4 --lossless *.edf              four at a time, beside their sources
  find . -name '*.rec' | eegzip compress --files-from - -o compressed/ --manifest done.jsonl

\b
Examples:
  eegzip compress night.edf                          makes night.eegz
  eegzip compress night.edf small.eegz -k 8          fewer codebooks: smaller and coarser
  eegzip compress night.edf small.eegz --bitrate 100 the best that 100 bit/s a channel allow
  eegzip compress night.edf --exact 'O?'             keeps O1 and O2 exactly
  eegzip compress night.edf exact.eegz --lossless    keeps everything exactly
  eegzip compress night.edf exact.eegz --lossless -1 the same in a twentieth of the time, 1 to 7 % larger
  eegzip compress night.edf exact.eegz --lossless -9 as small as can be, slowly
  eegzip compress night.edf --lossy 'ECG*' --max-prd 9   bounds the error of ECG, too
  eegzip compress night.edf --kind 'Ch 3=ecg'        says what a label doesn't: Ch 3 is no EEG
  eegzip compress night.edf --lossy 'ECG*' -m ecg=DIR    codes ECG by a model of your own
  eegzip compress night.edf --max-prd 9              as small as an error of 9 % allows, everywhere
  eegzip compress night.edf --max-error 2uV          no sample further off than 2 uV
  eegzip compress night.edf -m DIR --groups mine.txt channels of a line share tokens: "C3, Cz, C4"
  eegzip compress night.edf --encrypt identity       seals name, date and texts; asks for a pass phrase
  eegzip compress - - < night.edf > night.eegz       standard input and output
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="IN [OUT] | PATH...", nargs=-1, type=FILE)
@click.option(
    "-m",
    "--model",
    "models",
    type=FOLDER,
    multiple=True,
    metavar="[KIND=]NAME|DIR",
    help="Checkpoint to code with; with a KIND (see --kind) for signals of that kind. Repeatable.  [default: the "
    "bundled one]",
)
@click.option(
    "-k",
    "--codebooks",
    type=int,
    metavar="N",
    help="Use only the first N codebooks, or allow components the error that these would leave.  [default: as many as "
    "cost 384 bit/s a channel, packed; with --bitrate: all]",
)
@click.option("--bitrate", type=float, metavar="BITS", help="Aim at so many bits of tokens a second and signal.")
@click.option("--rate", metavar="HZ|native", help="Sample rate that the network sees.  [default: the model's]")
@click.option(
    "--scaling",
    metavar="adaptive|fixed:200uV",
    help="Follow each channel's level, or clip at a fixed amplitude as the paper does.  [default: the model's]",
)
@click.option(
    "--groups",
    type=FILE,
    metavar="manual|random|single|FILE",
    help="Which channels are coded together, with a model of groups (dac-mc): the model's own way (eegz-mc-2: all; "
    "others: by the paper's tables, else by place on the scalp); by the paper's draw (the same each time); none; or as "
    "in FILE, a group a line, labels separated by commas (one within a label: \\,).  [default: the model's]",
)
@click.option(
    "--lossy",
    multiple=True,
    metavar="PATTERN",
    help="Code these channels lossily too: EEG that is not known by its label, or ECG, EOG, EMG and breathing, each "
    "alone and at its own rate where that is above the model's; a bound takes fewer bytes of them. Repeatable.",
)
@click.option(
    "--exact", multiple=True, metavar="PATTERN", help="Keep these channels exactly; wins over --lossy. Repeatable."
)
@click.option(
    "--kind",
    "kinds",
    type=KIND,
    multiple=True,
    metavar="PATTERN=KIND",
    help="What these channels are, where labels don't say it: eeg (coded lossily), ecg, eog, emg, resp or other (with "
    "--lossy). Repeatable; the last one for a channel counts.",
)
@click.option(
    "--quality",
    metavar="archive|clinical|compact|tokens",
    help="archive: everything exactly. clinical: as --max-prd 5. compact: as --max-prd 20. tokens: the network's "
    "tokens, without a bound.  [default: tokens]",
)
@click.option("--max-error", metavar="2uV", help="No sample further off than this (uV, mV, nV), in the restored file.")
@click.option(
    "--max-prd",
    type=float,
    metavar="PERCENT",
    help="Error at most, of each channel in each chunk: of "
    "the whole, and of the EEG above 0.5 Hz beside mains by itself, so that offset, drift and hum pay for nothing.",
)
@click.option("--min-snr", type=float, metavar="DB", help="Signal-to-noise ratio at least, likewise twice.")
@click.option("--keep-tokens", is_flag=True, help="With a bound: store tokens too, to learn from and for previews.")
@click.option("--lossless", is_flag=True, help="Keep every channel exactly: the same bytes come back.")
@level_options
@click.option(
    "--chunk", type=TIME, metavar="TIME", help="Length of a chunk: 30, 5m.  [default: 60, or 120 where all is exact]"
)
@click.option("--verify", is_flag=True, help="Read the file back and compare it with IN before it appears.")
@click.option("--anonymize", is_flag=True, help="Compress what 'eegzip anonymize' makes of IN; notes say what.")
@click.option("--embed-model", is_flag=True, help="Let the file carry the model of its tokens, up to 16 MiB.")
@click.option(
    "--encrypt",
    type=click.Choice(["identity", "all"]),
    help="Seal what tells whose it is (header, date, texts), while signals are read without a key; or all. Asks for a "
    "pass phrase where no key is named.",
)
@key_options
@many_options(output="Write results there, trees mirrored.", writes=True)
@device_option
@force_option
@quiet_option
@verbose_option
@json_option
def compress(
    paths: tuple[str, ...],
    models: tuple[str, ...],
    codebooks: int | None,
    bitrate: float | None,
    rate: str | None,
    scaling: str | None,
    groups: str | None,
    lossy: tuple[str, ...],
    exact: tuple[str, ...],
    kinds: tuple[tuple[str, str], ...],
    quality: str | None,
    max_error: str | None,
    max_prd: float | None,
    min_snr: float | None,
    level: int | None,
    chunk: float | None,
    device: str,
    encrypt: str | None,
    *,
    key: AnyKey | None,
    many: Many,
    keep_tokens: bool,
    force: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    lossless: bool,
    verify: bool,
    anonymize: bool,
    embed_model: bool,
) -> None:
    """Compress the EDF or BDF recording IN to OUT.

    OUT defaults to IN with the ending .eegz; '-' stands for standard input or output. It is never a recording: -f
    replaces other files only. PATTERNs are shell patterns for channel labels or electrode names; case does not matter,
    and one that names no channel is refused. Only what is known to be EEG by its label, and what --lossy names, is
    coded lossily; 'eegzip info IN' shows what is taken for what, and why.

    Two PATHs are IN and OUT. With -r, -o, -j or another option for many files, each of any number of PATHs is a
    recording, a folder (-r) or a pattern; one that fails costs itself only, and the exit code is then 1.
    """
    import eegzip
    from eegzip.codecs.malloc import tune_malloc

    tune_malloc()
    options: dict[str, Any] = {
        "model": models_of_kinds(models),
        "codebooks": codebooks,
        "bitrate": bitrate,
        "rate": rate,
        "scaling": scaling,
        "groups": groups,
        "lossy": lossy,
        "exact": exact,
        "kinds": dict(kinds) or None,
        "quality": quality,
        "max_error": max_error,
        "max_prd": max_prd,
        "min_snr": min_snr,
        "keep_tokens": keep_tokens,
        "lossless": lossless,
        "level": level,
        "chunk_seconds": chunk,
        "device": device,
        "encrypt": encrypt,
        "key": key,
        "embed_model": embed_model,
    }
    if many.wanted(2):
        if anonymize:
            raise click.UsageError("--anonymize takes one recording; 'eegzip anonymize' each first.")
        many.flags["check"] |= verify
        run_many("compress", many, overwrite=force, quiet=quiet, as_json=as_json, **options)
        return
    source, target = paths if len(paths) == 2 else (paths[0], None)
    if target is None:
        target = STANDARD if source == STANDARD else str(place_of(source).with_suffix(".eegz"))
    with input_file(source) as read, output_file(target) as write, progress_bar(quiet=quiet) as progress:
        options |= {"verify": verify, "anonymize": anonymize}
        report = eegzip.compress(read, write, overwrite=force, progress=progress, **options)
    report = replace(report, source=shown_name(source, STANDARD_INPUT), target=shown_name(target, "standard output"))
    print_report(
        report.sentence(),
        _details(report),
        report.to_dict(),
        output=target,
        quiet=quiet,
        verbose=verbose,
        as_json=as_json,
    )
    if not verbose and not quiet and not as_json:
        for note in report.notes:
            say(f"note: {in_one_line(note)}", err=True)


def _details(report: CompressionReport) -> list[str]:
    lines = []
    for signal in report.signals:
        cost = "" if signal.bits_per_second is None else f", {signal.bits_per_second:.0f} bit/s"
        loss = "" if signal.prd is None else f", PRD {signal.prd:.1f} %"
        if signal.coding == "exact":
            loss = f" ({signal.reason})"
        elif signal.eeg_prd is not None:
            loss += f", of the EEG part {signal.eeg_prd:.1f} %"
        if signal.chunks:
            worst = "" if signal.worst_chunk_prd is None else f", worst chunk {signal.worst_chunk_prd:.2f} %"
            if signal.worst_chunk_eeg_prd is not None:
                worst += f", of the EEG part {signal.worst_chunk_eeg_prd:.2f} %"
            loss += f"{worst}; chunks: {', '.join(f'{count} {way}' for way, count in signal.chunks.items())}"
        lines.append(f"{signal.label or '(no label)'}: {CODING_NAMES[signal.coding]}{loss}{cost}")
    lines += [f"coded together: {', '.join(group)}" for group in report.groups if len(group) > 1]
    lines += [f"deviation: {deviation}" for deviation in report.deviations]
    lines += [f"note: {note}" for note in report.notes]
    share = 100 * report.overhead_bytes / report.compressed_bytes
    lines.append(
        f"{report.overhead_bytes} bytes ({share:.1f} %) are neither tokens nor layers nor exact signals nor EDF header"
    )
    if report.duration:
        lines.append(f"{report.elapsed:.1f} s, {report.duration / report.elapsed:.0f} times as fast as recorded")
    return lines
