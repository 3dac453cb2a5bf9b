"""The network before its first step: its shape from settings, its weights from nothing or from a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import (
    CAUSAL,
    STANDARD_VOCABULARY,
    ModelConfig,
    MultichannelConfig,
    NetworkConfig,
    ScalingConfig,
)
from eegzip.training.settings.checked import GROUPINGS, TrainSettings
from eegzip.training.settings.sections import DataSettings

# Recordings with a rate above this are audio, not EEG: a checkpoint's rate and scaling then say nothing about EEG.
_AUDIO_RATE = 8000.0
_MAX_VOCABULARY = 512


def model_config(settings: TrainSettings, name: str, labels: Iterable[str]) -> ModelConfig:
    """Return what the checkpoint's ``config.json`` will say.

    Parameters
    ----------
    settings
        Of the run.
    name
        Of the checkpoint.
    labels
        Normalised channel names of the training data: those that the standard vocabulary lacks are added to it.
    """
    model, data = settings.model, settings.data
    shape = NetworkConfig(**{f.name: getattr(model, f.name) for f in fields(NetworkConfig)})
    multichannel = None
    if model.architecture == "dac-mc":
        added = sorted(set(labels) - set(STANDARD_VOCABULARY))
        kind = settings.groups.kind
        multichannel = MultichannelConfig(
            max_channels=model.max_channels,
            heads=model.heads,
            layers=model.layers,
            reach=model.reach,
            vocabulary=(*STANDARD_VOCABULARY, *added)[:_MAX_VOCABULARY],
            groups=kind if kind in GROUPINGS else "manual",
        )
    config = ModelConfig(
        name=name,
        rate=data.rate,
        network=shape,
        scaling=ScalingConfig(
            data.scaling, data.spacing, data.level_rms, data.level_peak, data.limit_uv, _highpass_hz(data), data.clamp
        ),
        window_frames=model.window_frames,
        beam=model.beam,
        architecture=model.architecture,
        multichannel=multichannel,
    )
    config.check()
    return config


def _highpass_hz(data: DataSettings) -> float:
    """Return the corner at which `compress` is to filter, too; adaptive scaling takes drift away by itself."""
    return data.highpass_hz if data.domain == "eeg" and data.scaling != "adaptive" else 0.0


def settings_of(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Return the settings that fine-tuning a checkpoint begins with: its own shape, rate and scaling.

    A checkpoint of audio gives its shape only. One of whole recordings is trained as what its network is: a codec of
    single waveforms.
    """
    config = checkpoint.config
    model: dict[str, Any] = {f.name: getattr(config.network, f.name) for f in fields(NetworkConfig)}
    single = CAUSAL if config.causal else "dac-sc"
    model.update(architecture=single if config.adapters is None else "dac-mc")
    model.update(window_frames=config.window_frames, beam=config.beam)
    if config.adapters is not None:
        for name in ("max_channels", "heads", "layers", "reach"):
            model[name] = getattr(config.adapters, name)
    values: dict[str, dict[str, Any]] = {"model": model}
    if config.rate <= _AUDIO_RATE:
        scaling = config.scaling
        values["data"] = {
            "rate": config.rate,
            "scaling": scaling.kind,
            "spacing": scaling.spacing,
            "level_rms": scaling.level_rms,
            "level_peak": scaling.level_peak,
            "limit_uv": scaling.limit_uv,
            "clamp": scaling.clamp,
        }
        if scaling.highpass_hz:
            values["data"]["highpass_hz"] = scaling.highpass_hz
        elif scaling.kind == "robust":
            values["data"]["highpass_hz"] = 0.0
    return values
