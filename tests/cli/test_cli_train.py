"""``eegzip train``: what its options mean, how it fails, and that it trains."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from in_process import in_this_process
from training.tiny_runs import entries

from eegzip import models
from eegzip.cli.train_settings import changes, duration, scaling, sections, to_toml
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.formats.errors import UsageError
from eegzip.training.reporting import artifacts
from eegzip.training.reporting.journal import read_log
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.presets import load_settings

Run = Callable[..., subprocess.CompletedProcess[str]]

# -- what options mean -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20m", 1200), ("20min", 1200), ("1.5h", 5400), ("1h30m", 5400), ("2d", 172800), ("45", 45),
     (" 1 H 30 M ", 5400), (".5h", 1800)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "20 parsecs", "-5m", "0", "1h-5m", "1:30", "nan", "1e9", "5mm", "h1"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration; write 90s, 20m"):
        duration(text)


def test_scalings() -> None:
    assert scaling("adaptive") == {"scaling": "adaptive"}
    assert scaling("fixed") == {"scaling": "fixed"}
    assert scaling("fixed:150µV") == scaling("FIXED:150uV") == {"scaling": "fixed", "limit_uv": 150.0}
    for wrong in ("fixed:", "fixed:-1uV", "fixed:xuV", "adaptive:3", "loud", "fixed:nan"):
        with pytest.raises(UsageError, match="neither 'adaptive' nor"):
            scaling(wrong)


def test_only_options_that_were_given_are_settings() -> None:
    given = {"lr": 1e-4, "batch": None, "deterministic": False, "sources": (), "max_time": "2m", "scaling": "fixed:9uV"}
    assert sections(given) == {
        "optimiser": {"lr": 1e-4},
        "run": {"max_seconds": 120.0},
        "data": {"scaling": "fixed", "limit_uv": 9.0},
    }


def test_settings_as_toml_are_read_back_as_they_were(tmp_path: Path) -> None:
    odd = TrainSettings().changed(
        {
            "data": {"sources": ["a b", 'quo"te\\', "ümlaut\x7f\t\n"], "highpass_hz": 0.1},
            "optimiser": {"lr": 1e-9, "betas": [0.5, 0.25]},
            "start": {"reduce_to": [512, 256]},
        }
    )
    for settings in (TrainSettings(), odd):
        path = tmp_path / "run.toml"
        path.write_text(to_toml(settings), encoding="utf-8")
        assert load_settings(path) == settings


def test_a_resumed_run_keeps_what_makes_it_that_run() -> None:
    stored = TrainSettings()

    def wanted(section: str, name: str, value: object) -> list[str]:
        return changes(stored, stored.changed({section: {name: value}}))

    assert changes(stored, stored) == []
    # How long and where are not what is computed.
    assert wanted("run", "max_steps", 9) == wanted("run", "device", "cuda") == wanted("data", "workers", 3) == []
    assert wanted("optimiser", "batch", 6) == ["optimiser.batch 4 -> 6"]
    for section, name, value in (
        ("run", "seed", 1), ("data", "sources", ["x"]), ("data", "rate", 128), ("model", "encoder_dim", 8),
        ("start", "init", "audio"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=rf"keeps its {section}\.{name}"):
            wanted(section, name, value)


# -- without training --------------------------------------------------------------------------------------------------


def test_a_dry_run_prints_settings_that_can_be_used(run: Run, tmp_path: Path) -> None:
    words = ["--data", "synthetic", "--out", tmp_path / "run", "--preset", "base", "--codebooks", "4", "--max-time",
             "1h30m", "--set", "losses.stft=0.5", "--dry-run"]  # fmt: skip
    done = run("train", *words)
    assert done.returncode == 0, done.stderr
    # 256 Hz and a hop of 512: half a frame a second, four tokens of ten bits.
    assert "20 bit/s a channel" in done.stdout
    assert "until 5400 s" in done.stdout
    (tmp_path / "a.toml").write_text(done.stdout)
    settings = load_settings(tmp_path / "a.toml")
    assert (settings.model.encoder_dim, settings.model.n_codebooks, settings.losses.stft) == (32, 4, 0.5)
    again = run("train", "--config", tmp_path / "a.toml", "--out", tmp_path / "run", "--dry-run", "--json")
    content = json.loads(again.stdout)
    assert content["settings"] == settings.to_dict()
    assert content["model"]["network"]["n_codebooks"] == 4
    assert not (tmp_path / "run").exists()


def test_options_win_over_the_file_and_the_file_over_presets(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("preset: paper\noptimiser: {lr: 0.25, batch: 3}\ndata: {sources: [synthetic]}\n")
    done = run("train", "--config", file, "--out", tmp_path / "run", "--preset", "compact", "--lr", "0.5", "--model",
               "dac-mc", "--groups", "manual", "--seed", "7", "--deterministic", "--licence", "CC0", "--dry-run",
               "--json")  # fmt: skip
    settings = json.loads(done.stdout)["settings"]
    assert settings["optimiser"]["lr"] == 0.5
    assert settings["optimiser"]["batch"] == 3
    assert settings["data"]["rate"] == 512  # of the paper
    assert settings["groups"]["kind"] == "manual"
    assert (settings["run"]["seed"], settings["run"]["deterministic"], settings["run"]["licence"]) == (7, True, "CC0")
    assert json.loads(done.stdout)["model"]["architecture"] == "dac-mc"


def test_a_model_to_start_from_gives_its_shape(run: Run, tmp_path: Path) -> None:
    done = run("train", "--data", "synthetic", "--out", tmp_path / "run", "--init", models.DEFAULT_MODEL, "--dry-run",
               "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = models.load().config.to_json()
    found = json.loads(done.stdout)["model"]
    for name in ("network", "rate", "scaling", "beam", "window_frames"):
        assert found[name] == wanted[name]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "Missing option '--out'"),
        (["--out", "run"], "name the recordings to train on"),
        (["--out", "run", "--data", "synthetic", "--max-time", "soon"], "'soon' is no duration"),
        (["--out", "run", "--data", "synthetic", "--scaling", "loud"], "the scaling 'loud' is neither"),
        (["--out", "run", "--data", "synthetic", "--preset", "huge"], "there is no preset 'huge'"),
        (["--out", "run", "--data", "synthetic", "--set", "lr=1"], "not of the form section.name=value"),
        (["--out", "run", "--data", "synthetic", "--set", "run.nonsense=1"], "has no 'nonsense'"),
        (["--out", "run", "--data", "synthetic", "--batch", "0"], "optimiser.batch is 0"),
        (["--out", "run", "--data", "synthetic", "--config", "none.toml"], "none.toml can't be read"),
        (["--out", "run", "--data", "synthetic", "--model", "dac-xl"], "Invalid value for '--model'"),
        (["--out", "run", "--data", "synthetic", "--domain", "audio", "--model", "dac-mc"], "no channels to group"),
        (["--out", "full", "--data", "synthetic"], "holds a run or a model already"),
    ],
)
def test_wrong_use_is_a_sentence_and_leaves_nothing(words: list[str], expected: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "state.pt").write_text("")
    done = run("train", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert expected in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "run", "--data", "synthetic", "--init", "nonesuch"], "There is no model 'nonesuch'"),
        (["--out", "run", "--data", "nowhere"], "there is nothing at nowhere"),
        (["--out", "run", "--data", "synthetic", "nowhere/x.edf"], "there is nothing at nowhere/x.edf"),
        (["--out", "run", "--resume"], "holds no run that could be resumed"),
        (["--out", "run", "--data", "synthetic", "--init", "none.pth"], "There is no file none.pth"),
    ],
)
def test_missing_data_model_or_run_is_a_sentence(words: list[str], expected: str, run: Run, tmp_path: Path) -> None:
    done = run("train", *words, cwd=tmp_path, env={**os.environ, "EEGZIP_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 1, done.stderr
    assert expected in done.stderr
    assert not (tmp_path / "run").exists()


def test_help_loads_nothing_heavy_and_has_examples_that_parse(command: str, run: Run, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", command, "train", "--help"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    names = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not names & {"torch", "scipy", "numba", "dac", "matplotlib", "numpy", "mne"}
    examples = [
        line.split("   ")[0].split(" > ")[0].partition("eegzip train ")[2]
        for line in (part.strip() for part in done.stdout.splitlines())
        if line.startswith("eegzip train ")
    ]
    assert len(examples) >= 6
    for example in examples:
        words = shlex.split(example)
        if "--resume" in words:
            continue
        if "--init" in words:
            words[words.index("--init") + 1] = models.DEFAULT_MODEL
        shown = run("train", *words, *["--dry-run"] * ("--dry-run" not in words), cwd=tmp_path)
        assert shown.returncode == 0, (example, shown.stderr)


# -- training for real -------------------------------------------------------------------------------------------------

TINY = [
    "--data", "synthetic", "--batch", "2", "--threads", "1", "--workers", "1", "--device", "cpu",
    "--codebooks", "2", "--codebook-size", "16", "--held-out", "0.3", "--licence", "CC0 1.0",
    "--set", "model.encoder_dim=4", "--set", "model.decoder_dim=16", "--set", "model.encoder_rates=2,4",
    "--set", "model.decoder_rates=4,2", "--set", "data.window_seconds=2", "--set", "run.validation_windows=4",
    "--set", "run.validate_every=4", "--set", "run.log_every=1", "--set", "quantiser.open_steps=2",
]  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process end without their picture, which takes longer than their steps; others leave one."""
    monkeypatch.setattr(artifacts, "plot_curves", lambda *_: None)


