"""Shared by the commands: progress bars, ``-`` for standard streams, JSON, notes."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.saying import in_one_line, say
from eegzip.cli.values import SIZE
from eegzip.formats.errors import OutputError
from eegzip.formats.remote.path import RemotePath, place_of
from eegzip.formats.remote.spooled import named_as

if TYPE_CHECKING:
    from tqdm import tqdm

    from eegzip.progress import Progress

STANDARD = "-"
STANDARD_INPUT = "standard input"

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Say more: one line a channel, deviations, notes.")
json_option = click.option("--json", "as_json", is_flag=True, help="Report as JSON on standard output.")
force_option = click.option("-f", "--force", is_flag=True, help="Replace an existing output.")
max_memory_option = click.option(
    "--max-memory",
    type=SIZE,
    metavar="SIZE",
    help="Refuse files whose chunks take more memory to decode: 500M, 1GiB.  [default: what a file's size lets expect]",
)
device_option = click.option(
    "--device", default="cpu", show_default=True, help="Where the network runs: cpu, cuda, cuda:1."
)


_LEVELS = {1: "Of lossless compression: -1 is the fastest, -6 the ordinary level,", 9: "-9 the smallest."}


def level_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``-1`` to ``-9``, and ``--level`` for programs, to a command that can be lossless: it gets `level`."""
    for level in range(9, 0, -1):
        said = _LEVELS.get(level)
        add = click.option(f"-{level}", "level", flag_value=level, type=int, default=None, help=said, hidden=not said)
        command = add(command)
    return click.option(
        "--level", type=click.IntRange(1, 9), metavar="1-9", help="The same, as a number.  [default: 6]"
    )(command)


def sentence(error: Exception) -> str:
    """What an error says, with a full stop."""
    text = in_one_line(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield a function that draws a bar on a terminal, or ``None`` in a pipe or when quiet."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    bars: dict[str, tqdm[Any]] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in bars:
            for bar in bars.values():
                bar.close()
            bars[what] = tqdm(total=total, desc=what, unit="rec", leave=False, file=sys.stderr)
        bars[what].update(done - bars[what].n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


@contextmanager
def input_file(name: str) -> Iterator[Path | RemotePath]:
    """Yield the path or URL of an input; standard input is spooled to a temporary file, as formats need to seek.

    Like any copy, the temporary file has the permissions and the time of a file that is redirected to standard input.
    """
    if name != STANDARD:
        yield place_of(name)
        return
    # In a folder that nobody else may look into, so that the file's own permissions may be what they should.
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        spool = Path(folder) / "stdin"
        with spool.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        with suppress(OSError):  # not a file of the system's, as in tests
            redirected = os.fstat(sys.stdin.fileno())
            if stat.S_ISREG(redirected.st_mode):
                spool.chmod(stat.S_IMODE(redirected.st_mode) | 0o400)
                os.utime(spool, ns=(redirected.st_atime_ns, redirected.st_mtime_ns))
        with named_as(spool, STANDARD_INPUT):
            yield spool


@contextmanager
def output_file(name: str) -> Iterator[Path | RemotePath]:
    """Yield where an output goes; for standard output to a temporary file that is copied there when complete."""
    if name != STANDARD:
        yield place_of(name)
        return
    if sys.stdout.isatty():
        raise click.UsageError("Binary data are not written to a terminal; redirect the output or name a file.")
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        path = Path(folder) / "output"
        yield path
        try:
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"standard output could not be written ({error.strerror}).") from error


def shown_name(name: str, standard: str) -> str:
    """What to call a file in a report."""
    return standard if name == STANDARD else name


def print_report(sentence: str, details: list[str], content: dict[str, Any], *, output: str, **flags: bool) -> None:
    """Print a report the way the user asked for.

    Parameters
    ----------
    sentence : str
        The one line for a person.
    details : list of str
        More lines, with ``verbose``.
    content : dict
        Everything, for ``as_json``.
    output : str
        Name of the command's output: when that is standard output, the report goes to standard error.
    **flags : bool
        ``quiet``, ``verbose`` and ``as_json``.
    """
    aside = output == STANDARD
    if flags["as_json"]:
        say(json.dumps(content, indent=2), err=aside)
    elif not flags["quiet"]:
        say(in_one_line(sentence), err=aside)
        for line in details if flags["verbose"] else []:
            say(f"  {in_one_line(line)}", err=aside)
