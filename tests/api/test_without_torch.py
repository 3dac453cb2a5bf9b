"""An installation without torch, DAC and MNE: all that files of linear models are for, and a sentence for the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import eegzip

_PROGRAM = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

# As if they were not installed: nothing finds them.
blocked = {"torch", "dac", "audiotools", "mne", "pyedflib", "matplotlib"}
find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *where: None if name.split(".")[0] in blocked else find_spec(name, *where)

import numpy as np
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main

short, networks, folder = map(Path, sys.argv[1:])
for model in ("eegz-sc-1", "eegz-sc-2", "eegz-mc-2"):
    packed, back = folder / f"{model}.eegz", folder / f"{model}.edf"
    eegzip.compress(short, packed, model=model, codebooks=8, bitrate=60 if model == "eegz-sc-1" else None)
    assert eegzip.verify(packed, deep=True).intact
    eegzip.decompress(packed, back)
    with eegzip.open(packed) as recording:
        assert recording.tokens("EEG T3")[0].codes.size
        part = recording.read(["EEG T3"], start=2, stop=3)
    scores = eegzip.evaluate(short, packed)
    assert all(channel.measures.prd < 60 for channel in scores.channels if channel.eeg)

archive, tokens = folder / "archive", folder / "tokens.npz"
for words in (
    ["archive", str(short), "-o", str(archive)],
    ["tokens", str(folder / "eegz-sc-1.eegz"), "-o", str(tokens)],
    ["report", str(short), str(folder / "eegz-sc-1.eegz"), "-o", str(folder / "page.html")],
    ["compress", str(short), str(folder / "bounded.eegz"), "--max-prd", "9"],
    ["models"],
):
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, (words, done.output)

def refused(extra, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except eegzip.UsageError as error:
        assert f"install eegzip[{extra}]" in str(error), error
    else:
        raise AssertionError(f"{call} was not refused")

refused("network", eegzip.compress, short, folder / "dac.eegz", model="dac-sc-compact-1")
refused("network", eegzip.compress, short, folder / "dac.eegz", device="cuda")
refused("network", eegzip.decompress, networks, folder / "back.edf")
refused("network", lambda: eegzip.Tokenizer.from_pretrained("eegz-sc-1"))
refused("network", lambda: eegzip.TokenDataset)
refused("mne", lambda: eegzip.mne.read_raw_eegz(networks))
words = ["train", "--data", "synthetic", "--out", str(folder / "model")]
refused("network", main.main, words, standalone_mode=False)
assert not {path.name for path in folder.iterdir()} & {"dac.eegz", "back.edf", "model"}
assert not blocked & {name.split(".")[0] for name in sys.modules}
"""


def test_files_of_linear_models_take_no_torch(eegmat: Path, tmp_path: Path) -> None:
    whole, short, networks = (tmp_path / name for name in ("whole.eegz", "short.edf", "networks.eegz"))
    eegzip.compress(eegmat, whole, lossless=True)
    eegzip.decompress(whole, short, start=30, stop=40)
    eegzip.compress(short, networks, model="dac-sc-compact-1")
    folder = tmp_path / "made"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(short), str(networks), str(folder)],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
