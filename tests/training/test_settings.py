"""Settings: files and the command line say the same things, and wrong ones are told in a sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eegzip.codecs.networks.build import build
from eegzip.formats.errors import UsageError
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.model_config import model_config
from eegzip.training.settings.presets import PRESETS, load_settings, with_overrides, with_presets

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_make_settings_that_hold(name):
    with_presets(TrainSettings(), [name]).check()


def test_paper_preset_says_what_the_paper_says():
    settings = with_presets(TrainSettings(), ["paper"])
    assert (settings.data.rate, settings.data.limit_uv, settings.data.scaling) == (512, 200, "fixed")
    assert (settings.data.highpass_hz, settings.data.window_seconds) == (0.1, 30)
    assert (settings.optimiser.lr, settings.optimiser.betas) == (1e-5, (0.8, 0.999))
    assert (settings.model.encoder_dim, settings.model.decoder_dim, settings.model.n_codebooks) == (64, 1536, 9)
    assert settings.losses.waveform(0) > 10 * settings.losses.waveform(10**6)
    assert 0 < settings.adversarial.weight < 1
    # All the losses that section 2.3 names.
    losses = settings.losses
    assert all((losses.waveform_start, losses.stft, losses.spectrogram, losses.commitment, losses.codebook))


@pytest.mark.parametrize("name", ["dac-sc-paper", "dac-mc-paper"])
def test_recipes_of_the_papers_models_keep_its_network(name):
    settings = load_settings(RECIPES / f"{name}.toml")
    settings.check()
    assert (settings.data.rate, settings.data.highpass_hz) == (512, 0.1)
    model = settings.model
    assert (model.name, model.architecture) == (name, name.removesuffix("-paper"))
    assert (model.n_codebooks, model.codebook_size, model.search, model.linear_path) == (9, 1024, "cosine", False)
    with torch.device("meta"):
        network = build(model_config(settings, name, ()))
    assert 2 * sum(value.numel() for value in network.state_dict().values()) < 9.7e6, "as float16, with room for names"
    assert settings.run.weights == "float16"
    other = load_settings(RECIPES / "eegz-sc-2.toml")
    assert settings.data.held_out == other.data.held_out


def test_the_recipe_of_biocodec_keeps_its_network():
    settings, preset = load_settings(RECIPES / "biocodec-1.toml"), with_presets(TrainSettings(), ["biocodec"])
    settings.check()
    assert settings.model == replace(preset.model, name="biocodec-1")
    held_out = load_settings(RECIPES / "eegz-sc-2.toml").data.held_out
    assert settings.data == replace(preset.data, held_out=held_out, lines=True)
    assert settings.run.weights == "float16"


def test_the_same_settings_from_toml_yaml_json_and_overrides(tmp_path):
    (tmp_path / "a.toml").write_text(
        'preset = "base"\n[optimiser]\nlr = 2e-4\nbetas = [0.5, 0.9]\n[data]\nsources = ["x"]\n'
    )
    (tmp_path / "a.yaml").write_text(
        "preset: [base]\noptimiser:\n  lr: 2.0e-4\n  betas: [0.5, 0.9]\ndata:\n  sources: [x]\n"
    )
    (tmp_path / "a.json").write_text(
        json.dumps({"preset": "base", "optimiser": {"lr": 2e-4, "betas": [0.5, 0.9]}, "data": {"sources": ["x"]}})
    )
    by_hand = with_overrides(
        with_presets(TrainSettings(), ["base"]), ["optimiser.lr=2e-4", "optimiser.betas=0.5,0.9", "data.sources=x"]
    )
    for name in ("a.toml", "a.yaml", "a.json"):
        assert load_settings(tmp_path / name) == by_hand
    assert by_hand.model.encoder_dim == 32
    assert with_overrides(by_hand, ["optimiser.betas=[0.5, 0.9]", 'data.sources=["x"]']) == by_hand


def test_settings_survive_json():
    changed = ["start.reduce_to=512,256", "data.drop_empty=false", "run.best=spectrogram"]
    settings = with_overrides(TrainSettings(), changed)
    assert TrainSettings().changed(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("optimiser.lr", "section.name=value"),
        ("lr=3", "section.name=value"),
        ("optimizer.lr=3", "no section"),
        ("optimiser.rate=3", "has no 'rate'"),
        ("optimiser.lr=fast", "float"),
        ("run.max_steps=1.5", "int"),
        ("data.drop_empty=maybe", "bool"),
    ],
)
def test_wrong_overrides_are_told(text, word):
    with pytest.raises(UsageError, match=word):
        with_overrides(TrainSettings(), [text])


@pytest.mark.parametrize(
    "text",
    [
        "optimiser.lr=-1",
        "optimiser.lr=nan",
        "optimiser.batch=0",
        "data.rate=0",
        "data.domain=music",
        "data.scaling=log",
        "model.architecture=gan",
        "quantiser.update=magic",
        "run.best=beauty",
        "optimiser.betas=0.9",
    ],
)
def test_senseless_values_are_refused(text):
    with pytest.raises(UsageError):
        with_overrides(TrainSettings(), [text]).check()


@pytest.mark.parametrize(
    ("name", "content"), [("a.toml", "a = ["), ("a.yaml", "a: [b"), ("a.json", "{"), ("b.yaml", "- 1")]
)
def test_unreadable_files_are_told(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=name):
        load_settings(tmp_path / name)
    with pytest.raises(UsageError, match="missing"):
        load_settings(tmp_path / "missing.toml")


@given(st.integers(0, 10**7))
def test_waveform_weight_only_falls(step):
    losses = TrainSettings().losses
    assert losses.waveform_start >= losses.waveform(step) >= losses.waveform(step + 1) >= losses.waveform_end
