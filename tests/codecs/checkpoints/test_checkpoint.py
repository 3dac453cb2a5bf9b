from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import LINEAR, multichannel

from eegzip import models
from eegzip.codecs.channels.vocabulary import style_name
from eegzip.codecs.checkpoints.checkpoint import (
    CONFIG,
    Checkpoint,
    as_stored,
    load_checkpoint,
    rename,
    save_checkpoint,
)
from eegzip.codecs.checkpoints.config import (
    STANDARD_VOCABULARY,
    ChannelCoding,
    ModelConfig,
    MultichannelConfig,
    NetworkConfig,
)
from eegzip.codecs.checkpoints.weights import WEIGHTS, WEIGHTS_OF
from eegzip.codecs.networks.inference import build_network
from eegzip.formats.errors import ModelError, OutputExistsError
from eegzip.training.quantiser import quantise

MC = {"architecture": "dac-mc"}
HUGE_HOP = {"encoder_rates": [64, 64], "decoder_rates": [64, 64]}


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


def test_models_without_groups_keep_their_form_and_digest() -> None:
    bundled = models.load("dac-sc-compact-1")
    data = json.loads((bundled.folder / CONFIG).read_text())
    assert "multichannel" not in data
    assert {**bundled.config.to_json(), "digest": bundled.digest} == data
    assert data["digest"] == "a19266f6cac80d4dd11a9fd928ecbf3fa0b2729dc262d7cf09911534986b3b1e"


def test_models_of_names_keep_their_digest() -> None:
    """The entry is left out where it says what older models mean."""
    old = replace(multichannel(LINEAR), multichannel=MultichannelConfig(max_channels=3, vocabulary=("Fp1",)))
    assert "styles" not in old.to_json()["multichannel"]
    assert ModelConfig.from_json(old.to_json()) == old
    assert old.channel_coding is ChannelCoding.BY_NAME
    assert LINEAR.channel_coding is ChannelCoding.SINGLE
    assert models.load("eegz-mc-2").config.channel_coding is ChannelCoding.KLT


def test_configs_of_groups_go_there_and_back(grouped: Checkpoint) -> None:
    data = json.loads((grouped.folder / CONFIG).read_text())
    assert data["multichannel"]["vocabulary"] == list(STANDARD_VOCABULARY)
    assert ModelConfig.from_json(data) == grouped.config == multichannel(LINEAR)
    assert load_checkpoint(grouped.folder).digest == grouped.digest


def test_the_standard_vocabulary_is_ordered_from_front_to_back_and_left_to_right() -> None:
    assert len({name.casefold() for name in STANDARD_VOCABULARY}) == len(STANDARD_VOCABULARY)
    order = {name: place for place, name in enumerate(STANDARD_VOCABULARY)}
    for line in ("Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2", "A1 T9 T7 C5 C3P O1 EKG1 26 32 Fp1-F7"):
        places = [order[name] for name in line.split()]
        assert places == sorted(places)
    # Every name is what its own label is looked up as, so that each style can be chosen.
    assert [style_name(name) for name in STANDARD_VOCABULARY] == list(STANDARD_VOCABULARY)
    # All channels of the paper's tables have a style.
    table_2 = "F3 F4 F7 F8 FP1 FP2 P3 P4 T3 T4 T5 T6 C3 C4 CZ O1 O2"
    table_3 = (
        "26 27 28 29 30 31 32 C3 C3P C4 C4P CZ FP1 F3 F7 FZ F4 FP2 F8 T1 T2 T3 T4 T5 O1 O2 OZ T6 P3 P4 PG1 PG2 PZ "
        "EKG1 LOC ROC A1 A2 SP1 SP2"
    )
    for name in f"{table_2} {table_3}".split():
        assert style_name(f"EEG {name}-REF") in order, name


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
        ({"architecture": "dac-xl"}, "architecture"),
        ({"multichannel": {}}, "no other may have one"),
        ({"multichannel": None}, "multichannel"),
        ({**MC, "multichannel": {"heads": 5}}, "heads"),
        ({**MC, "multichannel": {"heads": 0}}, "heads"),
        ({**MC, "multichannel": {"max_channels": 33}}, "max_channels"),
        ({**MC, "multichannel": {"layers": 10**6}}, "layers"),
        ({**MC, "multichannel": {"reach": 1025}}, "reach"),
        ({**MC, "multichannel": {"reach": 2.5}}, "type int"),
        ({**MC, "multichannel": {"reach": 1024, "max_channels": 32, "heads": 32}}, "beyond measure"),
        ({**MC, "multichannel": {"reach": 1024, "layers": 16}, "window_frames": 500_000}, "window_frames"),
        ({**MC, "beam": 1, "multichannel": {"reach": 1000, "layers": 8}, "network": HUGE_HOP}, "reach of its"),
        ({**MC, "multichannel": {"groups": "best"}}, "groups"),
        ({**MC, "multichannel": {"styles": "faces"}}, "neither 'names' nor 'recording'"),
        ({**MC, "multichannel": {"styles": "places"}}, "places in a row of neighbours; no release had such models"),
        ({**MC, "multichannel": {"colour": 1}}, "unknown entry"),
        ({**MC, "multichannel": {"vocabulary": "Cz"}}, "type tuple"),
        ({**MC, "multichannel": {"vocabulary": [1]}}, "type str"),
        ({**MC, "multichannel": {"vocabulary": ["Cz", "cz"]}}, "twice"),
        ({**MC, "multichannel": {"vocabulary": [" Cz"]}}, "no channel's name"),
        ({**MC, "multichannel": {"vocabulary": ["C\u001b[2J"]}}, "no channel's name"),
        ({**MC, "multichannel": {"vocabulary": [f"X{i}" for i in range(513)]}}, "513 names"),
        ({"network": {"encoder_rates": ["8"]}}, "type int"),
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


