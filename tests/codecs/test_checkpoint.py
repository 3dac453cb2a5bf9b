from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import LINEAR

from eegzip import models
from eegzip.codecs.checkpoint import CONFIG, WEIGHTS, Checkpoint, load_checkpoint, save_checkpoint
from eegzip.codecs.config import ModelConfig, NetworkConfig
from eegzip.codecs.runtime import build_network
from eegzip.formats.errors import ModelError, OutputExistsError


def copy(checkpoint: Checkpoint, to: Path) -> Path:
    shutil.copytree(checkpoint.folder, to)
    return to


def edit(folder: Path, **changes: object) -> None:
    data = json.loads((folder / CONFIG).read_text())
    data.update(changes)
    (folder / CONFIG).write_text(json.dumps(data))


def test_digest_is_what_is_documented(linear: Checkpoint) -> None:
    data = json.loads((linear.folder / CONFIG).read_text())
    stated = data.pop("digest")
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    weights = hashlib.sha256((linear.folder / WEIGHTS).read_bytes()).digest()
    digest = hashlib.sha256(hashlib.sha256(canonical).digest() + weights).hexdigest()
    assert linear.digest == stated == digest
    assert linear.config == LINEAR


def test_loading_without_weights_needs_no_torch(linear: Checkpoint) -> None:
    code = (
        "import sys; from eegzip import models; c = models.load(sys.argv[1]); print(c.digest);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(linear.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == linear.digest


def test_wrong_digest_is_refused(linear: Checkpoint, tmp_path: Path) -> None:
    folder = copy(linear, tmp_path / "m")
    edit(folder, beam=2)
    with pytest.raises(ModelError, match="digest"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "no eegzip model"),
        ({"format_version": 2}, "another version"),
        ({"colour": 1}, "unknown entry"),
        ({"beam": "4"}, "type int"),
        ({"beam": True}, "type int"),
        ({"beam": 1000}, "beam"),
        ({"rate": -1}, "rate"),
        ({"network": {"encoder_rates": [3, 5]}}, "even"),
        ({"network": {"encoder_dim": 10**9}}, "encoder_dim"),
        ({"network": {"search": "best"}}, "search"),
        ({"network": {"decoder_rates": [2, 2]}}, "hop"),
        ({"scaling": {"spacing": 0}}, "spacing"),
        ({"architecture": "dac-mc"}, "architecture"),
    ],
)
def test_bad_configs_are_refused(linear: Checkpoint, tmp_path: Path, changes: dict, words: str) -> None:
    folder = copy(linear, tmp_path / "m")
    edit(folder, **changes)
    with pytest.raises(ModelError, match=words):
        load_checkpoint(folder)


def test_damaged_files_are_refused(linear: Checkpoint, tmp_path: Path) -> None:
    folder = copy(linear, tmp_path / "m")
    weights = (folder / WEIGHTS).read_bytes()
    for damaged in (b"", weights[:100], weights[:-1], weights + b"x", b"\xff" * 8 + weights[8:], weights[:8] + b"["):
        (folder / WEIGHTS).write_bytes(damaged)
        with pytest.raises(ModelError):
            load_checkpoint(folder)
    (folder / WEIGHTS).write_bytes(weights[:-4] + b"\0\0\0\0")
    with pytest.raises(ModelError, match="digest"):
        load_checkpoint(folder)
    (folder / CONFIG).write_bytes(b"{")
    with pytest.raises(ModelError, match="no JSON"):
        load_checkpoint(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=WEIGHTS):
        load_checkpoint(folder)


def test_keys_must_be_exactly_those_of_the_network(linear: Checkpoint, tmp_path: Path) -> None:
    folder = copy(linear, tmp_path / "m")
    data = json.loads((folder / CONFIG).read_text())
    del data["digest"]
    (folder / CONFIG).write_text(json.dumps(data))
    state = load_file(folder / WEIGHTS)
    for wrong in (
        {**state, "bogus": torch.zeros(1)},
        {k: v for k, v in state.items() if k != "encoder.linear.weight"},
        {**state, "encoder.linear.weight": torch.zeros(1)},
    ):
        save_file(wrong, folder / WEIGHTS)
        with pytest.raises(ModelError, match="not those of the network"):
            build_network(load_checkpoint(folder))
    save_file({**state, "encoder.linear.weight": state["encoder.linear.weight"].half()}, folder / WEIGHTS)
    with pytest.raises(ModelError, match="float32"):
        load_checkpoint(folder)


def test_a_config_that_promises_more_than_the_file_holds_takes_no_memory(tmp_path: Path) -> None:
    huge = ModelConfig("huge", 256.0, NetworkConfig(encoder_dim=1024, decoder_dim=8192))
    checkpoint = save_checkpoint(tmp_path / "m", huge, {"x": torch.zeros(1)})
    with pytest.raises(ModelError, match="not those of the network"):
        build_network(checkpoint)


def test_saving_refuses_to_overwrite(linear: Checkpoint) -> None:
    with pytest.raises(OutputExistsError):
        save_checkpoint(linear.folder, linear.config, linear.state)


def test_models_are_found_by_name_path_and_digest(
    linear: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path))
    folder = copy(linear, tmp_path / "models" / "mine")
    assert models.available()["mine"] == folder
    assert models.resolve("mine") == folder
    assert models.resolve(str(linear.folder)) == linear.folder
    assert models.resolve(linear.digest) == folder
    assert models.resolve(linear.digest[:16]) == folder
    assert models.load("mine").digest == linear.digest
    for unknown in ("nothing", "0" * 64, tmp_path):
        with pytest.raises(ModelError):
            models.resolve(unknown)
