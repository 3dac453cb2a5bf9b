"""What an installation without torch, DAC, MNE and scipy is for: ``python run.py [FOLDER [FILE]]``.

FILE is an ``.eegz`` file of a model with convolutions, which can't be made here. ``nox -s light`` and ``.ci/light`` run
this where those packages are not installed; elsewhere they are hidden. Where scipy is, it appears at the end, and what
it is wanted for is done, too.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

HIDDEN = {"torch", "dac", "audiotools", "mne", "pyedflib", "matplotlib", "scipy"}
find_spec = PathFinder.find_spec
# As if they were not installed: nothing finds them.
PathFinder.find_spec = lambda name, *where: None if name.split(".")[0] in HIDDEN else find_spec(name, *where)  # type: ignore

from click.testing import CliRunner  # noqa: E402 - after that

import eegzip  # noqa: E402
from eegzip.cli.main import main  # noqa: E402
from eegzip.codecs.signal.highpass import HighPass  # noqa: E402

RECORDING = Path(__file__).resolve().parents[1] / "data" / "eegmat" / "Subject16_rest_70s.edf"


MODELS = ("eegz-sc-1", "eegz-sc-2", "eegz-mc-2")
"""The linear ones."""


def files(short: Path, folder: Path) -> None:
    """Every linear model: there, back, checked, read in parts."""
    for model in MODELS:
        packed = folder / f"{model}.eegz"
        eegzip.compress(short, packed, model=model, codebooks=8, bitrate=60 if model == "eegz-sc-1" else None)
        assert eegzip.verify(packed, deep=True).intact
        eegzip.decompress(packed, folder / f"{model}.edf")
        with eegzip.open(packed) as recording:
            assert recording.tokens("EEG T3")[0].codes.size
            assert recording.read(["EEG T3"], start=2, stop=3).any()
            lost = recording.info["signals"]
        assert sum(signal["coding"] == "tokens" and 0 < signal["prd"] < 60 for signal in lost) == 3


def scores(short: Path, folder: Path) -> None:
    """With scipy: what they lost."""
    for model in MODELS:
        found = [channel for channel in eegzip.evaluate(short, folder / f"{model}.eegz").channels if channel.eeg]
        assert len(found) == 3
        assert all(0 < channel.measures.prd < 60 for channel in found)
    commands([["report", short, folder / "eegz-sc-1.eegz", "-o", folder / "page.html"]])


def commands(lines: list[list[Any]]) -> None:
    """Those that are more than one call."""
    for words in lines:
        done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, (words, done.output)


def refused(extra: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """It names the extra that it needs."""
    try:
        call(*arguments, **options)
    except eegzip.UsageError as error:
        assert f"install eegzip[{extra}]" in str(error), error  # noqa: PT017 - not only pytest runs this
    else:
        raise AssertionError(f"{call} was not refused")


def sentences(short: Path, folder: Path, networks: Path | None) -> None:
    """What the installation is not for says so before it begins."""
    refused("network", eegzip.compress, short, folder / "dac.eegz", model="dac-sc-compact-1")
    refused("network", eegzip.compress, short, folder / "dac.eegz", device="cuda")
    refused("network", lambda: eegzip.Tokenizer)
    refused("network", lambda: eegzip.TokenDataset)
    refused("evaluation", eegzip.evaluate, short, folder / "eegz-sc-1.eegz")
    refused("evaluation", eegzip.report, short, folder / "eegz-sc-1.eegz", folder / "page.html")
    refused("evaluation", HighPass, 250.0, 0.1)
    refused("mne", eegzip.mne.read_raw_eegz, folder / "eegz-sc-1.eegz")
    words = ["train", "--data", "synthetic", "--out", str(folder / "model")]
    refused("network", main.main, words, standalone_mode=False)
    if networks is not None:
        refused("network", eegzip.decompress, networks, folder / "back.edf")
        assert eegzip.verify(networks).intact
    assert not {path.name for path in folder.iterdir()} & {"dac.eegz", "back.edf", "model", "page.html"}


def run(folder: Path, networks: Path | None = None) -> None:
    """Do all of it in an empty folder."""
    whole, short = folder / "whole.eegz", folder / "short.edf"
    eegzip.compress(RECORDING, whole, lossless=True)
    eegzip.decompress(whole, short, start=30, stop=40)
    files(short, folder)
    commands([
        ["archive", short, "-o", folder / "archive"],
        ["tokens", folder / "eegz-sc-1.eegz", "-o", folder / "tokens.npz"],
        ["compress", short, folder / "bounded.eegz", "--max-prd", "9"],
        ["compress", short, folder / "filled.eegz", "--bitrate", "100"],
        ["decompress", folder / "bounded.eegz", folder / "bounded.edf"],
        ["models"],
    ])  # fmt: skip
    sentences(short, folder, networks)
    assert not HIDDEN & {name.split(".")[0] for name in sys.modules}
    HIDDEN.remove("scipy")
    if find_spec("scipy") is not None:
        scores(short, folder)
    assert not HIDDEN & {name.split(".")[0] for name in sys.modules}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        run(Path(sys.argv[1] if len(sys.argv) > 1 else name), *map(Path, sys.argv[2:3]))