def steps_logged(folder: Path) -> list[int]:
    """Steps in the journal of a run."""
    return [entry["step"] for entry in read_log(folder / "log.jsonl") if entry["kind"] == "step"]


@pytest.fixture(scope="module")
def trained(command: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A model trained for eight steps by the command, and its report."""
    folder = tmp_path_factory.mktemp("trained")
    done = in_this_process([command, "train", *TINY, "--out", "run", "--max-steps", "8", "--json"], folder)
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[0] for line in done.stderr.splitlines()] == ["step 0", "step 4"]
    return folder / "run", json.loads(done.stdout)


def test_it_trains_a_model_that_compress_takes(
    trained: tuple[Path, dict[str, Any]], run: Run, eegmat: Path, tmp_path: Path
) -> None:
    folder, report = trained
    assert report["steps"] == 8
    assert report["stopped_by"] == 0
    assert report["digest"] == models.describe(folder).digest
    assert set(report["people"]).isdisjoint(report["held_out"])
    assert report["held_out"]
    assert steps_logged(folder) == list(range(1, 9))
    done = run("compress", eegmat, tmp_path / "a.eegz", "--model", folder, "--json")
    assert done.returncode == 0, done.stderr
    info = json.loads(run("info", "--json", tmp_path / "a.eegz").stdout)
    assert info["codecs"][0]["digest"] == report["digest"]
    assert run("decompress", tmp_path / "a.eegz", tmp_path / "a.edf", "--model", folder).returncode == 0


def test_the_folder_is_that_of_a_hub_repository(trained: tuple[Path, dict[str, Any]], run: Run) -> None:
    folder, report = trained
    card = (folder / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["library_name"] == "eegzip"
    assert front["license"] == "cc0-1.0"
    assert "eegzip train --data synthetic" in card
    assert json.loads((folder / "config.json").read_text())["digest"] == report["digest"]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    shown = run("models", folder)
    # 256 Hz and a hop of 8: 32 frames a second, two tokens of four bits.
    assert "256 per channel" in shown.stdout
    assert "256 bit/s for each channel" in shown.stdout


def test_a_run_is_not_overwritten_unless_asked(trained: tuple[Path, dict[str, Any]], run: Run, tmp_path: Path) -> None:
    folder, report = trained
    done = run("train", *TINY, "--out", folder)
    assert done.returncode == 2
    assert "holds a run or a model already" in done.stderr
    assert models.describe(folder).digest == report["digest"]


def test_resuming_takes_what_may_change_and_refuses_what_may_not(
    trained: tuple[Path, dict[str, Any]], run: Run, undrawn: None, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    done = run("train", "--resume", "--out", folder, "--rate", "128")
    assert done.returncode == 2
    assert "a resumed run keeps its data.rate: it is 256.0, not 128.0" in done.stderr
    done = run("train", "--resume", "--out", folder, "--max-steps", "10", "--lr", "0.001", "--json")
    assert done.returncode == 0, done.stderr
    assert "optimiser.lr 0.0002 -> 0.001" in done.stderr
    assert json.loads(done.stdout)["steps"] == 10
    assert steps_logged(folder) == list(range(1, 11))
    # The whole command again, with --resume, is the same run.
    done = run("train", *TINY, "--resume", "--out", folder, "--max-steps", "11", "--lr", "0.001", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert steps_logged(folder) == list(range(1, 12))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on(number: int, command: str, run: Run, undrawn: None, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [command, "train", *TINY, "--out", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background may have had this signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        while not ((folder / "log.jsonl").is_file() and len(steps_logged(folder)) > 2):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number, said
    assert f"the state is saved. Go on with: eegzip train --resume --out {folder}" in said
    steps = steps_logged(folder)
    assert steps == list(range(1, len(steps) + 1))
    if number != signal.SIGTERM:  # what follows is the same, and takes a while
        return
    done = run("train", "--resume", "--out", folder, "--max-steps", len(steps) + 1, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == len(steps) + 1
    assert steps_logged(folder) == [*steps, len(steps) + 1]
    # As if nothing had stopped it.
    whole = tmp_path / "whole"
    assert run("train", *TINY, "--out", whole, "--max-steps", len(steps) + 1, "-q").returncode == 0
    assert entries(folder, "step") == entries(whole, "step")
    one, other = load_checkpoint(folder / "last").state, load_checkpoint(whole / "last").state
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
