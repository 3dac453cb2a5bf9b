"""Artifacts to read beside a run's weights: a model card and a picture of its curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eegzip.codecs.checkpoints.checkpoint import CARD, load_checkpoint
from eegzip.formats.files import atomic_output
from eegzip.training.data.corpus import CachedRecording, Corpus
from eegzip.training.device import chosen_device
from eegzip.training.losses.total import weights_at
from eegzip.training.outcome import Outcome
from eegzip.training.reporting.card import model_card
from eegzip.training.reporting.card_facts import CardFacts, ModelMetrics
from eegzip.training.reporting.curves import plot_curves
from eegzip.training.reporting.journal import LOG, read_log
from eegzip.training.settings.checked import TrainSettings

CURVES = "curves.png"


def write_card_and_curves(
    out: Path,
    settings: TrainSettings,
    outcome: Outcome,
    corpus: Corpus,
    train: Sequence[CachedRecording],
    validation: Sequence[CachedRecording],
    command: Sequence[str],
    initial: str,
) -> None:
    """Write ``README.md`` and ``curves.png`` into the folder of a run.

    Parameters
    ----------
    out
        The folder.
    settings, outcome
        Of the run.
    corpus, train, validation
        Its recordings, and who was on which side.
    command
        The command line.
    initial
        What the weights began as.
    """
    checkpoint = load_checkpoint(out)
    entries = read_log(out / LOG)
    used = [*train, *validation]
    facts = CardFacts(
        config=checkpoint.config,
        parameters=sum(value.numel() for value in checkpoint.state.values()),
        domain=settings.data.domain,
        sources=settings.data.sources,
        files=len({r.path for r in used}),
        hours=sum(r.waves.shape[1] / r.rate for r in used) / 3600,
        subjects_trained=sorted({r.subject for r in train}),
        subjects_held_out=sorted({r.subject for r in validation}),
        # Ids from a manifest may be names; those in a path are known to whoever has the files.
        ids_from_files=all(r.subject in r.path for r in used),
        skipped=corpus.skipped,
        licence=settings.run.licence,
        channels=sorted({label for r in used for label in r.labels}),
        preprocessing=preprocessing_in_words(settings),
        command=command,
        seed=settings.run.seed,
        initial=initial,
        steps=outcome.step,
        saved_step=outcome.best_step,
        seconds=outcome.seconds,
        device=str(chosen_device(settings.run.device)),
        losses=[f"{name} {weight:g}" for name, weight in weights_at(settings, 0).items() if weight],
        events=[str(e["message"]) for e in entries if e.get("kind") == "event" and "message" in e],
        before=_metrics(outcome.first),
        after=_metrics(outcome.best),
        metrics_note=(
            f"Medians over {outcome.best.get('windows', 0)} windows of {settings.data.window_seconds:g} s of people "
            "held out, of the waveform as the network sees it."
        ),
        torch_version=str(torch.__version__),
    )
    with atomic_output(out / CARD, overwrite=True) as file:
        file.write(model_card(facts).encode())
    plot_curves(out / LOG, out / CURVES, checkpoint.config.name)


def _metrics(found: dict[str, Any]) -> ModelMetrics | None:
    if "prd" not in found:
        return None
    return ModelMetrics(prd=found["prd"], snr=found["snr"], spectrogram=found["spectrogram"], r=found["r"])


def preprocessing_in_words(settings: TrainSettings) -> list[str]:
    """Return what was done to the recordings, a phrase a step."""
    data = settings.data
    steps = []
    if data.skip_seconds:
        steps.append(f"the first {data.skip_seconds:g} s left out")
    if data.drop_empty and data.domain == "eeg":
        steps.append("empty channels left out")
    if not data.lines and data.domain == "eeg":
        steps.append("mains and other lines taken out, as `compress` does")
    if data.highpass_hz:
        steps.append(f"high-pass at {data.highpass_hz:g} Hz")
    steps.append(f"resampled to {data.rate:g} Hz")
    if data.scaling == "fixed" and data.domain == "eeg":
        steps.append(f"clipped at {data.limit_uv:g} uV and mapped to [-1, 1]")
    elif data.scaling == "robust" and data.domain == "eeg":
        steps.append(f"divided by each signal's interquartile range and clipped at {data.clamp:g} of these")
    elif data.domain == "eeg":
        steps.append("brought to one level by the codec's adaptive scaling")
    steps.append(f"segments of {data.window_seconds:g} s")
    return steps
