"""``eegzip info``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import STANDARD_INPUT, input_file, json_option, shown_name
from eegzip.cli.keys import key_options
from eegzip.cli.many import Many, many_options, run_many
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE
from eegzip.notebook import CODING_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from eegzip.formats.eegz.keys import AnyKey
    from eegzip.formats.remote.path import RemotePath
    from eegzip.info import EdfInfo, EegzInfo

_EPILOG = """\b
Examples:
  eegzip info night.eegz
  eegzip info night.edf                    how eegzip sees a recording before compressing it
  eegzip info --json night.eegz | jq '.signals[].prd'
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="IN...", nargs=-1, type=FILE)
@click.option("--patient", is_flag=True, help="Show the patient's and the recording's fields and the date.")
@key_options
@many_options(output=None, writes=False)
@json_option
def info(paths: tuple[str, ...], *, key: AnyKey | None, many: Many, patient: bool, as_json: bool) -> None:
    """Show what an .eegz file (or an EDF or BDF recording) holds; '-' stands for standard input.

    For each channel: how it is coded and why, what it costs, and how much was lost, as measured when it was written.
    """
    from eegzip.formats.files import is_eegz
    from eegzip.info import without_patient

    if many.wanted(1):
        run_many("info", many, quiet=False, as_json=as_json, patient=patient, key=key)
        return
    (source,) = paths
    # What was an .eegz file once has a reader of its own, who says what is wrong with it.
    with input_file(source) as path:
        compressed = is_eegz(path) or path.suffix.lower() == ".eegz"
        found = _info(path, key, compressed=compressed)
    content = dict(found) if patient else without_patient(found)
    content["path"] = shown_name(source, STANDARD_INPUT)
    if as_json:
        say(json.dumps(content, indent=2))
        return
    for line in text_of(content):
        say(in_one_line(line))


def _info(source: Path | RemotePath, key: AnyKey | None, *, compressed: bool) -> EdfInfo | EegzInfo:
    if compressed:
        import eegzip

        with eegzip.open(source, key=key) as recording:
            return recording.info
    from eegzip.info import edf_info

    return edf_info(source)


def text_of(content: Mapping[str, Any]) -> Iterator[str]:
    """What a person reads of a recording or an ``.eegz`` file: its :class:`EdfInfo` or :class:`EegzInfo` in lines."""
    compressed = "compressed_bytes" in content
    yield f"{content['path']}: {content['variant']} recording, {_duration(content['duration'])}"
    if content.get("locked"):
        yield "  patient     sealed, as are recording, start and texts; a key and --patient show them"
    elif content["patient"] is None:
        yield "  patient     not shown, nor recording and start; --patient shows them"
    else:
        yield f"  patient     {content['patient'] or '-'}"
        yield f"  recording   {content['recording'] or '-'}"
        yield f"  start       {content['start'] or 'unknown'}"
    yield f"  records     {content['n_records']}{_each(content['record_duration'])}"
    if content["trailing_bytes"]:
        yield f"  trailing    {content['trailing_bytes']} bytes after the last record"
    if compressed:
        yield from _compressed_text(content)
    yield ""
    yield from _table(content["signals"], compressed=compressed)
    for deviation in content["deviations"]:
        yield f"deviation: {deviation}"


def said_of_itself(content: Mapping[str, Any]) -> Iterator[str]:
    """Lines of what an .eegz file says about what it lost, from its :class:`~eegzip.info.EegzInfo`."""
    from eegzip.reports import human_size

    size = human_size(content["compressed_bytes"])
    if content["ratio"]:
        size = f"{human_size(content['original_bytes'])} -> {size} ({content['ratio']:.1f}:1)"
    yield f"{content['path']}: {size}; measured when it was written by {content['software']}"
    yield from _promise(content)
    for problem in content["problems"]:
        yield f"  PROBLEM     {problem}"
    yield from _table(content["signals"], compressed=True)


def _promise(content: Mapping[str, Any]) -> Iterator[str]:
    """What was promised, where anything was."""
    if content["targets"]:
        from eegzip.formats.eegz.header import Targets
        from eegzip.reports import promise

        yield f"  promised    {promise(Targets(**content['targets']))}, for each bounded channel in each chunk"


def _compressed_text(content: Mapping[str, Any]) -> Iterator[str]:
    from eegzip.reports import human_size

    size = human_size(content["compressed_bytes"])
    if content["ratio"]:
        size = f"{human_size(content['original_bytes'])} -> {size} ({content['ratio']:.1f}:1)"
    yield f"  size        {size}"
    yield f"  written by  {content['software']}, in {content['chunks']} chunks of {content['chunk_records']} records"
    if content["level"] is not None:
        yield f"  level       {content['level']} of lossless compression (1 to 9)"
    yield f"  source      SHA-256 {content['source_sha256']}{' (of the recording as of nobody)' * content['locked']}"
    if content["sealed"]:
        yield f"  sealed      {'what tells whose it is' if content['sealed'] == 'identity' else 'all'}, by AES-256-GCM"
    for number, codec in enumerate(content["codecs"]):
        rate = "each signal's own rate" if codec["rate"] is None else f"{codec['rate']:g} Hz"
        yield f"  model       {codec['model']} ({codec['name']}), digest {codec['digest'][:16]}..."
        yield (
            f"              {rate}, hop {codec['hop']}, {codec['codebooks']} codebooks of {codec['codebook_size']}, "
            f"{codec['scaling']} scaling"
        )
        if len(content["codecs"]) > 1:
            owned = [index for group in content["groups"] if group["codec"] == number for index in group["signals"]]
            kinds = dict.fromkeys(content["signals"][index]["kind"] for index in owned)
            yield f"              for {len(owned)} signal{'s' * (len(owned) != 1)}: {', '.join(kinds)}"
        if codec["highpass"] is not None:
            yield f"              what lay below {codec['highpass']:g} Hz was taken away first, and does not come back"
    if content["embedded_model"] is not None:
        carried = content["embedded_model"]
        yield f"  carries     the model itself, {human_size(carried['bytes'])}: {', '.join(carried['files'])}"
    yield from _joint_text(content)
    yield from _groups_text(content)
    yield from _lines_text(content)
    yield from _promise(content)
    for problem in content["problems"]:
        yield f"  PROBLEM     {problem}"


