"""``eegzip archive``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import json_option, level_options, quiet_option
from eegzip.cli.keys import key_options
from eegzip.cli.many import Many, cluster_option, run_many
from eegzip.cli.values import FILE, FOLDER
from eegzip.formats.remote.path import RemotePath, place_of

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

_EPILOG = """\b
Examples:
  eegzip archive recordings/ -o /archive        again and again: only what is new, failed or changed is done
  eegzip archive recordings/ -o /archive -2     much faster, somewhat larger; -9 the other way round
  eegzip archive recordings/ -o /archive --max-prd 5   lossy within a bound, which is checked
  eegzip archive recordings/ -o /archive --remove-source   after each file was compared and recorded
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=FILE)
@click.option("-o", "--output", metavar="DIR", type=FOLDER, help="The archive.  [default: beside the recordings]")
@click.option(
    "--manifest", metavar="FILE.jsonl", type=FILE, help="The record.  [default: manifest.jsonl in -o, or the first DIR]"
)
@click.option("-j", "--jobs", type=click.IntRange(0), metavar="N", help="Files at a time.  [default: one a core]")
@cluster_option
@click.option("--max-prd", type=float, metavar="PERCENT", help="Not lossless: error at most, as with compress.")
@level_options
@click.option("--remove-source", is_flag=True, help="Remove each recording after its file was compared and recorded.")
@click.option("--encrypt", type=click.Choice(["identity", "all"]), help="Seal whose they are, or all; see compress.")
@key_options
@quiet_option
@json_option
def archive(
    paths: tuple[str, ...],
    output: str | None,
    manifest: str | None,
    jobs: int | None,
    cluster: str | None,
    max_prd: float | None,
    level: int | None,
    encrypt: str | None,
    *,
    key: AnyKey | None,
    remove_source: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Archive all recordings below folders: lossless, each read back and compared, in a manifest.

    Trees are mirrored. The same command goes on where it was ended, by whatever, and takes in what is new. A recording
    that fails costs itself only; the exit code is then 1. Restore with 'eegzip decompress -r ARCHIVE -o DIR'.
    """
    if manifest is None:
        folder = place_of(output or paths[0])
        if isinstance(folder, RemotePath):
            raise click.UsageError(f"{folder} has no place for a record that grows; name one here: --manifest FILE.")
        manifest = str((folder if output or folder.is_dir() else folder.parent) / "manifest.jsonl")
    flags = {"skip_existing": False, "check": True, "remove_source": remove_source}
    many = Many(paths, True, None, output, manifest, jobs, flags, cluster)
    options: dict[str, Any] = {"max_prd": max_prd, "lossless": max_prd is None, "level": level}
    run_many("compress", many, quiet=quiet, as_json=as_json, **options, encrypt=encrypt, key=key)
