"""The ``eegzip`` command: its groups of options, its exit codes, its way of failing."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from io import StringIO
from types import FrameType
from typing import NoReturn

import click

from eegzip._version import __version__
from eegzip.cli.anonymize import anonymize
from eegzip.cli.archive import archive
from eegzip.cli.bids import bids
from eegzip.cli.common import sentence
from eegzip.cli.compress import compress
from eegzip.cli.decompress import decompress
from eegzip.cli.evaluate import evaluate
from eegzip.cli.info import info
from eegzip.cli.keys import keygen
from eegzip.cli.models import models
from eegzip.cli.plot import plot
from eegzip.cli.repair import repair
from eegzip.cli.report import report
from eegzip.cli.saying import say
from eegzip.cli.tokens import tokens
from eegzip.cli.train import train
from eegzip.cli.verify import verify
from eegzip.formats.errors import EegzipError

_EPILOG = """\b
Examples:
  eegzip compress night.edf                   makes night.eegz
  eegzip decompress night.eegz back.edf       restores the recording
  eegzip archive recordings/ -o /archive      all of them, compared, recorded, resumed
  eegzip bids dataset/ -o small/              a BIDS data set as a derivative one, and back
  eegzip info night.eegz                      what is in it, and what was lost
  eegzip verify night.eegz                    checks every byte
  eegzip repair broken.eegz                   a sound container around what is left
  eegzip anonymize night.edf anonymous.edf    without name, birth date, day and equipment
  eegzip keygen -o archive.key                a key file for what --encrypt seals
  eegzip evaluate night.edf night.eegz        how far it is from the original
  eegzip report night.edf night.eegz -o a.html  the same to look at in a browser
  eegzip plot night.edf -o page.png           ten seconds of it
  eegzip models                               the models at hand
  eegzip tokens archive/ -o tokens.npz        tokens for machine learning
  eegzip train --data recordings/ --out mine  a model of one's own

\b
Exit codes:
  0  fine
  1  the data are bad, or could not be read or written
  2  wrong use: an unknown option, channel or time; an output that exists
  129, 130, 143  interrupted; nothing half-written is left behind (train saves its state)
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="eegzip", message="%(prog)s %(version)s")
def main() -> None:
    """Compress EEG recordings with neural codecs, and get them back.

    EDF and BDF files become small .eegz files. EEG channels are coded lossily by a neural network, and how much was
    lost is measured and written into the file; everything else - header, annotations, gaps, other signals - comes
    back exactly.
    """


_COMMANDS = (
    compress, decompress, archive, bids, info, verify, repair, anonymize, keygen, evaluate, report, plot, models,
    tokens, train,
)  # fmt: skip
for _command in _COMMANDS:
    main.add_command(_command)


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that temporary files are removed on the way out.
    raise SystemExit(128 + number)


def run() -> NoReturn:
    """Entry point: run a command and turn every outcome into an exit code."""
    for name in ("SIGTERM", "SIGHUP"):  # killed, and the terminal closed; Windows has but one
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name), _terminated)
    try:
        # A number comes from click's own ways out (--help, --version); commands return nothing.
        outcome = main.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(outcome if isinstance(outcome, int) else 0)
    except click.UsageError as error:
        _show(error)
        sys.exit(2)
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except EegzipError as error:
        say(f"eegzip: {sentence(error)}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("eegzip: interrupted; nothing half-written was left behind.", err=True)
        sys.exit(130)
    except MemoryError:
        say("eegzip: there is not enough memory; close other programs or use a smaller model.", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does.
        _leave_silently(1)
    except OSError as error:
        # What no file of ours explains: a full temporary folder, or standard output on a full disk.
        say(f"eegzip: the operating system refused: {error.strerror or error}.", err=True)
        _leave_silently(1)


def _show(error: click.ClickException) -> None:
    """Show an error as click does, with whatever it quotes made harmless."""
    text = StringIO()
    error.show(text)
    say(text.getvalue(), err=True, nl=False)


def _leave_silently(code: int) -> NoReturn:
    """Exit without the interpreter's attempt to flush a standard output that is gone or full."""
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":  # torchrun -m eegzip.cli.main
    run()
