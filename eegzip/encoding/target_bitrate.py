"""Rate control for a target bit rate: one slope of error against bits, for all channels and the whole recording.

Errors count relative to each channel's own level, so that one slope, the Lagrange multiplier, gives all channels the
error in percent that their bits are worth. Where a recording is quiet or its neighbours tell what it does, bits are
saved; they go where they lower the error most. The multiplier is found in some windows of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eegzip.codecs.checkpoints.checkpoint import read_prior
from eegzip.codecs.quantisation.rate_search import RateSearch
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.signal.analysis import Analysis, Chooser
from eegzip.codecs.signal.klt import UNIT
from eegzip.codecs.stream_batch import StreamBatch
from eegzip.codecs.types import WindowAnalysis
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.errors import UsageError
from eegzip.formats.tokens.search.references import plan_streams
from eegzip.formats.tokens.stream import encode_stream
from eegzip.formats.tokens.tables import TokenPrior

_WINDOWS = 3
_STEPS = 6
_TOLERANCE = 0.01
_TOKEN_BITS = 6.0
"""About what a token takes; only a first guess rests on it."""

_TINY = 1e-12

Weigher = Callable[[np.ndarray], np.ndarray]
"""What a squared error in each group's latents counts [groups, frames], by the scales [channels, frames] there."""


class TargetBitrate:
    """Chooses tokens that take so many bits a second, a mean over the signals of each batch.

    Parameters
    ----------
    header : FileHeader
    runtime : CodecRuntime
    bitrate : float
        Bits of tokens a second and signal.

    Raises
    ------
    UsageError
        The model has no prior, or codebooks that lie elsewhere than its latents.
    """

    def __init__(self, header: FileHeader, runtime: CodecRuntime, bitrate: float) -> None:
        self._header = header
        self._bitrate = bitrate
        self._search = _rate_search(runtime)

    def chooser(self, batch: StreamBatch, analysis: Analysis) -> Chooser:
        """Return what chooses the tokens of a batch, as some windows of an analysis without one suggest."""
        header, search = self._header, self._search
        rate = header.signals[batch.signals[0]].sample_rate or 1.0
        grid = header.grid(batch.groups[0])
        per_frame = self._bitrate * len(batch.signals) / len(batch.groups) * grid.hop * grid.down / (rate * grid.up)
        windows = analysis.probe(_WINDOWS)
        weigh: Weigher
        if batch.klt is None:
            weigh = _weigher([len(header.groups[group].signals) for group in batch.groups], windows)
        else:
            weigh = _of_components
        multiplier = multiplier_for(search, [_excerpt(window, weigh) for window in windows], per_frame)

        def choose(window: WindowAnalysis) -> np.ndarray:
            item = _excerpt(window, weigh)
            return search(item.latents, item.weights, item.codes, multiplier)

        return choose


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


def _excerpt(window: WindowAnalysis, weigh: Weigher) -> Excerpt:
    return Excerpt(window.latents.transpose(0, 2, 1), weigh(window.scales), window.codes)


def _rate_search(runtime: CodecRuntime) -> RateSearch:
    config = runtime.checkpoint.config
    prior = read_prior(runtime.checkpoint.folder, config.prior) if config.prior else None
    if prior is None or not config.network.direct_codebooks:
        raise UsageError(
            f"the model '{config.name}' can't aim at a number of bits: it has no prior, or codebooks of another kind. "
            "Choose a number of codebooks instead."
        )
    return RateSearch(prior, runtime.codebooks, config.beam)


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


def multiplier_for(search: RateSearch, excerpts: Sequence[Excerpt], bits_per_frame: float) -> float:
    """Return the Lagrange multiplier at which excerpts take so many bits a frame, or as near as their tokens allow.

    Parameters
    ----------
    search : RateSearch
    excerpts : sequence of Excerpt
    bits_per_frame : float
        Mean over all streams.
    """
    frames = sum(excerpt.weights.size for excerpt in excerpts)
    target = bits_per_frame
    gains = _gains(search, excerpts)
    for _ in range(_STEPS):
        # As a float32: the last bits of logarithms are the processor's, and should decide no token.
        multiplier = float(np.float32(_multiplier_at(gains, target)))
        found = (search(item.latents, item.weights, item.codes, multiplier) for item in excerpts)
        taken = sum(coded_bits(search.prior, list(codes)) for codes in found) / frames
        if abs(taken / bits_per_frame - 1) < _TOLERANCE:
            break
        # The curve is that of tokens of one multiplier; the search is off it by a factor that changes little.
        target *= min(max(bits_per_frame / taken, 0.5), 2.0)
    return multiplier


def _gains(search: RateSearch, excerpts: Sequence[Excerpt]) -> np.ndarray:
    """How much error each level of the tokens of least error takes away for a bit: falling, shape (K,)."""
    lost = np.zeros(excerpts[0].codes.shape[1] + 1)
    for item in excerpts:
        rest = item.latents.astype(np.float64)
        lost[0] += (item.weights * np.square(rest).sum(axis=2)).sum()
        for level in range(item.codes.shape[1]):
            rest -= search.codewords(level, item.codes[:, level])
            lost[level + 1] += (item.weights * np.square(rest).sum(axis=2)).sum()
    frames = sum(item.weights.size for item in excerpts)
    gains = np.maximum(-np.diff(lost), _TINY) / (frames * _TOKEN_BITS)
    return np.asarray(np.minimum.accumulate(gains))


def _multiplier_at(gains: np.ndarray, bits: float) -> float:
    """What a bit is worth where frames have so many, on a line through the logarithms of the levels' gains."""
    level = bits / _TOKEN_BITS - 0.5
    logs = np.log(gains)
    last = len(logs) - 1
    if not 0 <= level <= last and last:
        end = 0 if level < 0 else last - 1
        return float(np.exp(logs[end] + (level - end) * (logs[end + 1] - logs[end])))
    return float(np.exp(np.interp(level, np.arange(len(logs)), logs)))


def _weigher(sizes: Sequence[int], windows: Sequence[WindowAnalysis]) -> Weigher:
    """What a squared error in each group's latents counts, by the scales [channels, frames] of its channels.

    It is relative to what each channel's latents are worth at its scales, the mean of all windows.
    """
    starts = np.cumsum([0, *sizes[:-1]])
    energies = [
        np.repeat(np.square(window.latents).sum(axis=1), sizes, axis=0) * np.square(window.scales) for window in windows
    ]
    worth = np.concatenate(energies, axis=1).mean(axis=1, keepdims=True)

    def weights(scales: np.ndarray) -> np.ndarray:
        relative = np.square(scales) / np.maximum(worth, _TINY)
        shared: np.ndarray = np.add.reduceat(relative, starts) / np.array(sizes)[:, None]
        return shared

    return weights


def _of_components(scales: np.ndarray) -> np.ndarray:
    """What a squared error in each component's latents counts: all are of channels relative to their levels."""
    return np.square(scales / UNIT)
