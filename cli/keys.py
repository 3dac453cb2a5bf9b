"""Keys on the command line: from files and from a prompt, never from the command line itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eegzip.cli.common import json_option, quiet_option
from eegzip.cli.saying import say
from eegzip.cli.values import FILE
from eegzip.formats.errors import BadInputError, OutputError, OutputExistsError

if TYPE_CHECKING:
    from eegzip.formats.eegz.keys import AnyKey

Command = Callable[..., None]

_MAX_BYTES = 1 << 16


def key_options(command: Command) -> Command:
    """Add the options that name a key to a command, which gets it as ``key``, or ``None``."""

    @wraps(command)
    def call(*arguments: Any, **values: Any) -> None:
        key_file, passphrase_file = values.pop("key_file"), values.pop("passphrase_file")
        ask = values.pop("ask_passphrase")
        if bool(key_file) + bool(passphrase_file) + ask > 1:
            raise click.UsageError("One key opens a file: give one of --key-file, --passphrase-file, --ask-passphrase.")
        key: AnyKey | None = None
        sealing = values.get("encrypt") is not None
        if key_file:
            key = Path(key_file)
        elif passphrase_file:
            key = _first_line(Path(passphrase_file))
        elif ask or sealing:
            key = click.prompt("Pass phrase", hide_input=True, err=True, confirmation_prompt=sealing)
        command(*arguments, key=key, **values)

    for option in (
        click.option("--ask-passphrase", is_flag=True, help="Ask for the pass phrase of what is sealed."),
        click.option("--passphrase-file", metavar="FILE", type=FILE, help="Read it from the first line of FILE."),
        click.option("--key-file", metavar="FILE", type=FILE, help="Key of what is sealed, made by 'eegzip keygen'."),
    ):
        option(call)
    return call


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            line = file.readline(_MAX_BYTES).removesuffix(b"\n").removesuffix(b"\r")
        return line.decode("utf-8-sig")
    except OSError as error:
        raise BadInputError(f"the pass phrase can't be read from {path} ({error.strerror}); check the name.") from error
    except UnicodeDecodeError:
        text = f"{path} holds no pass phrase in UTF-8; a file of 32 bytes is named with --key-file."
        raise BadInputError(text) from None


@click.command(epilog="\b\nExample:\n  eegzip keygen -o archive.key && eegzip archive recordings/ -o /archive "
               "--encrypt all --key-file archive.key\n")  # fmt: skip
@click.option("-o", "--output", metavar="FILE", required=True, type=FILE, help="The key file to make.")
@quiet_option
@json_option
def keygen(output: str, *, quiet: bool, as_json: bool) -> None:
    """Make a key file: 32 random bytes that only you may read.

    It is never replaced. Keep a copy elsewhere: what is sealed with it is lost without it.
    """
    import json
    import os
    import secrets

    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise OutputExistsError(f"{output} exists already, and a key is never replaced; choose another name.") from None
    except OSError as error:
        raise OutputError(f"{output} could not be written ({error.strerror}); choose another place.") from error
    if as_json:
        say(json.dumps({"target": output, "bytes": 32}))
    elif not quiet:
        say(f"{output}: a new key; keep a copy elsewhere, as nothing opens without it what is sealed with it")
