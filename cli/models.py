"""``eegzip models``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from eegzip.cli.common import json_option, quiet_option
from eegzip.cli.downloading import download_bar
from eegzip.cli.saying import say
from eegzip.cli.values import FILE, FOLDER

if TYPE_CHECKING:
    from eegzip.models import ModelDescription

_EPILOG = """\b
Examples:
  eegzip models                               what is at hand
  eegzip models eegz-sc-1                     its figures and its card
  eegzip models runs/first                    those of a model in a folder
  eegzip models --path eegz-sc-1              its folder, for scripts
  eegzip models --json | jq '.[].digest'
  eegzip models import weights.pth audio      official DAC weights, as a model
  eegzip models import dac_44khz/ audio       the same as Hugging Face keeps them
  eegzip models import biocodec_ckpt.pt bio   BioCodec's published weights
"""


class _Models(click.Group):
    """A group whose first word may be a model: ``models NAME`` is short for ``models show NAME``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not {"-h", "--help"} & set(args) and not (args and args[0] in self.commands):
            about_one = "--path" in args or any(not word.startswith("-") for word in args)
            args = ["show" if about_one else "list", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Models, epilog=_EPILOG, options_metavar="[--json]", subcommand_metavar="[NAME|DIR|DIGEST|COMMAND ...]"
)
def models() -> None:
    """List the models at hand, or show one.

    Models are bundled with eegzip or lie in the cache (EEGZIP_CACHE, else ~/.cache/eegzip, in the folder models there).
    Without a command: the list, or what is known of the model named. A folder whose name is a command is ./list.
    """


@models.command("list")
@json_option
def list_models(*, as_json: bool) -> None:
    """List bundled and cached models; damaged ones are marked."""
    from eegzip.models import describe_all

    found = describe_all()
    if as_json:
        say(json.dumps([model.to_dict() for model in found], indent=2))
        return
    wide = max((len(model.name) for model in found), default=0)
    head = f"{'model':<{wide}}  {'kind':<9}{'Hz':>6}{'codebooks':>11}{'bit/s':>8}{'size':>9}  {'digest':<14}where"
    say(head)
    for model in found:
        say(_row(model, wide))
    say("\nbit/s: per channel, all codebooks (of dac-mc: in a full group)")


@models.command()
@click.argument("model", metavar="NAME|DIR|DIGEST", type=FOLDER)
@click.option("--path", "only_path", is_flag=True, help="Print only the folder of the model.")
@json_option
def show(model: str, *, only_path: bool, as_json: bool) -> None:
    """Show a model's figures and its card."""
    from eegzip.codecs.checkpoints.registry import resolve
    from eegzip.models import card, describe

    if only_path:
        say(json.dumps(str(resolve(model))) if as_json else str(resolve(model)))
        return
    found = describe(model)
    text = card(model)
    if as_json:
        say(json.dumps({**found.to_dict(), "card": text}, indent=2))
        return
    for line in _figures(found):
        say(line)
    say(f"\n{text}" if text else "\nIt has no card.")


@models.command("import")
@click.argument("weights", metavar="WEIGHTS", type=FILE)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--rate", type=float, metavar="HZ", help="Rate at which EEG is fed to it.  [256; BioCodec: its own]")
@json_option
def import_weights(weights: str, folder: str, rate: float | None, *, as_json: bool) -> None:
    """Make published weights, of the Descript Audio Codec or of BioCodec, a model in DIR.

    WEIGHTS is Descript's .pth file; or DAC as Hugging Face's transformers save it, a folder with config.json and
    model.safetensors (or that file); or BioCodec's .pt file. They are read as plain tensors: nothing is run, and they
    must be exactly those of the network that they describe.
    """
    from eegzip.models import import_descript

    _report(import_descript(weights, folder, rate).folder, as_json=as_json)


@models.command()
@click.argument("folder", metavar="[DIR]", required=False, type=FOLDER)
@click.option("--sha256", metavar="HEX", help="SHA-256 to expect.  [default: the known one, if one is known]")
@click.option("--release", default="44khz-8kbps", show_default=True, help="44khz-8kbps or 44khz-16kbps.")
@click.option("--rate", default=256.0, show_default=True, metavar="HZ", help="Rate at which EEG is fed to it.")
@quiet_option
@json_option
def fetch(folder: str | None, sha256: str | None, release: str, rate: float, *, quiet: bool, as_json: bool) -> None:
    """Download official DAC weights, check them, and make them a model.

    It goes into the cache as the model dac-RELEASE, or into DIR. What arrives must have the digest expected: Descript
    publishes none, so one is known only where others have pinned it. An interrupted download is resumed.
    """
    from eegzip.models import fetch_official

    with download_bar(f"DAC {release}", quiet=quiet) as progress:
        made = fetch_official(sha256, release, folder, rate, progress)
    _report(made.folder, as_json=as_json, quiet=quiet)


def _report(folder: object, *, as_json: bool, quiet: bool = False) -> None:
    """Say what was made."""
    from eegzip.models import describe

    made = describe(str(folder))
    if as_json:
        say(json.dumps(made.to_dict(), indent=2))
    elif not quiet:
        say(f"{made.folder}: {_kind(made)}, digest {_digest(made)}")


def _row(model: ModelDescription, wide: int) -> str:
    """One line of the list."""
    from eegzip.reports import human_size

    size = human_size(model.size)
    if model.problem is not None:
        return f"{model.name:<{wide}}  DAMAGED {size:>35}  {'-':<14}{model.where}: {model.problem}"
    books = f"{model.codebooks} x {model.codebook_size}"
    rates = f"{model.rate:>6g}{books:>11}{model.channel_bits_per_second:>8.4g}"
    return f"{model.name:<{wide}}  {model.architecture:<9}{rates}{size:>9}  {_digest(model):<14}{model.where}"


def _figures(model: ModelDescription) -> list[str]:
    """What is known without the card."""
    from eegzip.reports import human_size

    lines = [f"{model.name}: {_kind(model)}", f"  folder      {model.folder} ({model.where})"]
    if model.problem is not None:
        return [*lines, f"  PROBLEM     {model.problem}"]
    group = f", {model.stream_bits_per_second:g} for a group of up to {model.channels}" if model.channels != 1 else ""
    return [
        *lines,
        f"  rate        {model.rate:g} Hz, hop {model.hop}, {model.scaling} scaling",
        f"  codebooks   {model.codebooks} of {model.codebook_size}",
        f"  bit/s       {model.channel_bits_per_second:g} per channel{group}",
        f"  weights     {human_size(model.size)}",
        f"  digest      {model.digest}",
    ]


def _kind(model: ModelDescription) -> str:
    if model.problem is not None:
        return "damaged"
    named = "" if model.title == model.name else f" '{model.title}'"
    return f"{model.architecture} model{named}"


def _digest(model: ModelDescription) -> str:
    return (model.digest or "-")[:12]
