"""Facts of a model card, as plain data; :mod:`eegzip.training.reporting.card` puts them into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eegzip._version import __version__
from eegzip.codecs.checkpoints.config import ModelConfig


@dataclass(frozen=True)
class ModelMetrics:
    """What a model did to the recordings of subjects held out, once.

    Attributes
    ----------
    prd : float
        Percent, means removed.
    snr : float
        dB.
    spectrogram : float or None
        The paper's spectrogram loss.
    r : mapping of str to float
        Pearson correlation, by the name of the band.
    """

    prd: float
    snr: float
    spectrogram: float | None = None
    r: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says; what has a default may be unknown.

    Attributes
    ----------
    config : ModelConfig
        The model's config.
    parameters : int
        Number of weights.
    domain : str
        What it was trained on: ``eeg`` or ``audio``.
    sources : sequence of str
        Where the data came from, as the user named them.
    files : int
        Recordings used.
    hours : float
        Their length together, in hours of recording.
    people_trained, people_held_out : sequence of str
        Subjects on either side of the split.
    ids_from_files : bool
        Whether subjects' ids are parts of file names. Other ids (a column of a table, a field of a header) may be
        names: the card then counts subjects and doesn't list them.
    skipped : sequence of (str, str)
        Files left out, and why.
    licence : str
        Licence of the data and so of the model, as the user stated it; empty when not stated.
    recording_rates : sequence of float
        Sampling rates of the recordings, in Hz.
    channels : sequence of str
        Channels that were trained on, by their normalised names.
    preprocessing : sequence of str
        One sentence or phrase a step.
    command : sequence of str
        The command line, word by word.
    seed : int or None
    initial : str
        What the weights began as: ``scratch``, ``audio``, or a name of a model (with its digest).
    steps : int
        Optimiser steps done.
    saved_step : int
        The step after which the weights were as they are here, where it is not the last; 0: not stated.
    seconds : float
        Time of training.
    device : str
        Where it ran.
    losses : sequence of str
        One phrase a part of the loss, with its weight.
    events : sequence of str
        What happened on the way: the GAN dropped, resumptions.
    before, after : ModelMetrics or None
        On subjects held out, before the first step and of the model as saved.
    figures_note : str
        What the metrics are of: how many recordings, how much of each.
    limits : sequence of str
        Limits that the trainer knows of, beside the general ones.
    eegzip_version, torch_version : str
    """

    config: ModelConfig
    parameters: int = 0
    domain: str = "eeg"
    sources: Sequence[str] = ()
    files: int = 0
    hours: float = 0.0
    subjects_trained: Sequence[str] = ()
    subjects_held_out: Sequence[str] = ()
    ids_from_files: bool = False
    skipped: Sequence[tuple[str, str]] = ()
    licence: str = ""
    recording_rates: Sequence[float] = ()
    channels: Sequence[str] = ()
    preprocessing: Sequence[str] = ()
    command: Sequence[str] = ()
    seed: int | None = None
    initial: str = "scratch"
    steps: int = 0
    saved_step: int = 0
    seconds: float = 0.0
    device: str = "cpu"
    losses: Sequence[str] = ()
    events: Sequence[str] = ()
    before: ModelMetrics | None = None
    after: ModelMetrics | None = None
    metrics_note: str = ""
    limits: Sequence[str] = ()
    eegzip_version: str = __version__
    torch_version: str = ""
