"""Named settings: the networks, the paper's recipe; and the reading of settings from files and the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eegzip.formats.errors import UsageError
from eegzip.formats.extras import require
from eegzip.formats.json_text import parsed
from eegzip.training.settings.checked import TrainSettings

_MAX_BYTES = 1 << 20

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # Exactly the Descript Audio Codec for 44.1 kHz.
    "full": {"model": {"encoder_dim": 64, "decoder_dim": 1536}, "optimiser": {"lr": 1e-4, "batch": 8}},
    "base": {"model": {"encoder_dim": 32, "decoder_dim": 768}, "optimiser": {"lr": 1e-4, "batch": 8}},
    # Made for a CPU: small batches, as steps count for more than how exact each is.
    "compact": {"model": {"encoder_dim": 16, "decoder_dim": 384}, "optimiser": {"lr": 2e-4, "batch": 2}},
    # Sections 2.2 and 2.3 of the paper. It gives no length for the noisy start (a minute is what the feature
    # library of its evaluation leaves out), no batch, and no weights: DAC's are taken. It names the STFT loss, to
    # which DAC's code gives no weight; 1 is ours.
    "paper": {
        "data": {
            "skip_seconds": 60.0, "rate": 512.0, "highpass_hz": 0.1, "scaling": "fixed", "limit_uv": 200.0,
            "window_seconds": 30.0,
        },
        "model": {"encoder_dim": 64, "decoder_dim": 1536},
        "start": {"channels": "mean"},
        "quantiser": {"open_steps": 0, "update": "gradient", "dropout": 0.5},
        "losses": {"waveform_start": 100.0, "waveform_end": 1.0, "stft": 1.0, "spectrogram": 15.0},
        "adversarial": {"weight": 0.1, "width": 32},
        "optimiser": {"lr": 1e-5, "betas": [0.8, 0.999], "half_life": 0.0, "batch": 8},
        "run": {"best": "spectrogram"},
    },
    # Of "Neural Codecs as Biosignal Tokenizers" (arXiv 2510.09095) and its published settings: 250 Hz, windows of 5 s,
    # by median and interquartile range, clamped at 10; Huber loss 0.2, magnitude and phase 1. Its commitment loss, 0.25
    # of the mean over levels and counted twice, is 0.5 / 6 of our sum. It starts k-means from the first batch; the open
    # steps, in which encoder and decoder learn before, are ours. `--model biocodec` has all this by itself. Batches of
    # 512 and 20 rounds of 5 million windows are for machines that have them.
    "biocodec": {
        "data": {
            "rate": 250.0, "scaling": "robust", "clamp": 10.0, "window_seconds": 5.04,
            # What `compress --scaling adaptive` then brings signals to: the level that the network knows.
            "level_rms": 0.75, "level_peak": 10.0,
        },
        "model": {
            "architecture": "biocodec", "encoder_dim": 32, "encoder_rates": [2, 2, 3], "latent_dim": 128,
            "decoder_dim": 256, "decoder_rates": [3, 2, 2], "n_codebooks": 6, "codebook_size": 256, "codebook_dim": 16,
            "linear_path": False, "search": "cosine", "final_tanh": False, "window_frames": 1260,
        },
        "quantiser": {"update": "ema", "ema_decay": 0.99, "dropout": 0.0},
        "losses": {
            "waveform_kind": "huber", "waveform_start": 0.2, "waveform_end": 0.2, "spectrogram": 0.0, "stft": 0.0,
            "phase": 1.0, "commitment": 0.0833, "codebook": 0.0,
        },
        "optimiser": {"lr": 1e-4, "betas": [0.5, 0.9], "batch": 16},
    },
    # An eighth of the weights.
    "biocodec-small": {"model": {"architecture": "biocodec", "encoder_dim": 12, "decoder_dim": 96}},
    # The paper's model of surface EMG: 1 kHz, 18 samples a frame.
    "biocodec-emg": {
        "data": {"rate": 1000.0, "highpass_hz": 0.0, "signals": ["EMG*"], "window_seconds": 5.004},
        "model": {"architecture": "biocodec", "encoder_rates": [2, 3, 3], "decoder_rates": [3, 3, 2]},
        "losses": {"phase_windows": [128, 256, 512, 1024]},
        "optimiser": {"lr": 5e-4},
    },
    # What differs for audio: its own rate, no filter, as many frames a segment as 30 s of EEG have at 256 Hz. It is
    # scaled as EEG is: left at their own level, loud noises rule the loss and quiet notes are never learned.
    "audio": {
        "data": {"domain": "audio", "rate": 44100.0, "highpass_hz": 0.0, "window_seconds": 0.175},
    },
}  # fmt: skip


def load_settings(path: str | Path, base: TrainSettings | None = None) -> TrainSettings:
    """Return settings read from a TOML, YAML or JSON file.

    Parameters
    ----------
    path
        The file; its ending says what it is. A top-level ``preset`` (a name or a list) is applied before the rest.
    base
        What the file changes; the defaults otherwise.

    Raises
    ------
    UsageError
        The file can't be read, or says something unknown.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path} is too large to be settings.")
        content = _parsed(path)
    except OSError as error:
        raise UsageError(f"the settings {path} can't be read: {error.strerror}.") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no sections of settings.")
    names = content.pop("preset", [])
    settings = with_presets(base or TrainSettings(), [names] if isinstance(names, str) else names)
    return settings.changed(content, str(path))


def _parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        if path.suffix.lower() in (".yaml", ".yml"):
            require("train", "yaml")
            import yaml

            return yaml.safe_load(text)
        if path.suffix.lower() == ".json":
            return parsed(text)
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        return tomllib.loads(text)
    except UsageError:
        raise
    except Exception as error:  # each library has an error of its own
        raise UsageError(f"{path} can't be understood: {' '.join(str(error).split())[:200]}.") from error


def with_presets(settings: TrainSettings, names: Iterable[str]) -> TrainSettings:
    """Return settings with presets applied one after the other.

    Raises
    ------
    UsageError
        There is no preset of such a name.
    """
    for name in names:
        if name not in PRESETS:
            raise UsageError(f"there is no preset '{name}'; known are {', '.join(PRESETS)}.")
        settings = settings.changed(PRESETS[name], f"preset {name}")
    return settings


def with_overrides(settings: TrainSettings, assignments: Iterable[str]) -> TrainSettings:
    """Return settings with ``section.name=value`` texts applied.

    Raises
    ------
    UsageError
        A text is not of that form, or names something unknown.
    """
    for text in assignments:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not equals or not dot:
            raise UsageError(f"'{text}' is not of the form section.name=value, such as optimiser.lr=1e-4.")
        settings = settings.changed({section: {key: value}}, f"'{text}'")
    return settings
