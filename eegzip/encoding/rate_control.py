"""Aims at a number of bits a second: the one slope of error against bits, for all channels and the whole recording.

Errors count relative to each channel's own level, so that one slope gives all channels the error in percent that their
bits are worth. Where a recording is quiet or its neighbours tell what it does, bits are saved; they go where they lower
the error most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from eegzip.codecs.quantisation.rate_search import RateSearch
from eegzip.codecs.runtime import CodecRuntime
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.search.references import plan_streams
from eegzip.formats.tokens.stream import encode_stream
from eegzip.formats.tokens.tables import TokenPrior

_STEPS = 6
_NEAR = 0.01
_TOKEN_BITS = 6.0
"""About what a token takes; only a first guess rests on it."""

_TINY = 1e-12


@dataclass(frozen=True)
class Excerpt:
    """A window of the recording as the search wants it.

    Attributes
    ----------
    latents : ndarray, shape (streams, frames, D)
    weights : ndarray, shape (streams, frames)
    codes : ndarray, shape (streams, codebooks, frames)
        Tokens of least error.
    """

    latents: np.ndarray
    weights: np.ndarray
    codes: np.ndarray


def rate_search(runtime: CodecRuntime, prior: TokenPrior | None) -> RateSearch:
    """Return the search for a model.

    Raises
    ------
    UsageError
        The model has no prior, or codebooks that lie elsewhere than its latents.
    """
    config = runtime.checkpoint.config
    if prior is None or not config.network.direct_codebooks:
        raise UsageError(
            f"the model '{config.name}' can't aim at a number of bits: it has no prior, or codebooks of another kind. "
            "Choose a number of codebooks instead."
        )
    with torch.inference_mode():
        books = torch.stack([quantizer.codebook.weight for quantizer in runtime.network.quantizer.quantizers])
    return RateSearch(prior, books.cpu().numpy(), config.beam)


def coded_bits(prior: TokenPrior, codes: Sequence[np.ndarray]) -> int:
    """Bits of the streams of one grid of frames, in context."""
    return 8 * sum(
        len(
            encode_stream(
                prior,
                codes[plan.place],
                plan.parameters,
                [codes[other] for other in plan.parameters.references],
                plan.weights,
            )
        )
        for plan in plan_streams(prior, codes)
    )


def slope_for(search: RateSearch, excerpts: Sequence[Excerpt], bits_per_frame: float) -> float:
    """Return the slope at which excerpts take so many bits a frame, or as near as their tokens allow.

    Parameters
    ----------
    search : RateSearch
    excerpts : sequence of Excerpt
    bits_per_frame : float
        Mean over all streams.
    """
    frames = sum(excerpt.weights.size for excerpt in excerpts)
    aimed = bits_per_frame
    gains = _gains(search, excerpts)
    for _ in range(_STEPS):
        # As a float32: the last bits of logarithms are the processor's, and should decide no token.
        slope = float(np.float32(_slope_at(gains, aimed)))
        found = (search(item.latents, item.weights, item.codes, slope) for item in excerpts)
        taken = sum(coded_bits(search.prior, list(codes)) for codes in found) / frames
        if abs(taken / bits_per_frame - 1) < _NEAR:
            break
        # The curve is that of tokens of one price; the search is off it by a factor that changes little.
        aimed *= min(max(bits_per_frame / taken, 0.5), 2.0)
    return slope


def _gains(search: RateSearch, excerpts: Sequence[Excerpt]) -> np.ndarray:
    """How much error each level of the tokens of least error takes away for a bit: falling, shape (K,)."""
    lost = np.zeros(excerpts[0].codes.shape[1] + 1)
    for item in excerpts:
        rest = item.latents.astype(np.float64)
        lost[0] += (item.weights * np.square(rest).sum(axis=2)).sum()
        for level in range(item.codes.shape[1]):
            rest -= search.words(level, item.codes[:, level])
            lost[level + 1] += (item.weights * np.square(rest).sum(axis=2)).sum()
    frames = sum(item.weights.size for item in excerpts)
    gains = np.maximum(-np.diff(lost), _TINY) / (frames * _TOKEN_BITS)
    return np.asarray(np.minimum.accumulate(gains))


def _slope_at(gains: np.ndarray, bits: float) -> float:
    """What a bit is worth where frames have so many, on a line through the logarithms of the levels' gains."""
    level = bits / _TOKEN_BITS - 0.5
    logs = np.log(gains)
    last = len(logs) - 1
    if not 0 <= level <= last and last:
        end = 0 if level < 0 else last - 1
        return float(np.exp(logs[end] + (level - end) * (logs[end + 1] - logs[end])))
    return float(np.exp(np.interp(level, np.arange(len(logs)), logs)))
