"""A model's config as plain data: the schema of a checkpoint's ``config.json``.

No torch here: a file's model can be named, checked and compared on a machine that never runs a network.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from eegzip.codecs.channels.vocabulary import STANDARD_VOCABULARY as STANDARD_VOCABULARY
from eegzip.codecs.checkpoints.schema import plain, strict
from eegzip.formats.errors import ModelError

FORMAT = "eegzip-model"
FORMAT_VERSION = 1
MAX_BEAM = 64
ARCHITECTURES = ("dac-sc", "dac-mc", "biocodec")
CAUSAL = "biocodec"
"""The architecture whose frames depend on no later sample."""
WARM_UP_FRAMES = 128
"""Frames before a window by which a causal network, whose memory has no end, finds its state (SPEC.md, section 9.2)."""
SCALINGS = ("adaptive", "fixed", "robust")
GROUPINGS = ("manual", "random", "single")
MAX_MIXTURE = 64
JOINT_BINS = 128
"""Latent dimensions, MDCT bins, that a joint decoder is made for."""
# A filter needs several periods of its corner to either side.
_CORNERS_HZ = (0.02, 20.0)
_MAX_NAMES = 512
_MAX_NAME_LENGTH = 80
# Scores of an attention that one frame computes at most; the default's are 1700.
_MAX_SCORES = 1 << 20
_MAX_WINDOW_SAMPLES = 1 << 24
_WIDEST_LSTM = 4096


class ChannelCoding(Enum):
    """How the channels of a recording become streams of tokens; but for `SINGLE`, what ``multichannel.styles`` says."""

    SINGLE = "single"
    """Every channel has a stream of its own."""
    BY_NAME = "names"
    """Channels of a group share a stream; the network tells them apart by their names."""
    KLT = "recording"
    """A rotation of the recording's own (Karhunen-Loeve) comes before the network, and every component has a stream."""


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network; every default is the Descript Audio Codec's own.

    Attributes
    ----------
    encoder_dim, encoder_rates, decoder_dim, decoder_rates
        Widths and strides, as in ``dac.DAC``: before the encoder's and before the decoder's first stride.
    latent_dim : int
        Latent width; 0 means DAC's rule ``encoder_dim * 2**len(encoder_rates)``.
    n_codebooks, codebook_size, codebook_dim
        The residual vector quantiser. A ``codebook_dim`` equal to the latent width leaves DAC's
        projections out: the codebooks then live in the latent space itself.
    linear_path : bool
        Add a linear analysis to the encoder's output and a linear synthesis to the decoder's (kernel of
        two hops, one hop apart); they start as an MDCT pair.
    search : str
        ``cosine`` (DAC) or ``euclid``.
    final_tanh : bool
        Keep DAC's last activation, which bounds the output to [-1, 1].
    """

    encoder_dim: int = 64
    encoder_rates: tuple[int, ...] = (2, 4, 8, 8)
    latent_dim: int = 0
    decoder_dim: int = 1536
    decoder_rates: tuple[int, ...] = (8, 8, 4, 2)
    n_codebooks: int = 9
    codebook_size: int = 1024
    codebook_dim: int = 8
    linear_path: bool = False
    search: str = "cosine"
    final_tanh: bool = True

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return math.prod(self.encoder_rates)

    @property
    def latent_width(self) -> int:
        """Latent dimensions, DAC's rule applied."""
        return self.latent_dim or self.encoder_dim * 2 ** len(self.encoder_rates)

    @property
    def direct_codebooks(self) -> bool:
        """Whether the codebooks live in the latent space itself, without projections."""
        return self.search == "euclid" and self.codebook_dim == self.latent_width

    def check(self, *, causal: bool = False) -> None:
        """Raise :class:`ModelError` where the numbers make no network (or one beyond all measure)."""
        for name, low, high in (
            ("encoder_dim", 1, 1024),
            ("latent_dim", 0, 8192),
            ("decoder_dim", 1, 8192),
            ("n_codebooks", 1, 256),
            ("codebook_size", 2, 65536),
            ("codebook_dim", 1, 8192),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ModelError(f"The model's {name} is {value}; it must lie between {low} and {high}.")
        for name in ("encoder_rates", "decoder_rates"):
            rates = getattr(self, name)
            # DAC's layers lose samples at odd strides, so frames would not line up.
            if not 1 <= len(rates) <= 8 or any(not 2 <= r <= 64 or (r % 2 and not causal) for r in rates):
                kind = "" if causal else "even "
                raise ModelError(f"The model's {name} {list(rates)} must be 1 to 8 {kind}numbers from 2 to 64.")
        if self.hop != math.prod(self.decoder_rates) or self.hop > 65536:
            raise ModelError("The model's encoder and decoder strides must give the same hop, at most 65536.")
        if self.decoder_dim >> len(self.decoder_rates) == 0:
            raise ModelError("The model's decoder_dim is too small for its number of strides.")
        if self.search not in ("cosine", "euclid"):
            raise ModelError(f"The model's search {self.search!r} is neither 'cosine' nor 'euclid'.")
        if self.linear_path and self.latent_width < self.hop:
            raise ModelError("A linear path needs at least as many latent dimensions as the hop has samples.")
        if causal:
            self._check_causal()

    def _check_causal(self) -> None:
        if self.linear_path or self.final_tanh or self.search != "cosine":
            raise ModelError("A causal network has no linear path and no tanh, and searches by cosine.")
        widest = max(self.encoder_dim << len(self.encoder_rates), self.decoder_dim)
        if widest > _WIDEST_LSTM:
            raise ModelError(f"The model's LSTM would be {widest} wide; {_WIDEST_LSTM} is the most.")


@dataclass(frozen=True)
class ScalingConfig:
    """How waveforms are brought to the model's level; see :mod:`eegzip.codecs.signal.scaling`.

    Attributes
    ----------
    kind : str
        The default way: ``adaptive``, ``fixed`` or ``robust``.
    spacing, level_rms, level_peak
        Of the adaptive scaling.
    limit_uv : float
        Of the fixed scaling: the amplitude in microvolts that becomes 1.
    highpass_hz : float
        Of the fixed and the robust scaling: corner in Hz of the high-pass filter before it
        (:mod:`eegzip.codecs.signal.highpass`); 0: none. The adaptive scaling takes offset and drift away itself, and
        gives them back.
    clamp : float
        Of the robust scaling, by each signal's own interquartile range: how many of these are the most.
    """

    kind: str = "adaptive"
    spacing: int = 1024
    level_rms: float = 0.2
    level_peak: float = 0.9
    limit_uv: float = 200.0
    highpass_hz: float = 0.0
    clamp: float = 10.0

    @property
    def bound(self) -> float:
        """What the network's input is clipped to where its scale is a signal's own or fixed."""
        return self.clamp if self.kind == "robust" else 1.0

    def check(self) -> None:
        """Raise :class:`ModelError` where the numbers make no sense."""
        if self.kind not in SCALINGS:
            raise ModelError(f"The model's scaling {self.kind!r} is none of {', '.join(SCALINGS)}.")
        if not 16 <= self.spacing <= 1 << 20:
            raise ModelError("The model's scaling.spacing must lie between 16 and 1048576 samples.")
        for name in ("level_rms", "level_peak", "limit_uv", "clamp"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 1e-6 <= value <= 1e6):
                raise ModelError(f"The model's scaling.{name} must be a positive number, it is {value}.")
        low, high = _CORNERS_HZ
        if self.highpass_hz and not (self.kind != "adaptive" and low <= self.highpass_hz <= high):
            raise ModelError(
                f"The model's scaling.highpass_hz is {self.highpass_hz:g}; it must be 0, or {low:g} to {high:g} Hz "
                "where the scaling is fixed or robust."
            )


@dataclass(frozen=True)
class MultichannelConfig:
    """What a model of groups of channels (DAC-MC) has besides its network.

    Attributes
    ----------
    max_channels : int
        Largest group.
    heads, layers : int
        Of the attention over channels and frames; the heads share the latent width.
    reach : int
        Frames before and after its own that a frame attends to, in each layer.
    vocabulary : tuple of str
        Names of the styles: style i is ``vocabulary[i - 1]``, style 0 any other channel. Its order is the fixed
        order of channels within a group.
    groups : str
        How recordings are divided into groups unless told: ``manual``, ``random`` or ``single``.
    styles : str
        ``names``: a channel has the style of its name. ``recording``: nothing in the network mixes channels. A rotation
        of each recording's own comes before it, and every component has a stream. Code asks
        :attr:`ModelConfig.channel_coding` instead.
    """

    max_channels: int = 5
    heads: int = 4
    layers: int = 1
    reach: int = 8
    vocabulary: tuple[str, ...] = ()
    groups: str = "manual"
    styles: str = "names"

    @property
    def encoder_reach(self) -> int:
        """Frames on each side that the attention sees."""
        return 0 if self._by_recording else self.layers * self.reach

    @property
    def _by_recording(self) -> bool:
        return self.styles == ChannelCoding.KLT.value

    def check(self, latent_width: int) -> None:
        """Raise :class:`ModelError` where the numbers make no adapters for a network of this latent width."""
        by_recording = self._by_recording
        most = MAX_MIXTURE if by_recording else 32
        for name, low, high in (("max_channels", 1, most), ("heads", 1, 64), ("layers", 1, 16), ("reach", 1, 1024)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ModelError(f"The model's multichannel.{name} is {value}; it must lie between {low} and {high}.")
        if not by_recording and self.heads * self.max_channels**2 * (2 * self.reach + 1) > _MAX_SCORES:
            raise ModelError("The model's attention (heads, channels, reach) is beyond measure.")
        if latent_width % self.heads:
            raise ModelError(f"The model's {latent_width} latent dimensions can't be shared by {self.heads} heads.")
        if self.groups not in GROUPINGS:
            raise ModelError(f"The model's groups {self.groups!r} are none of {', '.join(GROUPINGS)}.")
        if self.styles == "places":
            raise ModelError(
                "The model's styles are of places in a row of neighbours; no release had such models. Only the version "
                "of eegzip that made it can run it."
            )
        if self.styles not in (ChannelCoding.BY_NAME.value, ChannelCoding.KLT.value):
            raise ModelError(f"The model's styles {self.styles!r} are neither 'names' nor 'recording'.")
        if by_recording and self.vocabulary:
            raise ModelError("The model's styles are of recordings, but its vocabulary names channels.")
        if len(self.vocabulary) > _MAX_NAMES:
            raise ModelError(f"The model's vocabulary has {len(self.vocabulary)} names; {_MAX_NAMES} are the most.")
        for name in self.vocabulary:
            if not (0 < len(name) <= _MAX_NAME_LENGTH and name.isprintable() and name == name.strip()):
                raise ModelError(f"The model's vocabulary has an entry {name[:80]!r} that is no channel's name.")
        if len({name.casefold() for name in self.vocabulary}) < len(self.vocabulary):
            raise ModelError("The model's vocabulary names a channel twice.")


@dataclass(frozen=True)
class JointConfig:
    """Shape of a decoder that sees all channels; see :mod:`eegzip.codecs.networks.joint`.

    Attributes
    ----------
    weights : str
        SHA-256, in hexadecimal, of ``joint.safetensors``; so the model's digest covers it.
    width, blocks, heads, kernel : int
        Of its blocks; `kernel` is in frames.
    """

    weights: str
    width: int = 160
    blocks: int = 3
    heads: int = 8
    kernel: int = 5

    @property
    def reach(self) -> int:
        """Frames on each side that it sees, beyond the window whose correlations it takes."""
        return self.blocks * (self.kernel // 2)

    def check(self, network: NetworkConfig) -> None:
        """Raise :class:`ModelError` where the numbers make no decoder for a network."""
        for name, low, high in (("width", 8, 512), ("blocks", 1, 8), ("heads", 1, 64), ("kernel", 1, 31)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ModelError(f"The model's joint.{name} is {value}; it must lie between {low} and {high}.")
        if self.width % self.heads or self.kernel % 2 == 0:
            raise ModelError("The model's joint decoder needs an odd kernel, and a width that its heads can share.")
        if not (network.direct_codebooks and network.linear_path and network.latent_width == network.hop == JOINT_BINS):
            raise ModelError(f"A joint decoder needs a linear path of {JOINT_BINS} bins and codebooks in its latents.")
        if not re.fullmatch("[0-9a-f]{64}", self.weights):
            raise ModelError("The model's joint.weights must be a SHA-256 of 64 hexadecimal digits.")


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild and run a model, besides its weights.

    Attributes
    ----------
    name : str
        Short name, as in ``--model NAME``.
    rate : float
        Sampling rate of the network's input in Hz.
    network : NetworkConfig
        Shape of the network.
    scaling : ScalingConfig
        Level of the network's input.
    window_frames : int
        Frames encoded at once; the grid of windows is part of what the tokens are.
    beam : int
        Hypotheses kept by the search over the codebooks; 1 is DAC's greedy search.
    architecture : str
        ``dac-sc``: every channel is coded alone; ``dac-mc``: groups of channels share their tokens; ``biocodec``: every
        channel alone, by a causal network.
    multichannel : MultichannelConfig or None
        Of ``dac-mc``, and only there.
    prior : str or None
        SHA-256, in hexadecimal, of the tables that code its tokens in context (``prior.safetensors``), where it has
        them. So the model's digest covers them, too.
    joint : JointConfig or None
        The decoder that sees all channels, where it has one; of `dac-sc` only.
    """

    name: str
    rate: float
    network: NetworkConfig = field(default_factory=NetworkConfig)
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    window_frames: int = 60
    beam: int = 1
    architecture: str = "dac-sc"
    multichannel: MultichannelConfig | None = None
    prior: str | None = None
    joint: JointConfig | None = None

    @property
    def causal(self) -> bool:
        """Whether a frame depends on no sample after its own."""
        return self.architecture == CAUSAL

    @property
    def adapters(self) -> MultichannelConfig | None:
        """What of `multichannel` is in the network; ``None`` where each of its streams is a single waveform's."""
        return self.multichannel if self.channel_coding is ChannelCoding.BY_NAME else None

    @property
    def channel_coding(self) -> ChannelCoding:
        """How channels become streams; of a config that was checked."""
        return ChannelCoding.SINGLE if self.multichannel is None else ChannelCoding(self.multichannel.styles)

    def check(self) -> None:
        """Raise :class:`ModelError` where a value is out of its range."""
        self.network.check(causal=self.causal)
        self.scaling.check()
        if not (math.isfinite(self.rate) and 1 <= self.rate <= 1e6):
            raise ModelError(f"The model's rate must lie between 1 and 1000000 Hz, it is {self.rate}.")
        if not 1 <= self.window_frames <= 65536 or self.window_frames * self.network.hop > _MAX_WINDOW_SAMPLES:
            raise ModelError("The model's window_frames is out of range.")
        if self.causal and self.window_frames < WARM_UP_FRAMES:
            raise ModelError(f"A causal model's window_frames must be {WARM_UP_FRAMES} or more.")
        if not 1 <= self.beam <= MAX_BEAM:
            raise ModelError(f"The model's beam must lie between 1 and {MAX_BEAM}.")
        if self.beam > 1 and self.network.search != "euclid":
            raise ModelError("A beam needs a search by Euclidean distance.")
        if self.architecture not in ARCHITECTURES:
            raise ModelError(f"This eegzip does not know the architecture {self.architecture!r}; upgrade it.")
        if (self.architecture == "dac-mc") != (self.multichannel is not None):
            raise ModelError("The architecture 'dac-mc' needs an entry 'multichannel', and no other may have one.")
        if self.prior is not None and not re.fullmatch("[0-9a-f]{64}", self.prior):
            raise ModelError("The model's prior must be a SHA-256 of 64 hexadecimal digits.")
        if self.joint is not None:
            if self.architecture != "dac-sc":
                raise ModelError("A joint decoder is for models of single channels, 'dac-sc'.")
            self.joint.check(self.network)
        if self.multichannel is not None:
            self.multichannel.check(self.network.latent_width)
            by_recording = self.channel_coding is ChannelCoding.KLT
            if by_recording and not (self.network.direct_codebooks and self.network.linear_path):
                raise ModelError("A model of recordings needs a linear path and codebooks in its latents.")
            context = 2 * self.multichannel.encoder_reach
            if (self.window_frames + context) * self.network.hop > _MAX_WINDOW_SAMPLES:
                raise ModelError("The model's window_frames and the reach of its attention are out of range.")

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``config.json``, without its digest."""
        body = plain(asdict(self))
        if not self.scaling.highpass_hz:
            # Most models are older than this entry, and their digests don't count it.
            del body["scaling"]["highpass_hz"]
        if self.scaling.kind != "robust":
            del body["scaling"]["clamp"]  # likewise
        if self.multichannel is None:
            # Models of single channels are older than this entry, and their digests don't count it.
            del body["multichannel"]
        elif self.channel_coding is ChannelCoding.BY_NAME:
            # Likewise older than this one.
            del body["multichannel"]["styles"]
        if self.prior is None:
            del body["prior"]  # likewise
        if self.joint is None:
            del body["joint"]  # likewise
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **body}

    @classmethod
    def from_json(cls, data: object) -> ModelConfig:
        """Return the config read from a parsed ``config.json``, strictly.

        Parameters
        ----------
        data
            The JSON document; a ``digest`` in it is left to the caller.
        """
        if isinstance(data, dict) and "format" not in data and data.get("model_type") == "dac":
            raise ModelError(
                "This is DAC in the layout of Hugging Face's transformers; 'eegzip models import' makes a model of it."
            )
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ModelError('This is no eegzip model: its config.json lacks "format": "eegzip-model".')
        if data.get("format_version") != FORMAT_VERSION:
            raise ModelError("This model was written for another version of eegzip; upgrade eegzip.")
        body = {k: v for k, v in data.items() if k not in ("format", "format_version", "digest")}
        body["network"] = strict(NetworkConfig, body.get("network", {}), "network")
        body["scaling"] = strict(ScalingConfig, body.get("scaling", {}), "scaling")
        if "multichannel" in body:
            body["multichannel"] = strict(MultichannelConfig, body["multichannel"], "multichannel")
        if "joint" in body:
            body["joint"] = strict(JointConfig, body["joint"], "joint")
        config: ModelConfig = strict(cls, body, "config.json")
        config.check()
        return config


def bits_per_second(config: ModelConfig) -> float:
    """Return the bit rate of one stream of tokens at all codebooks.

    A frame is ``hop`` samples; each of its tokens takes ``log2(codebook_size)`` bits. A DAC-SC channel has a stream
    of its own; DAC-MC's channels of a group share one.

    Parameters
    ----------
    config
        The model's config.
    """
    shape = config.network
    return config.rate / shape.hop * shape.n_codebooks * math.log2(shape.codebook_size)
