"""Shared by the commands for many files: options, a line a file, a bar over bytes and files, a summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import STANDARD, sentence
from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import FILE, FOLDER
from eegzip.formats.errors import BadInputError

if TYPE_CHECKING:
    from eegzip.batches.batch import Pace

Command = Callable[..., None]


@dataclass(frozen=True)
class Many:
    """What was asked for about many files.

    Parameters
    ----------
    paths : tuple of str
    recursive : bool
    files_from, output, manifest, cluster : str or None
    jobs : int or None
    flags : dict of str to bool
        Options of commands that write: ``skip_existing``, ``check``, ``remove_source``.
    """

    paths: tuple[str, ...]
    recursive: bool
    files_from: str | None
    output: str | None
    manifest: str | None
    jobs: int | None
    flags: dict[str, bool]
    cluster: str | None = None

    def wanted(self, most: int) -> bool:
        """Whether this is about many files: options or a pattern say so, or there are more PATHs than `most`."""
        from eegzip.batches.files import is_pattern

        said = (self.recursive, self.files_from, self.output, self.manifest, self.cluster, self.jobs is not None)
        return any((*said, *self.flags.values())) or len(self.paths) > most or any(map(is_pattern, self.paths))


cluster_option = click.option(
    "--cluster", metavar="ADDRESS", help="Work on a Dask cluster: tcp://host:8786, or its scheduler's file (.json)."
)


def many_options(*, output: str | None, writes: bool) -> Callable[[Command], Command]:
    """Add the options for many files to a command, which gets them as one :class:`Many`.

    Parameters
    ----------
    output : str or None
        Help of ``-o``, for commands that have it.
    writes : bool
        Whether the command makes files.
    """
    options = [
        click.option("-r", "--recursive", is_flag=True, help="Take all files below folders."),
        click.option("--files-from", metavar="FILE", type=FILE, help="Take the files that FILE names; '-': stdin."),
        click.option("-j", "--jobs", type=click.IntRange(0), metavar="N", help="At a time.  [default: one a core]"),
        click.option("--manifest", metavar="FILE.jsonl", type=FILE, help="Record all there; go on where it ended."),
        cluster_option,
    ]
    if output is not None:
        options.insert(0, click.option("-o", "--output", "folder", metavar="DIR", type=FOLDER, help=output))
    if writes:
        options += [
            click.option("--skip-existing", is_flag=True, help="Leave alone what has its result already."),
            click.option("--check", is_flag=True, help="Read each result back from the disk and compare it, decoded."),
            click.option("--remove-source", is_flag=True, help="Remove sources after --check, sync and record."),
        ]

    def decorate(command: Command) -> Command:
        @wraps(command)  # with the options that click has hung on it
        def call(*arguments: Any, **values: Any) -> None:
            names = ("skip_existing", "check", "remove_source") if writes else ()
            asked = Many(
                paths=values["paths"],
                recursive=values.pop("recursive"),
                files_from=values.pop("files_from"),
                output=values.pop("folder", None),
                manifest=values.pop("manifest"),
                jobs=values.pop("jobs"),
                cluster=values.pop("cluster"),
                flags={name: values.pop(name) for name in names},
            )
            if not asked.paths and not asked.files_from:
                raise click.UsageError("Missing argument 'IN': name a file, or where they are listed (--files-from).")
            command(*arguments, many=asked, **values)

        for option in reversed(options):
            option(call)
        return call

    return decorate


def run_many(job: str, many: Many, *, overwrite: bool = False, quiet: bool, as_json: bool, **options: Any) -> None:
    """Do a job to many files; a line each, a summary, and exit code 1 where one failed."""
    from eegzip.batches.batch import batch

    paths = [path for path in many.paths if path != STANDARD]
    if len(paths) < len(many.paths):
        raise click.UsageError("Standard input is one file; name many in a list (--files-from -).")
    listed = [] if many.files_from is None else _listed(many.files_from)
    with _shown(quiet=quiet, as_json=as_json) as (on_file, on_progress), _cluster(many.cluster) as client:
        report = batch(
            paths,
            job=job,
            output=many.output,
            recursive=many.recursive,
            listed=listed,
            jobs=many.jobs,
            manifest=many.manifest,
            client=client,
            overwrite=overwrite,
            on_file=on_file,
            on_progress=on_progress,
            **many.flags,
            **options,
        )
    if not quiet or report.failed:
        say(report.sentence(), err=as_json or quiet)
    sys.exit(int(report.failed > 0))


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    if address is None:
        yield None
        return
    from eegzip.batches.cluster import connected

    with connected(address) as client:
        yield client


def _listed(name: str) -> list[str]:
    """Names of files, a line each, as they are: a name may begin or end with blanks."""
    try:
        with click.open_file(name, encoding=sys.getfilesystemencoding(), errors="surrogateescape") as file:
            return [line for line in file.read().split("\n") if line]
    except OSError as error:
        raise BadInputError(f"the list {name} can't be read ({error.strerror}); check the name.") from error


OnFile = Callable[[dict[str, Any], "Pace"], None]
OnProgress = Callable[["Pace"], None]


@contextmanager
def _shown(*, quiet: bool, as_json: bool) -> Iterator[tuple[OnFile, OnProgress]]:
    """Yield what shows files as they are finished, and how far all is, in a bar on a terminal."""
    bar: Any = None
    if not quiet and sys.stderr.isatty():
        from tqdm import tqdm

        layout = "{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}B{postfix}"
        bar = tqdm(unit="B", unit_scale=True, leave=False, file=sys.stderr, bar_format=layout)

    def on_progress(pace: Pace) -> None:
        if bar is not None:
            bar.total = pace.size
            bar.n = min(pace.size, round(pace.bytes_done + pace.bytes_skipped + pace.bytes_under_way))
            failed = f", {pace.failed} failed" if pace.failed else ""
            finished = pace.done + pace.skipped + pace.failed
            bar.set_postfix_str(f"{finished}/{pace.files} files{failed}, {_left(pace.seconds_left())}", refresh=False)
            bar.refresh()

    def on_file(line: dict[str, Any], pace: Pace) -> None:
        if bar is not None:
            bar.clear()
        if as_json:
            say(json.dumps(line))
        elif line["state"] == "failed":
            say(f"eegzip: {sentence(Exception(line['error']))}", err=True)
        elif not quiet:
            for text in _lines(line):
                say(in_one_line(text))
        on_progress(pace)

    try:
        yield on_file, on_progress
    finally:
        if bar is not None:
            bar.close()


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    hours, rest = divmod(round(seconds), 3600)
    return f"about {hours} h {rest // 60:02d} min left" if hours else f"about {rest // 60}:{rest % 60:02d} left"


def _lines(line: dict[str, Any]) -> Sequence[str]:
    """What a person reads of a file that was finished."""
    source = line["source"]
    if line["state"] == "skipped":
        return [f"{source}: done before"]
    if line["job"] == "info":
        from eegzip.cli.info import text_of

        return [*text_of({**line["result"], "path": source}), ""]
    if line["job"] == "verify":
        return [f"{source}: intact{', not all streams decoded' if line['result']['unchecked'] else ''}"]
    if line["job"] == "evaluate":
        return [f"{source}: {line['sentence']}", f"  {line['tier']}"]
    from eegzip.reports import human_size

    parts = [f"{human_size(line['source_bytes'])} -> {human_size(line['target_bytes'])}"]
    fidelity = line.get("fidelity")
    if fidelity is not None:
        worst = fidelity["worst_prd"]
        parts.append("lossless" if fidelity["lossless"] else "lossy" if worst is None else f"worst PRD {worst:.1f} %")
    parts += [f"checked: {line['checked']}"] if "checked" in line else []
    parts += ["source removed"] if line["state"] == "removed" else []
    return [f"{source}: {', '.join(parts)}"]
