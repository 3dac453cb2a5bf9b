"""Training of a BioCodec: its settings, runs that learn and go on, a start from another, signals that are no EEG."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from api.causal_models import save_causal
from api.recordings import SHIPPED
from tiny_runs import entries

import eegzip
from eegzip.codecs.checkpoints.checkpoint import load_checkpoint
from eegzip.encoding.options import CompressionOptions, choose
from eegzip.encoding.robust_level import robust_levels
from eegzip.formats.edf import EdfFile
from eegzip.formats.errors import ModelError, UsageError
from eegzip.training.api import settings_for, train
from eegzip.training.data.preprocessing import Preprocessing, prepared_rows
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.sections import OptimiserSettings

TINY = {
    "data": {"sources": ["synthetic"], "window_seconds": 1.2, "held_out": "0.25"},
    "model": {
        "architecture": "biocodec", "encoder_dim": 4, "encoder_rates": [2, 3], "latent_dim": 12, "decoder_dim": 16,
        "decoder_rates": [3, 2], "n_codebooks": 3, "codebook_size": 32, "codebook_dim": 6, "window_frames": 140,
    },
    "quantiser": {"open_steps": 4, "revive_every": 5},
    "optimiser": {"batch": 4, "lr": 3e-3, "warmup": 5, "cosine_steps": 12},
    "run": {
        "max_steps": 12, "validate_every": 6, "log_every": 1, "validation_windows": 4, "device": "cpu", "threads": 1,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path / "cache"))


def tiny(*assignments: str) -> TrainSettings:
    return settings_for(values=TINY, assignments=assignments)


def test_a_run_learns_and_compress_takes_the_result(tmp_path: Path, eegmat: Path) -> None:
    more = ("run.max_steps=40", "run.validate_every=40", "optimiser.cosine_steps=40", "losses.waveform_start=5")
    report = train(tiny(*more, "losses.waveform_end=5", "optimiser.average=0.8"), tmp_path / "run")
    assert report.after["prd"] < 0.95 * report.before["prd"]
    card = (tmp_path / "run" / "README.md").read_text()
    assert "BioCodec's causal SEANet" in card
    assert "interquartile range" in card
    report = eegzip.compress(eegmat, tmp_path / "a.eegz", model=tmp_path / "run", exact=["T*", "O*"])
    assert report.model == "run"
    # Another run starts from it, with its shape, scaling and losses.
    settings = settings_for(values={"start": {"init": str(tmp_path / "run")}, "data": TINY["data"]})
    assert settings.model.architecture == "biocodec"
    assert settings.model.encoder_rates == (2, 3)
    assert (settings.losses.phase, settings.data.scaling) == (1.0, "robust")
    settings = settings.changed({"run": {**TINY["run"], "max_steps": 1}, "optimiser": {"batch": 2}})
    again = train(settings, tmp_path / "again")
    assert again.before["prd"] == pytest.approx(report_of(tmp_path / "run"), rel=1e-6)


def report_of(folder: Path) -> float:
    return min(float(entry["prd"]) for entry in entries(folder, "validation"))


def test_a_resumed_run_has_the_same_losses_and_weights(tmp_path: Path) -> None:
    train(tiny(), tmp_path / "whole")
    train(tiny("run.max_steps=7"), tmp_path / "parts")
    train(tiny(), tmp_path / "parts", resume=True)
    assert entries(tmp_path / "parts", "step") == entries(tmp_path / "whole", "step")
    one, two = (load_checkpoint(tmp_path / name / "last").state for name in ("parts", "whole"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_the_presets_are_the_papers() -> None:
    settings = settings_for(values={"model": {"architecture": "biocodec"}})
    model = settings.model
    assert (model.encoder_rates, model.decoder_rates, model.latent_dim) == ((2, 2, 3), (3, 2, 2), 128)
    assert (model.n_codebooks, model.codebook_size, model.codebook_dim) == (6, 256, 16)
    assert (settings.data.rate, settings.data.clamp, settings.quantiser.ema_decay) == (250.0, 10.0, 0.99)
    assert settings.losses.waveform(1000) == 0.2
    muscle = settings_for(presets=["biocodec-emg"])
    assert (muscle.data.rate, muscle.model.encoder_rates, muscle.model.decoder_rates) == (1000, (2, 3, 3), (3, 3, 2))
    assert muscle.losses.phase_windows == (128, 256, 512, 1024)
    assert muscle.losses.waveform_kind == "huber"
    small = settings_for(presets=["biocodec-small"])
    assert (small.model.encoder_dim, small.model.latent_dim, small.losses.phase) == (12, 128, 1.0)
    # What is said wins over what belongs to the architecture.
    assert settings_for(values={"model": {"architecture": "biocodec"}, "optimiser": {"lr": 0.5}}).optimiser.lr == 0.5
    with pytest.raises(UsageError, match="phase_windows"):
        settings_for(values={"losses": {"phase_windows": [4]}})


def test_a_start_of_another_kind_is_refused(tmp_path: Path) -> None:
    values = {**TINY, "start": {"init": "dac-sc-compact-1"}}
    with pytest.raises((ModelError, UsageError)):
        train(settings_for(values=values), tmp_path / "run")


def test_the_rate_rises_and_falls_along_half_a_cosine() -> None:
    rates = [OptimiserSettings(lr=1.0, warmup=10, cosine_steps=100).rate_at(step) for step in range(130)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert rates[50] == pytest.approx(0.5)
    assert rates[100:] == [0.0] * 30
    assert all(a > b for a, b in itertools.pairwise(rates[9:101]))


def test_training_and_compress_scale_alike(eegmat: Path, tmp_path: Path) -> None:
    prepared = dict(prepared_rows(eegmat, Preprocessing(highpass_hz=0.0, scaling="robust", rate=500.0)))
    codec = choose(save_causal(tmp_path / "model"), CompressionOptions.checked())
    with EdfFile.open(eegmat) as file:
        levels = robust_levels(file, [0, 1], codec)
        x = np.stack([file.read_signal(index, 0, file.n_samples(index)) for index in (0, 1)]).astype(float)
    for row, name, level in zip(x, ("Fp1", "T7"), levels.values(), strict=True):
        wanted = np.clip((row - level.median) / level.spread, -10, 10)
        assert np.abs(prepared[name] - wanted).max() < 0.02


def test_other_signals_are_trained_on_by_name(tmp_path: Path) -> None:
    recording = SHIPPED / "eegmat" / "Subject16_rest_70s.edf"
    named = Preprocessing(signals=("ECG*",), scaling="robust")
    assert [name for name, _ in prepared_rows(recording, named)] == ["ECG ECG"]
    assert len(list(prepared_rows(recording, Preprocessing()))) == 3
    eegzip.compress(recording, tmp_path / "a.eegz", lossy=["EEG*"], max_error="5uV")
    assert [name for name, _ in prepared_rows(tmp_path / "a.eegz", named)] == ["ECG ECG"]
    with pytest.raises(eegzip.EegzipError, match="keeps no EEG exactly"):
        list(prepared_rows(tmp_path / "a.eegz", Preprocessing()))
    with pytest.raises(eegzip.EegzipError, match="no signal of these names"):
        list(prepared_rows(tmp_path / "a.eegz", Preprocessing(signals=("EMG*",))))
