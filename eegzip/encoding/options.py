"""Which network a user's options ask for, and how it is to be used."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ChannelCoding, ModelConfig
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.packed import bits_per_token

ORDINARY_BITS = 384.0
"""A second and channel, in a full group and before entropy coding; see :func:`ordinary_depth`."""


@dataclass(frozen=True)
class CodecChoice:
    """The network to use and how.

    Parameters
    ----------
    config : ModelConfig
        Of the checkpoint.
    digest : str
        Of the checkpoint.
    codebooks : int
        Levels stored.
    rate : Fraction or None
        Sample rate that signals are resampled to; ``None`` keeps each signal's own.
    fixed_limit_uv : float or None
        Amplitude for fixed scaling; ``None`` for adaptive scaling.
    groups : str
        How channels are divided into groups: ``manual``, ``random``, ``single`` or the path of a file; always
        ``single`` with a model that codes every channel alone.
    """

    config: ModelConfig
    digest: str
    codebooks: int
    rate: Fraction | None
    fixed_limit_uv: float | None
    groups: str = "single"


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


def choose(
    checkpoint: Checkpoint,
    codebooks: int | None,
    rate: float | str | None,
    scaling: str | None,
    groups: str | Path | None = None,
) -> CodecChoice:
    """Check the options of :func:`eegzip.compress` that concern the network.

    Raises
    ------
    UsageError
        The model has not so many codebooks, a rate or scaling makes no sense, or groups are asked for of a model
        that codes every channel alone.
    """
    config = checkpoint.config
    available = config.network.n_codebooks
    wanted = ordinary_depth(config) if codebooks is None else codebooks
    if not 1 <= wanted <= available:
        raise UsageError(f"the model {config.name} has {available} codebooks; {wanted} can't be used.")
    return CodecChoice(
        config,
        checkpoint.digest,
        wanted,
        _rate(rate, config.rate),
        _fixed_limit(scaling, config),
        _groups(groups, config),
    )


def _groups(groups: str | Path | None, config: ModelConfig) -> str:
    if config.multichannel is None:
        if groups is not None and str(groups) != "single":
            raise UsageError(
                f"the model {config.name} codes every channel alone ({config.architecture}), so it has no groups "
                f"'{groups}'; name a model of groups (dac-mc) with --model, or leave --groups out."
            )
        return "single"
    return config.multichannel.groups if groups is None else str(groups)


def _rate(rate: float | str | None, model_rate: float) -> Fraction | None:
    if rate == "native":
        return None
    try:
        value = Fraction(model_rate if rate is None else rate).limit_denominator(1000)
    except (ValueError, OverflowError, TypeError) as error:
        raise UsageError(f"the rate '{rate}' is neither 'native' nor a number of Hz.") from error
    if not 64 <= value <= 65536:
        raise UsageError(f"a rate of {float(value):g} Hz is not between 64 and 65536 Hz.")
    return value


def _fixed_limit(scaling: str | None, config: ModelConfig) -> float | None:
    if scaling is None:
        return config.scaling.limit_uv if config.scaling.kind == "fixed" else None
    if scaling == "adaptive":
        return None
    kind, _, amount = scaling.partition(":")
    try:
        limit = float(amount.lower().replace("µ", "u").removesuffix("uv"))
    except ValueError:
        limit = 0.0
    if kind != "fixed" or not 0 < limit < 1e9:
        raise UsageError(f"the scaling '{scaling}' is neither 'adaptive' nor of the form 'fixed:200uV'.")
    return limit