def test_weights_may_lie_with_another_model(linear: Checkpoint, tmp_path: Path) -> None:
    first, second = copy(linear, tmp_path / "first"), copy(linear, tmp_path / "second")
    (second / WEIGHTS).unlink()
    (second / WEIGHTS_OF).write_text("first\n")
    assert load_checkpoint(second).digest == linear.digest
    assert load_checkpoint(second).state.keys() == linear.state.keys()
    assert rename(second, replace(linear.config, beam=2)).digest != linear.digest
    assert not (second / WEIGHTS).exists()
    # Copied alone it is no model, but where the other model is bundled.
    shutil.move(first, tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="has the weights of the model first, which is not here"):
        load_checkpoint(second)
    for wrong in ("", "..", "../elsewhere", str(tmp_path / "elsewhere"), "a/b", "."):
        (second / WEIGHTS_OF).write_text(wrong)
        with pytest.raises(ModelError, match="names no model"):
            load_checkpoint(second)
    # Its own weights come first, and a checkpoint that is saved has some.
    saved = save_checkpoint(second, linear.config, linear.state, overwrite=True)
    assert saved.digest == linear.digest
    assert not (second / WEIGHTS_OF).exists()


def test_a_bundled_model_that_is_copied_alone_still_loads(tmp_path: Path) -> None:
    bundled = models.load("eegz-mc-2")
    assert not (bundled.folder / WEIGHTS).exists()
    folder = copy(bundled, tmp_path / "m")
    assert load_checkpoint(folder).digest == bundled.digest
    (folder / WEIGHTS_OF).write_text("dac-sc-compact-1")
    with pytest.raises(ModelError, match="digest"):
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
    save_file({**state, "encoder.linear.weight": state["encoder.linear.weight"].bfloat16()}, folder / WEIGHTS)
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


def test_float16_weights_are_read_as_the_float32_numbers_they_are(grouped: Checkpoint, tmp_path: Path) -> None:
    """Half the bytes; the network, and so the tokens, are those of the rounded weights."""
    halves = save_checkpoint(tmp_path / "half", grouped.config, grouped.state, dtype="float16")
    assert {value.dtype for value in load_file(halves.folder / WEIGHTS).values()} == {torch.float16}
    assert (halves.folder / WEIGHTS).stat().st_size < 0.6 * (grouped.folder / WEIGHTS).stat().st_size
    assert halves.digest == load_checkpoint(halves.folder).digest != grouped.digest
    rounded = as_stored(grouped.state, "float16")
    for name, value in halves.state.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, grouped.state[name].half().float())
        assert torch.equal(value, rounded[name])
    # Stored in full they are the same network, and give the same tokens.
    full = save_checkpoint(tmp_path / "full", grouped.config, rounded)
    wave = torch.randn(1, 1, 40 * grouped.config.network.hop, generator=torch.Generator().manual_seed(1))
    styles, present = torch.ones(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool)
    tokens = []
    for checkpoint in (halves, full):
        network = build_network(checkpoint)
        with torch.no_grad():
            latent = network.latents(wave, styles, present)
            tokens.append(quantise(network, latent, torch.full((1,), grouped.config.network.n_codebooks)).codes)
    assert torch.equal(*tokens)


def test_weights_too_large_for_float16_are_refused(linear: Checkpoint, tmp_path: Path) -> None:
    name = next(iter(linear.state))
    state = {**linear.state, name: torch.full_like(linear.state[name], 1e5)}
    with pytest.raises(ModelError, match="too large for float16"):
        save_checkpoint(tmp_path / "half", linear.config, state, dtype="float16")
    assert not (tmp_path / "half").exists()
    save_checkpoint(tmp_path / "full", linear.config, state)
