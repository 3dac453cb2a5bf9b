"""The command run in the process of the tests: starting another takes seconds."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from eegzip.cli import main


def in_this_process(words: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run words, of which the first is the script's path, and return what a process of its own would have said."""
    written = [io.BytesIO(), io.BytesIO()]
    out, err = (io.TextIOWrapper(content, "utf-8", write_through=True) for content in written)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "argv", words)
        if cwd is not None:
            patched.chdir(cwd)
        try:
            with pytest.raises(SystemExit) as left:
                main.run()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    texts = [content.getvalue().decode() for content in written]
    return subprocess.CompletedProcess(words, left.value.code or 0, *texts)