def _joint_text(content: Mapping[str, Any]) -> Iterator[str]:
    """Which channels are decoded together, and what that asks of whoever wants one of them."""
    for part in content["joint"]:
        count, refined = len(part["signals"]), len(part["refined"])
        yield (
            f"  decoded     together: {refined} of {count} channels refined by the others; one of them takes the "
            f"tokens of all {count} (--alone: its own only)"
        )


def _lines_text(content: Mapping[str, Any]) -> Iterator[str]:
    """Mains and the like, where there are any."""
    if content["line_bits_per_second"] is not None:
        bits = f"{content['line_bits_per_second']:.1f} bit/s"
        yield f"  lines       kept beside the channels that have them, at {bits} each:"
    for line in content["lines"]:
        loudest = max(line["rms"], key=line["rms"].get, default="-")
        size = f"{line['rms'].get(loudest, 0.0):.3g}"
        channels = f"{len(line['rms'])} channel{'s' * (len(line['rms']) != 1)}"
        if line["lowest_hz"] is None or line["highest_hz"] is None:
            where = "one line"
        else:
            where = f"{line['lowest_hz']:.2f} to {line['highest_hz']:.2f} Hz"
        yield f"              {where}, in {channels}, at most {size} uV rms ({loudest})"


def _groups_text(content: Mapping[str, Any]) -> Iterator[str]:
    """Which channels share tokens, where any may."""

    def labels(signals: list[int]) -> list[str]:
        return [content["signals"][index]["label"] or "(no label)" for index in signals]

    for mixture in content["mixtures"]:
        count = len(mixture["groups"])
        yield f"  components  {count}, a token stream each, of {count} channels together:"
        yield f"              {', '.join(labels(mixture['signals']))}"
    mixed = {number for mixture in content["mixtures"] for number in mixture["groups"]}
    groups = [
        labels(group["signals"])
        for number, group in enumerate(content["groups"])
        if "styles" in group and number not in mixed
    ]
    if not groups:
        return
    shared = [group for group in groups if len(group) > 1]
    alone = [label for group in groups if len(group) == 1 for label in group]
    total = sum(map(len, groups))
    yield (
        f"  groups      {total} channel{'s' * (total > 1)} in {len(groups)} token stream{'s' * (len(groups) > 1)}"
        f"{':' * bool(shared)}"
    )
    for group in shared:
        yield f"              {', '.join(group)}"
    if shared and alone:
        yield f"              alone: {', '.join(alone)}"


def _table(signals: Sequence[Mapping[str, Any]], *, compressed: bool) -> Iterator[str]:
    head = f"{'channel':<18}{'kind':<12}{'Hz':>8}  "
    measured = f"{'coding':<9}{'bit/s':>7}{'PRD %':>8}{'SNR dB':>8}{'r':>8}{'max uV':>9}  why"
    yield head + (measured if compressed else f"{'unit':<9}why")
    for signal in signals:
        line = f"{signal['label'][:17]:<18}{signal['kind']:<12}{_plain(signal['sample_rate']):>8}  "
        if not compressed:
            yield line + f"{signal['unit'] or '-':<9}{signal['why']}"
            continue
        yield line + (
            f"{CODING_NAMES[signal['coding']]:<9}{_number(signal.get('bits_per_second'), 0):>7}"
            f"{_number(signal.get('prd'), 2):>8}{_number(signal.get('snr'), 1):>8}{_number(signal.get('r'), 4):>8}"
            f"{_number(signal.get('largest_error_uv'), 1):>9}  {signal['reason']}{_ways(signal)}"
        )


def _ways(signal: Mapping[str, Any]) -> str:
    """How the chunks of a bounded channel are stored, and the worst of them."""
    if not signal.get("chunks"):
        return ""
    ways = ", ".join(f"{count} {way}" for way, count in signal["chunks"].items())
    worst = signal.get("worst_chunk_prd")
    part = signal.get("worst_chunk_eeg_prd")
    return (
        f"; chunks: {ways}"
        + ("" if worst is None else f"; worst chunk {worst:.2f} %")
        + ("" if part is None else f", of the EEG part {part:.2f} %")
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _each(seconds: float | None) -> str:
    return f" of {seconds:g} s each" if seconds else ""


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "of unknown duration"
    if seconds < 60:
        return f"{seconds:.3g} s"
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02d} min {rest % 60:02d} s" if hours else f"{rest // 60} min {rest % 60:02d} s"
