"""Sets encoders to aim at a number of bits a second: looks at some windows of the recording first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.checkpoints.checkpoint import read_prior
from eegzip.codecs.signal.components import UNIT
from eegzip.codecs.stream_batch import Bank
from eegzip.formats.eegz.header import FileHeader

if TYPE_CHECKING:
    from eegzip.codecs.quantisation.rate_search import RateSearch
    from eegzip.codecs.runtime import CodecRuntime
    from eegzip.codecs.signal.analysis import Analysis, Chooser

_WINDOWS = 3
_QUIETEST = 1e-12


def aim(header: FileHeader, runtime: CodecRuntime, banks: Sequence[tuple[Bank, Analysis]], bitrate: float) -> None:
    """Make encoders choose tokens that take so many bits a second, a mean over the signals of each bank.

    Parameters
    ----------
    header : FileHeader
    runtime : CodecRuntime
    banks : sequence of (Bank, Analysis)
    bitrate : float
        Bits of tokens a second and signal.

    Raises
    ------
    UsageError
        The model can't.
    """
    # Here, as it takes torch and numba.
    from eegzip.encoding.rate_control import Excerpt, rate_search, slope_for

    config = runtime.checkpoint.config
    prior = read_prior(runtime.checkpoint.folder, config.prior) if config.prior else None
    search = rate_search(runtime, prior)
    for bank, analysis in banks:
        rate = header.signals[bank.signals[0]].sample_rate or 1.0
        grid = header.grid(bank.groups[0])
        per_frame = bitrate * len(bank.signals) / len(bank.groups) * grid.hop * grid.down / (rate * grid.up)
        windows = np.unique(np.linspace(0, analysis.n_windows - 1, _WINDOWS).astype(int))
        looks = [analysis.look(int(window)) for window in windows]
        if bank.mixture is None:
            weights = _weigher([len(header.groups[group].signals) for group in bank.groups], looks)
        else:
            weights = _of_components
        excerpts = [Excerpt(latents.transpose(0, 2, 1), weights(scales), codes) for codes, latents, scales in looks]
        slope = slope_for(search, excerpts, per_frame)
        analysis.choose = _chooser(search, weights, slope)


def _weigher(
    sizes: Sequence[int], looks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> Callable[[np.ndarray], np.ndarray]:
    """What a squared error in each group's latents counts, by the scales [channels, frames] of its channels.

    It is relative to what each channel's latents are worth at its scales, the mean of all looks.
    """
    starts = np.cumsum([0, *sizes[:-1]])
    worth = np.concatenate(
        [np.repeat(np.square(latents).sum(axis=1), sizes, axis=0) * np.square(scales) for _, latents, scales in looks],
        axis=1,
    ).mean(axis=1, keepdims=True)

    def weights(scales: np.ndarray) -> np.ndarray:
        relative = np.square(scales) / np.maximum(worth, _QUIETEST)
        shared: np.ndarray = np.add.reduceat(relative, starts) / np.array(sizes)[:, None]
        return shared

    return weights


def _of_components(scales: np.ndarray) -> np.ndarray:
    """What a squared error in each component's latents counts: all are of channels relative to their levels."""
    return np.square(scales / UNIT)


def _chooser(search: RateSearch, weights: Callable[[np.ndarray], np.ndarray], slope: float) -> Chooser:
    def choose(codes: np.ndarray, latents: np.ndarray, scales: np.ndarray) -> np.ndarray:
        return search(latents.transpose(0, 2, 1), weights(scales), codes, slope)

    return choose
