"""What a stage says, and the files that it writes it to."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Notes:
    """Log, tables and figures of one stage; written anew after each table, so that a stage cut short leaves them.

    Attributes
    ----------
    results : dict
        What goes into the JSON.
    failed : bool
        Whether some part of the stage failed.
    """

    def __init__(self, out: Path, stage: str) -> None:
        self._out, self._stage = out, stage
        self._text = [f"# {stage}", ""]
        self._began = time.monotonic()
        self.results: dict[str, Any] = {"stage": stage}
        self.failed = False

    @property
    def log(self) -> Path:
        """The stage's log."""
        return self._out / f"{self._stage}.log"

    def say(self, text: str) -> None:
        """Print a line and keep it in the log."""
        line = f"[{time.monotonic() - self._began:6.1f} s] {text}"
        print(line, flush=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Keep a table; numbers as they are in the JSON, short in the Markdown."""
        self.results[title] = [dict(zip(columns, row, strict=True)) for row in rows]
        lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(_short(cell) for cell in row) + " |" for row in rows]
        self._text += [f"## {title}", "", *lines, ""]
        for line in lines:
            self.say(line)
        self.write()

    def text(self, title: str, content: str) -> None:
        """Keep a passage of text as it is."""
        self.results[title] = content
        self._text += [f"## {title}", "", "```", content.strip(), "```", ""]
        self.write()

    def part(self, title: str, work: Any, *arguments: Any) -> None:
        """Do a part of the stage; where it fails, say so and let the others go on."""
        self.say(f"now: {title}")
        try:
            work(*arguments)
        except Exception as error:
            self.failed = True
            self.say(f"{title} failed: {type(error).__name__}: {error}")
            self.text(f"{title}: failed", f"{type(error).__name__}: {error}")

    def write(self) -> None:
        """Write the tables and figures so far."""
        (self._out / f"{self._stage}.md").write_text("\n".join(self._text), encoding="utf-8")
        (self._out / f"{self._stage}.json").write_text(json.dumps(self.results, indent=1), encoding="utf-8")

    def command(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run a Python command in the repository and return its exit status and what it printed; also in the log."""
        self.say("$ python " + " ".join(arguments))
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment(), check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        with self.log.open("a", encoding="utf-8") as file:
            file.write(done.stdout)
        return done.returncode, done.stdout


def environment() -> dict[str, str]:
    """Return the environment of a child that finds this checkout first."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def machine(device: str) -> list[tuple[str, str]]:
    """Return names and versions of what it runs on."""
    import numpy as np
    import torch

    import eegzip

    found = [
        ("eegzip", eegzip.__version__), ("Python", platform.python_version()), ("torch", torch.__version__),
        ("numpy", np.__version__), ("processor", f"{platform.machine()}, {os.cpu_count()} cores"),
    ]  # fmt: skip
    if device.startswith("cuda") and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(device)
        found.append(("card", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"))
        found.append(("CUDA, cuDNN", f"{torch.version.cuda}, {torch.backends.cudnn.version()}"))
    else:
        found.append(("card", "none used" if device == "cpu" else f"{device} is not there"))
    return found


def _short(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
