"""The sections of a training run's settings, which :mod:`eegzip.training.settings.checked` puts together and checks.

What the numbers mean in use, and why they are what they are, stands in ``docs/training.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class DataSettings:
    """Where recordings come from, and what is done to them before a network sees them.

    Attributes
    ----------
    sources : tuple of str
        Folders, globs, files or manifests; ``synthetic`` makes recordings up.
    domain : str
        ``eeg`` or ``audio``.
    held_out : str
        Share of the subjects kept for validation (``0.2``), or their names, separated by commas.
    person_regex : str
        Regular expression over the path whose first group is the subject; empty: found from the layout.
    cache : str
        Folder of prepared recordings; empty: in the user's cache.
    workers : int
        Processes that prepare recordings; 0: as many as there are cores.
    skip_seconds : float
        Left out at the start of every recording.
    drop_empty : bool
        Leave out channels that never change.
    lines : bool
        Whether the mains and other lines stay in. ``compress`` takes them out before it codes, so a model that learns
        with them learns what it never meets.
    rate : float
        Sampling rate of the network's input in Hz.
    highpass_hz : float
        Corner of the high-pass filter; 0: none.
    scaling : str
        ``adaptive``; ``fixed``: clip at `limit_uv` and map to [-1, 1]; or ``robust``: divide each signal by its
        interquartile range and clip at `clamp`.
    limit_uv : float
        Microvolts.
    clamp : float
        Interquartile ranges.
    signals : tuple of str
        Patterns of labels to train on in place of EEG, as ``compress --lossy`` takes them: ``EMG*``.
    spacing, level_rms, level_peak
        Of the adaptive scaling, as in :class:`eegzip.codecs.checkpoints.config.ScalingConfig`.
    window_seconds : float
        Length of a training segment, and of a validation window.
    """

    sources: tuple[str, ...] = ()
    domain: str = "eeg"
    held_out: str = "0.2"
    person_regex: str = ""
    cache: str = ""
    workers: int = 0
    skip_seconds: float = 0.0
    drop_empty: bool = True
    lines: bool = False
    rate: float = 256.0
    highpass_hz: float = 0.1
    scaling: str = "adaptive"
    limit_uv: float = 200.0
    clamp: float = 10.0
    signals: tuple[str, ...] = ()
    spacing: int = 1024
    level_rms: float = 0.2
    level_peak: float = 0.9
    window_seconds: float = 30.0


@dataclass(frozen=True)
class ModelSettings:
    """Shape of the network, as in :class:`eegzip.codecs.checkpoints.config.NetworkConfig` and ``MultichannelConfig``.

    Attributes
    ----------
    name : str
        Of the checkpoint; empty: the name of the run's folder.
    architecture : str
        ``dac-sc``, ``dac-mc`` or ``biocodec``.
    max_channels, heads, layers, reach
        Of DAC-MC: largest group, and its attention. Channels start apart where there are as many heads as channels in
        the largest group.
    window_frames : int
        Frames that compress encodes at once.
    beam : int
        Hypotheses of compress's search over the codebooks; 1 is DAC's greedy search.
    """

    name: str = ""
    architecture: str = "dac-sc"
    encoder_dim: int = 16
    encoder_rates: tuple[int, ...] = (2, 4, 8, 8)
    latent_dim: int = 0
    decoder_dim: int = 384
    decoder_rates: tuple[int, ...] = (8, 8, 4, 2)
    n_codebooks: int = 9
    codebook_size: int = 1024
    codebook_dim: int = 8
    linear_path: bool = False
    search: str = "cosine"
    final_tanh: bool = True
    max_channels: int = 5
    heads: int = 8
    layers: int = 1
    reach: int = 8
    window_frames: int = 60
    beam: int = 1


@dataclass(frozen=True)
class StartSettings:
    """What the weights are before the first step.

    Attributes
    ----------
    init : str
        ``scratch``, ``audio`` (the official DAC weights), a model's name or folder, or DAC weights as a ``.pth`` file
        or in Hugging Face's layout (:func:`eegzip.models.import_descript`).
    sha256 : str
        Of the official weights, for ``audio``.
    channels : str
        How DAC-MC starts from a checkpoint of single channels: ``apart`` (latent dimensions for each channel of a
        group, set from data; :mod:`eegzip.training.initialisation.channels`) or ``mean`` (a group is the mean of its
        channels).
    reduce_to : tuple of int
        Codebook sizes to merge the checkpoint's entries to, one round each.
    reduce_every : int
        Steps of fine-tuning between two rounds.
    """

    init: str = "scratch"
    sha256: str = ""
    channels: str = "apart"
    reduce_to: tuple[int, ...] = ()
    reduce_every: int = 500


@dataclass(frozen=True)
class GroupSettings:
    """Which channels are coded together while DAC-MC trains.

    Attributes
    ----------
    kind : str
        ``random`` (appendix A), ``manual``, ``single`` or a file of groups.
    exponential_rate, scale, tau : float
        Of the random groups: lambda of their size's distribution, a factor on the size before it is rounded up,
        and the temperature of the neighbours.
    """

    kind: str = "random"
    exponential_rate: float = 3.0
    scale: float = 1.0
    tau: float = 1.0


@dataclass(frozen=True)
class QuantiserSettings:
    """How codebooks start, move and stay in use.

    Attributes
    ----------
    start : str
        ``kmeans`` (of the first latents) or ``random``; a checkpoint's codebooks are kept in either case.
    open_steps : int
        Steps from scratch in which encoder and decoder learn without the quantiser, which is then started from data.
    update : str
        ``gradient`` (DAC: the codebook loss) or ``ema`` (moving averages of what chooses an entry).
    ema_decay : float
        Of the moving averages and of the count of uses.
    revive_every : int
        Steps between looks for dead entries; 0: never.
    revive_below : float
        An entry is dead below this share of a fair entry's uses.
    dropout : float
        Share of a batch that uses a random number of codebooks.
    """

    start: str = "kmeans"
    open_steps: int = 400
    update: str = "ema"
    ema_decay: float = 0.99
    revive_every: int = 50
    revive_below: float = 0.05
    dropout: float = 0.25


@dataclass(frozen=True)
class LossSettings:
    """Weights of the losses (paper section 2.3; DAC's own where the paper is silent).

    Attributes
    ----------
    waveform_start, waveform_end : float
        Weight of the waveform loss at first and at last.
    waveform_half_life : float
        Steps in which what lies between the two halves.
    waveform_kind : str
        ``l1``, ``squared``, ``huber`` or ``log_relative``; see :func:`eegzip.training.losses.waveform.waveform_loss`.
    phase : float
        Weight of the loss in magnitude and phase (:func:`eegzip.training.losses.waveform.phase_loss`).
    phase_windows : tuple of int
        Its window lengths in samples.
    """

    waveform_start: float = 100.0
    waveform_end: float = 20.0
    waveform_half_life: float = 2000.0
    waveform_kind: str = "l1"
    stft: float = 0.0
    spectrogram: float = 0.05
    phase: float = 0.0
    phase_windows: tuple[int, ...] = (32, 64, 128, 256)
    commitment: float = 0.25
    codebook: float = 1.0

    def waveform(self, step: int) -> float:
        """Return the weight of the waveform loss at a step."""
        part = 0.5 ** (step / self.waveform_half_life)
        return self.waveform_end + (self.waveform_start - self.waveform_end) * part


@dataclass(frozen=True)
class AdversarialSettings:
    """The discriminators' phase.

    Attributes
    ----------
    weight : float
        Factor on the adversarial and the feature-matching loss; 0: no discriminators at all.
    adversarial, feature : float
        The two losses' own weights.
    start_step, stop_step : int
        Steps of the phase; a `stop_step` of 0 leaves its end to the divergence rule alone.
    rise : float
        The phase ends when the smoothed reconstruction loss lies by this share above its lowest.
    patience : int
        Steps over which the rule's averages run, and for which it must hold.
    lr : float
        Learning rate of the discriminators.
    width : int
        Channels of the discriminators' first layers.
    """

    weight: float = 0.0
    adversarial: float = 1.0
    feature: float = 2.0
    start_step: int = 0
    stop_step: int = 0
    rise: float = 0.1
    patience: int = 100
    lr: float = 1e-4
    width: int = 8


@dataclass(frozen=True)
class JointSettings:
    """The decoder that sees all channels, which the stage ``joint`` trains; see :mod:`eegzip.training.joint`.

    Attributes
    ----------
    width, blocks, heads, kernel : int
        Of the network, as in :class:`eegzip.codecs.checkpoints.config.JointConfig`.
    crop_frames : int
        Frames of an example that the loss is taken over; what channels have in common is found from its whole window.
    most_channels : int
        Of an example.
    renditions : int
        Variants of each recording made besides itself: other references, rates, hum.
    drift : float
        Share of these with slow drift and steps of electrodes.
    weight_decay : float
        Of AdamW.
    """

    width: int = 160
    blocks: int = 3
    heads: int = 8
    kernel: int = 5
    crop_frames: int = 60
    most_channels: int = 48
    renditions: int = 1
    drift: float = 0.0
    weight_decay: float = 1e-3


@dataclass(frozen=True)
class CodebookSettings:
    """Codebooks without a gradient, which the stage ``codebooks`` makes; see :mod:`eegzip.training.codebooks`.

    Attributes
    ----------
    frames : int
        Latent vectors that codebooks start from, and that each round of refinement sees afresh.
    rounds : int
        Of refinement.
    dimensions : int
        In how many dimensions of the latent a level has codewords: those that need it most when its turn comes.
    renditions : int
        Variants of each recording made besides itself: other references, rates, gains, hum.
    """

    frames: int = 70_000
    rounds: int = 12
    dimensions: int = 32
    renditions: int = 1


@dataclass(frozen=True)
class PriorSettings:
    """The tables that code tokens in context, which the stage ``prior`` makes; see :mod:`eegzip.training.prior`.

    Attributes
    ----------
    steps, batch : int
        Of Adam, and frames a step.
    lr : float
        Learning rate, falling to nothing.
    hidden : int
        Hidden units; a prior that is gone on from keeps its own.
    rows : int
        Frames of each set, at most.
    recordings : int
        Recordings of each set, at most, to fit to, and as many to judge by.
    minutes : float
        Of each recording at most.
    components : bool
        Make a model that codes the components of whole recordings out of one that codes every channel alone.
    """

    steps: int = 900
    batch: int = 768
    lr: float = 4e-3
    hidden: int = 48
    rows: int = 60_000
    recordings: int = 16
    minutes: float = 5.0
    components: bool = False


PARTS = ("encoder", "channels", "quantiser", "decoder")
"""Parts of a network that :class:`OptimiserSettings` has a factor for."""


@dataclass(frozen=True)
class OptimiserSettings:
    """Adam and what surrounds it.

    Attributes
    ----------
    lr, betas
        Of Adam.
    encoder, channels, quantiser, decoder : float
        Factors on the learning rate of these parts (:func:`eegzip.training.loop.parts.part_of`); 0 freezes a part as
        the start has it. A frozen quantiser moves by no moving average either, and revives nothing.
    warmup : int
        Steps over which the learning rate rises from nothing.
    half_life : float
        Steps in which it then halves; 0: it stays.
    cosine_steps : int
        Steps in which it falls to nothing along half a cosine; 0: it does not.
    batch : int
        Segments a step, over all processes together.
    clip : float
        Largest norm of the gradient.
    average : float
        Decay of the average of the weights that is validated and saved; 0: the weights themselves.
    autocast : str
        ``auto`` (bfloat16 on CUDA), ``bfloat16`` or ``off``.
    """

    lr: float = 2e-4
    encoder: float = 1.0
    channels: float = 1.0
    quantiser: float = 1.0
    decoder: float = 1.0
    betas: tuple[float, ...] = (0.8, 0.99)
    warmup: int = 50
    half_life: float = 0.0
    cosine_steps: int = 0
    batch: int = 4
    clip: float = 10.0
    average: float = 0.995
    autocast: str = "auto"

    def rate_at(self, step: int) -> float:
        """Return Adam's learning rate at a step: a linear rise, then halving ever again, or half a cosine."""
        rate = self.lr * min(1.0, (step + 1) / max(self.warmup, 1))
        if self.cosine_steps:
            rate *= 0.5 + 0.5 * math.cos(math.pi * min(step / self.cosine_steps, 1.0))
        return rate * 0.5 ** (step / self.half_life) if self.half_life else rate


@dataclass(frozen=True)
class RunSettings:
    """What, how long, where, how often.

    Attributes
    ----------
    stages : tuple of str
        One after the other, each going on from what the one before made: ``codebooks`` (without a gradient),
        ``network`` (the codec by gradient), ``prior`` (what codes tokens in context), ``joint`` (a decoder that sees
        all channels, on top of a codec left as it is). None: ``joint`` for a model that has such a decoder, else
        ``network``.
    max_steps : int
        0: no limit.
    max_seconds : float
        Time in the training loop, validation included, summed over resumptions; 0: no limit.
    seed : int
        Of everything random.
    deterministic : bool
        Refuse algorithms whose result may vary (CUDA).
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    threads : int
        Torch threads; 0: torch's choice.
    validate_every : int
        Steps.
    validation_windows : int
        Windows of a validation, spread over the subjects held out.
    save_seconds : float
        Time between two saved states, beside those at every validation.
    log_every : int
        Steps between two lines of the log.
    best : str
        Figure that the best checkpoint is chosen by: ``prd`` or ``spectrogram``.
    weights : str
        Numbers that checkpoints of the stage ``network`` are stored in: ``float32``, or ``float16`` for half the
        bytes. What is validated is what is stored.
    licence : str
        Of the data, for the model card.
    """

    stages: tuple[str, ...] = ()
    max_steps: int = 0
    max_seconds: float = 0.0
    seed: int = 20261120
    deterministic: bool = False
    device: str = "auto"
    threads: int = 0
    validate_every: int = 200
    validation_windows: int = 64
    save_seconds: float = 300.0
    log_every: int = 10
    best: str = "prd"
    weights: str = "float32"
    licence: str = ""
