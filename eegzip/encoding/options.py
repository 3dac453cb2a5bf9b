"""Options of a compression, checked once; and what they mean for a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ChannelCoding, ModelConfig
from eegzip.encoding.quality import quality_of
from eegzip.formats.edf.kinds import TELLABLE
from eegzip.formats.eegz.header import ORDINARY_LEVEL, Targets
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.packed import bits_per_token

DEFAULT_CHUNK_SECONDS = 60.0
LOSSLESS_CHUNK_SECONDS = 120.0
"""Prediction begins anew in every chunk, so longer ones are smaller."""

ORDINARY_BITS = 384.0
"""A second and channel, in a full group and before entropy coding; see :func:`ordinary_depth`."""


LEVELS = range(1, 10)
LONG_LEVEL = 8
LONG_CHUNK_SECONDS = 300.0
"""From this level on what was learnt of a signal lasts longer, at the price of reading and losing longer chunks."""


@dataclass(frozen=True)
class CompressionOptions:
    """What :func:`eegzip.compress` was asked for; made by :meth:`checked`.

    Parameters
    ----------
    model : str, path-like or None
        ``None`` for the default model.
    models : mapping of str to str or path-like
        Models of kinds of signals that have one of their own.
    codebooks : int or None
        ``None`` for as many as the model or the bit rate suggests; how many there are only the model knows.
    bitrate : float or None
        Bits of tokens a second and signal.
    rate : Fraction, 'native' or None
        Sample rate in Hz at which the network sees signals; ``None`` for the model's own.
    scaling : 'adaptive', 'fixed' or None
        ``None`` for the model's own.
    fixed_limit_uv : float or None
        Amplitude in uV of fixed scaling, where that is asked for.
    groups : str or None
        A way of dividing channels or the path of a file; ``None`` for the model's own way.
    lossy, exact : tuple of str
        Patterns for labels; `exact` holds one for all where everything is to be kept exactly.
    kinds : tuple of (str, str)
        Patterns for labels, and what kind of signals they name.
    targets : Targets or None
        Bounds on errors.
    tokens : bool
        Whether signals that are coded lossily get tokens of a network.
    wants_tokens : bool
        Whether tokens were asked for, and are not just what is done where nothing is asked for.
    lossless : bool
    level : int or None
        How hard to try to make what is kept exactly small; ``None`` for the ordinary level.
    chunk_seconds : float or None
        Wanted length of a chunk.
    device : str
    """

    model: str | Path | None
    models: Mapping[str, str | Path]
    codebooks: int | None
    bitrate: float | None
    rate: Fraction | Literal["native"] | None
    scaling: Literal["adaptive", "fixed"] | None
    fixed_limit_uv: float | None
    groups: str | None
    lossy: tuple[str, ...]
    exact: tuple[str, ...]
    kinds: tuple[tuple[str, str], ...]
    targets: Targets | None
    tokens: bool
    wants_tokens: bool
    lossless: bool
    level: int | None
    chunk_seconds: float | None
    device: str

    @classmethod
    def checked(
        cls,
        *,
        model: str | Path | Mapping[str, str | Path] | None = None,
        codebooks: int | None = None,
        bitrate: float | None = None,
        rate: float | str | None = None,
        scaling: str | None = None,
        groups: str | Path | None = None,
        lossy: Sequence[str] = (),
        exact: Sequence[str] = (),
        kinds: Mapping[str, str] | None = None,
        max_error: float | str | None = None,
        max_prd: float | None = None,
        min_snr: float | None = None,
        quality: str | None = None,
        keep_tokens: bool = False,
        lossless: bool = False,
        level: int | None = None,
        chunk_seconds: float | None = None,
        device: str = "cpu",
    ) -> CompressionOptions:
        """Check the keywords of :func:`eegzip.compress`, as far as that takes neither model nor recording.

        Raises
        ------
        UsageError
            An option makes no sense, or some contradict one another.
        """
        wanted = quality_of(quality, max_error, max_prd, min_snr, keep_tokens=keep_tokens)
        network = {"codebooks": codebooks, "bitrate": bitrate, "rate": rate, "scaling": scaling, "groups": groups}
        bounds = {"max-error": max_error, "max-prd": max_prd, "min-snr": min_snr, "keep-tokens": keep_tokens or None}
        if lossless or wanted.exact:
            preset = {"quality": None if wanted.exact else quality}
            _refuse_together("--lossless" if lossless else "--quality archive", {**network, **bounds, **preset})
        elif wanted.targets is not None and not wanted.keep_tokens:
            _refuse_together("a bound on the error", network, " (--keep-tokens would store the network's tokens, too)")
        lossless = lossless or wanted.exact
        _refuse_level(level, lossless=lossless)
        if chunk_seconds is not None and not (chunk_seconds > 0):
            raise UsageError(f"a chunk must be longer than 0 seconds, not {chunk_seconds:g}.")
        if bitrate is not None and not 0 < bitrate < math.inf:
            raise UsageError(f"a bit rate must be larger than 0 bit/s, not {bitrate:g}.")
        kind, limit = _scaling(scaling)
        models = {"eeg": model} if isinstance(model, (str, Path)) else dict(model or {})
        for known in (*models, *(kinds or {}).values()):
            if known not in TELLABLE:
                raise UsageError(f"'{known}' is no kind of signal; there are {', '.join(TELLABLE)}.")
        return cls(
            model=models.pop("eeg", None),
            models=models,
            codebooks=codebooks,
            bitrate=bitrate,
            rate=_rate(rate),
            scaling=kind,
            fixed_limit_uv=limit,
            groups=None if groups is None else str(groups),
            lossy=tuple(lossy),
            exact=("*",) if lossless else tuple(exact),
            kinds=tuple((kinds or {}).items()),
            targets=wanted.targets,
            tokens=wanted.targets is None or wanted.keep_tokens,
            wants_tokens=quality == "tokens"
            or keep_tokens
            or (wanted.targets is None and any(wish is not None for wish in (model, codebooks, bitrate, groups))),
            lossless=lossless,
            level=None if level == ORDINARY_LEVEL else level,
            chunk_seconds=chunk_seconds,
            device=device,
        )

    def exactly(self) -> CompressionOptions:
        """Return these options, but with everything kept exactly."""
        return replace(self, exact=("*",), targets=None, tokens=True, lossless=True)


@dataclass(frozen=True)
class CodecChoice:
    """The network to use and how; made by :func:`choose`.

    Parameters
    ----------
    checkpoint : Checkpoint
    codebooks : int
        Levels stored.
    rate : Fraction or None
        Sample rate that signals are resampled to; ``None`` keeps each signal's own.
    fixed_limit_uv : float or None
        Amplitude for fixed scaling; ``None`` for any other.
    robust : bool
        Whether each signal has a scale of its own for the whole recording, from its interquartile range.
    groups : str
        How channels are divided into groups: ``manual``, ``random``, ``single`` or the path of a file; always
        ``single`` with a model that codes every channel alone.
    alone : bool
        Whether every signal is decoded from its own tokens, without a joint decoder: of kinds other than EEG.
    """

    checkpoint: Checkpoint
    codebooks: int
    rate: Fraction | None
    fixed_limit_uv: float | None
    robust: bool = False
    groups: str = "single"
    alone: bool = False

    @property
    def steady(self) -> bool:
        """Whether a signal has one scale throughout, fixed or robust; else it is adaptive."""
        return self.robust or self.fixed_limit_uv is not None

    @property
    def config(self) -> ModelConfig:
        """What the checkpoint says of itself."""
        return self.checkpoint.config

    @property
    def highpass_hz(self) -> float | None:
        """Corner of the high-pass filter that the network was trained behind, in Hz; ``None`` where there was none."""
        return self.config.scaling.highpass_hz or None if self.steady else None


def ordinary_depth(config: ModelConfig) -> int:
    """Return how many codebooks are used where nobody says: those that cost at most 384 bit/s a channel, packed.

    That is where errors of ordinary EEG come under a tenth of the signal. What lies above is for those who ask.
    """
    return max(1, min(config.network.n_codebooks, int(ORDINARY_BITS / _bits_of_level(config))))


def depth_for_bitrate(config: ModelConfig, bitrate: float) -> int:
    """Return how many codebooks are used where bits a second are asked for: all, as far as they are worth it.

    Of components it says how loud their error will be, about, and so how finely a rotation is worth rounding.
    """
    most = config.network.n_codebooks
    if config.channel_coding is not ChannelCoding.KLT:
        return most
    return max(1, min(most, round(min(bitrate, ORDINARY_BITS) / _bits_of_level(config))))


def _bits_of_level(config: ModelConfig) -> float:
    """Bits a second and channel, packed, of each codebook."""
    network = config.network
    channels = 1 if config.adapters is None else config.adapters.max_channels
    return bits_per_token(network.codebook_size) * config.rate / (network.hop * channels)


def choose(checkpoint: Checkpoint, options: CompressionOptions) -> CodecChoice:
    """Check the options that concern the network against a model.

    Raises
    ------
    UsageError
        The model has not so many codebooks, its own rate can't be used, or groups are asked for of a model that codes
        every channel alone.
    """
    config = checkpoint.config
    available = config.network.n_codebooks
    if options.codebooks is not None:
        codebooks = options.codebooks
    elif options.bitrate is not None:
        codebooks = depth_for_bitrate(config, options.bitrate)
    else:
        codebooks = ordinary_depth(config)
    if not 1 <= codebooks <= available:
        raise UsageError(f"the model {config.name} has {available} codebooks; {codebooks} can't be used.")
    rate = _rate(config.rate) if options.rate is None else options.rate
    limit = options.fixed_limit_uv
    if options.scaling is None and config.scaling.kind == "fixed":
        limit = config.scaling.limit_uv
    return CodecChoice(
        checkpoint,
        codebooks,
        None if rate == "native" else rate,
        limit,
        robust=options.scaling is None and config.scaling.kind == "robust",
        groups=_groups(options.groups, config),
    )


def _groups(groups: str | None, config: ModelConfig) -> str:
    if config.multichannel is None:
        if groups is not None and groups != "single":
            raise UsageError(
                f"the model {config.name} codes every channel alone ({config.architecture}), so it has no groups "
                f"'{groups}'; name a model of groups (dac-mc) with --model, or leave --groups out."
            )
        return "single"
    return config.multichannel.groups if groups is None else groups


def _refuse_level(level: int | None, *, lossless: bool) -> None:
    if level is None:
        return
    if isinstance(level, bool) or level not in LEVELS:
        raise UsageError(f"there is no level {level}; take one from 1, the fastest, to 9, the smallest.")
    if not lossless:
        raise UsageError(f"a level (-{level}) is of --lossless; name it too, or leave the level out.")


def _refuse_together(wish: str, others: Mapping[str, object], way_out: str = "") -> None:
    """Refuse options that a wish leaves without effect."""
    for name, value in others.items():
        if value is not None:
            what = "keeps every sample as it is" if "bound" not in wish else "is met without the network"
            raise UsageError(f"{wish} {what}, so --{name} would change nothing; leave one of the two out{way_out}.")


def _rate(rate: float | str | None) -> Fraction | Literal["native"] | None:
    if rate is None:
        return None
    if rate == "native":
        return "native"
    try:
        value = Fraction(rate).limit_denominator(1000)
    except (ValueError, OverflowError, TypeError) as error:
        raise UsageError(f"the rate '{rate}' is neither 'native' nor a number of Hz.") from error
    if not 64 <= value <= 65536:
        raise UsageError(f"a rate of {float(value):g} Hz is not between 64 and 65536 Hz.")
    return value


def _scaling(scaling: str | None) -> tuple[Literal["adaptive", "fixed"] | None, float | None]:
    """Kind of scaling, and the limit of a fixed one in uV."""
    if scaling is None:
        return None, None
    if scaling == "adaptive":
        return "adaptive", None
    kind, _, amount = scaling.partition(":")
    try:
        limit = float(amount.lower().replace("µ", "u").removesuffix("uv"))
    except ValueError:
        limit = 0.0
    if kind != "fixed" or not 0 < limit < 1e9:
        raise UsageError(f"the scaling '{scaling}' is neither 'adaptive' nor of the form 'fixed:200uV'.")
    return "fixed", limit
