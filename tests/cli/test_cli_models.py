"""``eegzip models``: what is at hand, whole or damaged, and how official weights become a model."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eegzip import models
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.codecs.checkpoints.weights import weights_file
from eegzip.formats.errors import ModelError, OutputExistsError

Run = Callable[..., subprocess.CompletedProcess[str]]
BUNDLED = models.DEFAULT_MODEL
ALL_BUNDLED = ["biocodec-1", "dac-mc-paper", "dac-sc-compact-1", "dac-sc-paper", "eegz-mc-2"]
ALL_BUNDLED += ["eegz-sc-1", "eegz-sc-2", "eegz-sc-4"]
HEAVY = {"torch", "scipy", "numba", "dac", "matplotlib", "pandas", "mne"}
KWARGS = {
    "encoder_dim": 4, "encoder_rates": [2, 4], "latent_dim": None, "decoder_dim": 16, "decoder_rates": [4, 2],
    "n_codebooks": 3, "codebook_size": 32, "codebook_dim": 8, "quantizer_dropout": False, "sample_rate": 44100,
}  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with three models: one whole, two damaged in different ways."""
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "models"
    source = models.resolve(BUNDLED)
    for name in ("whole", "cut", "changed"):
        shutil.copytree(source, folder / name)
    (folder / "cut" / "model.safetensors").write_bytes(weights_file(source).read_bytes()[:-100])
    config = json.loads((folder / "changed" / "config.json").read_text())
    config["beam"] = 2
    (folder / "changed" / "config.json").write_text(json.dumps(config))
    (folder / "half-written").mkdir()  # no config: not a model yet
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of random weights in the official layout."""
    import torch

    from eegzip.codecs.networks.descript import DAC

    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": DAC(**KWARGS).state_dict(), "metadata": {"kwargs": KWARGS}}, path)
    return path


def said(run: Run, *arguments: object) -> Any:
    """What a command says in JSON."""
    done = run("models", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_list_has_bundled_cached_and_damaged_ones(run: Run, cache: Path) -> None:
    found = {model["name"]: model for model in said(run)}
    assert list(found) == [*ALL_BUNDLED, "changed", "cut", "whole"]
    checkpoint = load_checkpoint(models.resolve(BUNDLED))
    for name, where in ((BUNDLED, "bundled"), ("whole", "cached")):
        model = found[name]
        assert model["problem"] is None
        assert model["where"] == where
        assert model["digest"] == checkpoint.digest
        assert model["size"] == weights_file(checkpoint.folder).stat().st_size
        # From first principles: tokens a second times bits a token.
        shape = checkpoint.config.network
        assert model["channel_bits_per_second"] == 256 / 128 * shape.n_codebooks * 8 == 768
    assert found["cut"]["problem"].startswith(str(cache / "cut"))
    assert "truncated" in found["cut"]["problem"]
    assert "is not what its config.json says" in found["changed"]["problem"]
    text = run("models").stdout
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert "DAMAGED" in lines["cut"]
    assert "DAMAGED" in lines["changed"]
    for word in ("dac-mc", "256", "48 x 256", "768", checkpoint.digest[:12], "cached"):
        assert word in lines["whole"]
    assert run("models", "list").stdout == text


def test_a_model_is_shown_with_its_card(run: Run, cache: Path) -> None:
    folder = models.resolve(BUNDLED)
    card = (folder / "README.md").read_text("utf-8")
    digest = load_checkpoint(folder).digest
    for name in (BUNDLED, folder, digest, digest[:12], cache / "whole"):
        done = run("models", name)
        assert done.returncode == 0, done.stderr
        assert card.strip() in done.stdout
        assert digest in done.stdout
        assert run("models", "show", name).stdout == done.stdout
    shown = said(run, BUNDLED)
    assert shown["card"] == card.strip()
    assert shown["hop"] == 128


def test_a_damaged_model_is_shown_as_such(run: Run, cache: Path) -> None:
    done = run("models", "cut")
    assert done.returncode == 0
    assert "PROBLEM" in done.stdout
    assert "truncated" in done.stdout


def test_the_front_matter_and_control_characters_of_a_card_are_not_shown(run: Run, cache: Path) -> None:
    (cache / "whole" / "README.md").write_bytes(
        b"---\r\nlicense: mit\r\n---\r\n# Card\r\n\x1b[2Jgone\x07\xff \xc3\xa4\n---\nrule\n"
    )
    text = said(run, "whole")["card"]
    assert text == "# Card\n[2Jgone\N{REPLACEMENT CHARACTER} ä\n---\nrule"
    assert "\x1b" not in run("models", "whole").stdout
    (cache / "whole" / "README.md").unlink()
    assert "no card" in run("models", "whole").stdout


def test_the_path_is_for_scripts(run: Run, cache: Path) -> None:
    assert run("models", "--path", "whole").stdout == f"{cache / 'whole'}\n"
    assert Path(run("models", "--path", BUNDLED).stdout.strip()) == models.resolve(BUNDLED)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["nonesuch"], 1, "There is no model 'nonesuch'; at hand are: biocodec-1, dac-mc-paper, dac-sc-compact-1"),
        (["--path", "nonesuch"], 1, "There is no model"),
        (["0123456789abcdef"], 1, "is not here"),
        (["eegz-mc-1"], 1, "eegz-mc-1 never was in a release of eegzip, and eegz-mc-2 took its place"),
        (["6c3ede4581f9"], 1, "coded with eegz-mc-1 need the version of eegzip that wrote them"),
        (["."], 1, "is no model folder: it has no config.json"),
        (["--path"], 2, "Missing argument"),
        (["--bogus"], 2, "No such option"),
        (["fetch", "--release", "44khz-16kbps"], 1, "No digest of the official weights 44khz-16kbps is known"),
        (["fetch", "--sha256", "12ab"], 1, "must be 64 hexadecimal digits"),
        (["fetch", "--sha256", "0" * 64, "--release", "9khz"], 1, "There is no official release '9khz'"),
        (["import", "none.pth", "out"], 1, "There is no file none.pth"),
        (["import", "README.md", "out"], 1, "nothing was run"),
    ],
)
def test_errors_are_sentences(
    words: list[str], code: int, expected: str, run: Run, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("no weights")
    done = run("models", *words, cwd=tmp_path)
    assert done.returncode == code
    assert done.stdout == ""
    assert expected in done.stderr
    assert not (tmp_path / "out").exists()


def test_official_weights_become_a_model_that_is_listed(run: Run, cache: Path, weights: Path) -> None:
    made = said(run, "import", weights, cache / "audio", "--rate", "512")
    assert (made["rate"], made["hop"], made["codebooks"], made["codebook_size"]) == (512.0, 8, 3, 32)
    assert made["channel_bits_per_second"] == 512 / 8 * 3 * 5
    assert made["where"] == "cached"
    assert "audio" in {model["name"] for model in said(run)}
    assert "not yet fine-tuned on EEG" in run("models", "audio").stdout
    # What is there is not replaced.
    again = run("models", "import", weights, cache / "audio")
    assert again.returncode == 2
    assert "already holds a model" in again.stderr
    assert said(run, "audio")["rate"] == 512.0


def test_fetching_puts_the_model_into_the_cache(
    cache: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, str]] = []

    def download(sha256: str, release: str, progress: object = None) -> Path:
        asked.append((sha256, release))
        return weights

    monkeypatch.setattr(models, "download_official", download)  # tests/codecs test the download itself
    made = models.fetch_official("ab" * 32, "44khz-16kbps", rate=512.0)
    assert asked == [("ab" * 32, "44khz-16kbps")]
    assert made.folder == cache / "dac-44khz-16kbps"
    assert made.config.rate == 512.0
    assert models.describe("dac-44khz-16kbps").where == "cached"
    with pytest.raises(OutputExistsError, match="already holds a model"):
        models.fetch_official("ab" * 32, "44khz-16kbps")
    assert len(asked) == 1  # found out before 300 MB were downloaded
    assert models.fetch_official("ab" * 32, folder=tmp_path / "here").folder == tmp_path / "here"


def test_a_damaged_model_does_not_hide_the_others(cache: Path) -> None:
    digest = models.describe("whole").digest
    assert digest
    shutil.copytree(cache / "cut", cache / "aaa")  # looked at first
    assert models.load(digest).digest == digest
    with pytest.raises(ModelError, match="perhaps the one: aaa, changed, cut"):
        models.resolve("0" * 64)


def test_a_model_that_may_not_be_read_is_listed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(models, "load_checkpoint", forbidden)  # root may read everything
    count = len(ALL_BUNDLED) + 3
    assert [m.problem for m in models.describe_all()] == ["It can't be read: Permission denied."] * count


def test_nothing_heavy_is_loaded(command: str, cache: Path) -> None:
    for words in (["models"], ["models", "--json"], ["models", BUNDLED], ["models", "--path", BUNDLED]):
        done = subprocess.run(
            [sys.executable, "-I", "-X", "importtime", command, *words],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-500:]
        names = [line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
        assert not {name.split(".")[0] for name in names} & HEAVY
