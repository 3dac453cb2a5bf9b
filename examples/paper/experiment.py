"""What the experiments of this folder share: configs, training, test pieces, measuring, and pages of results."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import eegzip

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path.append(str(ROOT / "benchmarks"))
from cutting import cut_middle  # noqa: E402 - beside this folder, not in the package

CHANCE = {"run": {"seed": 20261127, "best": "prd", "validation_windows": 8, "validate_every": 1000000, "log_every": 10}}


@dataclass(frozen=True)
class Loss:
    """What was lost, means over channels and then over recordings.

    Parameters
    ----------
    bits : float
        Bit/s of tokens a channel.
    prd : float
        Percent.
    spectrogram : float
        The spectrogram loss that models are trained with, of signals divided by their standard deviation
        (``docs/training.md``). The paper's is of +-200 uV as 1, so only ratios can be compared.
    """

    bits: float
    prd: float
    spectrogram: float


class Experiment:
    """One experiment: its part of a config, a folder of runs, and its page.

    Parameters
    ----------
    name : str
        Section of the config, and name of the results.
    title : str
        Of the page.
    """

    def __init__(self, name: str, title: str) -> None:
        parser = argparse.ArgumentParser(description=title)
        parser.add_argument("--config", type=Path, default=HERE / "here.toml", help="here.toml or paper.toml")
        parser.add_argument("--runs", type=Path, default=Path(tempfile.gettempdir()) / "eegzip-paper")
        parser.add_argument("--out", type=Path, default=HERE / "results")
        options = parser.parse_args()
        self.name, self.title = name, title
        self.config = tomllib.loads(options.config.read_text(encoding="utf-8"))
        self.own: dict[str, Any] = self.config[name]
        self.data = (ROOT / self.config["recordings"]).resolve()
        self.runs, self.out = options.runs, options.out
        self.runs.mkdir(parents=True, exist_ok=True)
        self.out.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic(), time.process_time()

    def say(self, text: str) -> None:
        """Say how far it is."""
        print(f"{time.process_time() - self._began[1]:6.0f} s  {text}", flush=True)

    def trained(
        self,
        run: str,
        *,
        values: dict[str, Any],
        init: str | Path = "scratch",
        presets: Sequence[str] = (),
        sources: Path | None = None,
        more: Sequence[str] = (),
    ) -> Path:
        """Train a model, unless its run is there already; return its folder: of its last step, not its best."""
        folder = self.runs / run
        if (folder / "done").is_file():
            self.say(f"{run}: is there already")
            return folder / "last"
        settings = eegzip.settings_for(
            presets=presets,
            values={
                "data": {
                    "sources": [str(sources or self.data)],
                    "held_out": "0.2" if sources else self.config["held_out"],
                },
                "start": {"init": str(init)},
            },
            assignments=[*_assignments(CHANCE), *_assignments(values), *more],
        )
        report = eegzip.train(settings, folder, overwrite=True)
        if report.stopped_by:
            sys.exit(f"{run} was interrupted; the next call begins it anew.")
        (folder / "done").write_text(f"{report.steps}\n", encoding="utf-8")
        self.say(f"{run}: {report.steps} steps in {report.seconds:.0f} s")
        return folder / "last"

    def test_pieces(self) -> list[Path]:
        """Cut what losses are measured on, once."""
        wanted = self.config["test"]
        files = [path for pattern in wanted["files"] for path in sorted(self.data.glob(pattern))]
        if not files:
            sys.exit(f"No recording of {', '.join(wanted['files'])} lies in {self.data}.")
        return [self.piece(path, wanted["channels"], wanted["seconds"]) for path in files]

    def piece(self, path: Path, channels: Sequence[str], seconds: float) -> Path:
        """Cut the middle of some channels of a recording, exactly."""
        part = self.runs / f"{path.stem}-{len(channels)}-{'-'.join(channels[:5])}-{seconds:g}s.edf"
        return cut_middle(path, part, seconds, channels)

    def restored(self, model: str | Path, piece: Path, **options: Any) -> Path:
        """Compress and restore a piece."""
        coded, back = self.runs / "coded.eegz", self.runs / f"{piece.stem}-restored.edf"
        eegzip.compress(piece, coded, model=model, overwrite=True, **options)
        eegzip.decompress(coded, back, model=model, overwrite=True)
        return back

    def loss(self, model: str | Path, pieces: Sequence[Path], **options: Any) -> Loss:
        """Compress pieces, and measure what is lost."""
        bits, prds, spectrograms = [], [], []
        for piece in pieces:
            coded = self.runs / "coded.eegz"
            report = eegzip.compress(piece, coded, model=model, overwrite=True, **options)
            found = eegzip.evaluate(piece, coded, model=model)
            channels = [channel.measures for channel in found.eeg]
            bits.append(8 * report.token_bytes / len(channels) / (report.duration or 1.0))
            prds.append(mean(m.prd for m in channels if m.prd is not None))
            spectrograms.append(mean(m.spectrogram_loss for m in channels if m.spectrogram_loss is not None))
        return Loss(mean(bits), mean(prds), mean(spectrograms))

    def page(self, lines: Sequence[str], picture: str = "") -> None:
        """Write the page of results."""
        wall, used = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        script, scale = Path(sys.argv[0]).name, self.config["scale"]
        made = f"Made by `python examples/paper/{script}` with `{scale}.toml`; eegzip {_version()}."
        took = (
            f"{os.cpu_count()} cores, Python {platform.python_version()}; this run took {used / 60:.1f} minutes of "
            f"processor time, {wall / 60:.1f} minutes on the clock; runs that lay there already are not counted."
        )
        text = [f"# {self.title}", "", made, took, "", *lines]
        if picture:
            text += ["", f"![{self.title}]({picture})"]
        (self.out / f"{self.name}.md").write_text("\n".join(text) + "\n", encoding="utf-8")
        print("\n".join(text))


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lay out a table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)]


def figure(width: float, height: float, rows: int = 1) -> tuple[Any, Any]:
    """Make an empty figure that a file takes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt.subplots(rows, 1, figsize=(width, height), layout="constrained", squeeze=False)


def _assignments(values: dict[str, Any]) -> list[str]:
    return [f"{section}.{key}={value}" for section, keys in values.items() for key, value in keys.items()]


def _version() -> str:
    words = shlex.split("git rev-parse --short=12 HEAD")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    return f"{eegzip.__version__}, commit {done.stdout.strip() or 'unknown'}"
