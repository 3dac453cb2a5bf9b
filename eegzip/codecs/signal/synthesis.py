"""From tokens and scaling knots back to samples, for any stretch of time."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from eegzip.codecs.signal.analysis import read_extended, window_of
from eegzip.codecs.signal.resampling import Resampler
from eegzip.codecs.signal.scaling import AdaptiveScaling, FixedScaling, denormalise
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.errors import BadInputError

# The window in work and the one before it: a stretch of time needs a little of its neighbour's.
_WINDOWS_KEPT = 3
_MODEL_SAMPLES = 1 << 19
"""Of a waveform that are brought to its signal's rate at a time."""


class Decoder(Protocol):
    """The part of a codec runtime that turns tokens into windows of samples."""

    window_frames: int
    decoder_context: int
    causal: bool

    def decode(self, codes: np.ndarray, valid: tuple[int, int]) -> np.ndarray:
        """Return float32 samples [channels, n] of the inner frames of codes [groups, codebooks, frames].

        Frames outside `valid` do not exist.
        """

    def synthesise(self, latents: np.ndarray) -> np.ndarray:
        """Return float32 samples [channels, n] of the inner frames of latents [channels, D, frames]."""


class LatentSource(Protocol):
    """Where latents come from that are not the sum of codewords alone."""

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Latents [channels, D, frames]."""


class TokenSource(Protocol):
    """Where tokens and knots come from: an encoder at work, or a file."""

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Tokens [groups, codebooks, frames]."""

    def knots(self, start: int, stop: int) -> np.ndarray:
        """Scaling knots [channels, knots, 2]."""


class Synthesis:
    """Restored samples of channels that share a sample rate.

    Parameters
    ----------
    source : TokenSource
    grid : FrameGrid
        Where the frames lie.
    decoder : Decoder
        The network; it knows which channels each group gives.
    scaling : AdaptiveScaling or FixedScaling
    centres : ndarray of float, shape (channels,)
        As in :class:`~eegzip.codecs.signal.analysis.Analysis`.
    steps : ndarray of float, shape (waveforms,)
        Size of the offset codes of each waveform that the decoder gives.
    lowest, highest : ndarray of int, shape (channels,)
        Digital range of the original.
    rows : ndarray of float64, shape (channels, waveforms), optional
        What makes channels of waveforms, where these are components; else they are the channels.
    latents : LatentSource, optional
        Where latents come from in place of the source's tokens.
    """

    def __init__(
        self,
        source: TokenSource,
        grid: FrameGrid,
        decoder: Decoder,
        scaling: AdaptiveScaling | FixedScaling,
        centres: np.ndarray,
        steps: np.ndarray,
        lowest: np.ndarray,
        highest: np.ndarray,
        rows: np.ndarray | None = None,
        latents: LatentSource | None = None,
    ) -> None:
        self._source = source
        self._latents = latents
        self._grid = grid
        self._decoder = decoder
        self._scaling = scaling
        self._centres = np.asarray(centres, np.float64)[:, None]
        self._steps = np.asarray(steps, np.float64)
        self._lowest = np.asarray(lowest)[:, None]
        self._highest = np.asarray(highest)[:, None]
        self._rows = rows
        self._resampler = Resampler(grid.down, grid.up)
        self._size = window_of(grid.n_frames, decoder)
        self._windows: Recent[int, tuple[int, np.ndarray]] = Recent(_WINDOWS_KEPT)

    def _window(self, window: int) -> tuple[int, np.ndarray]:
        """First model sample of a window inside the recording, and its samples [channels, n]."""
        return self._windows.get(window, self._made)

    def _made(self, window: int) -> tuple[int, np.ndarray]:
        grid, context, size = self._grid, self._decoder.decoder_context, self._size
        first, stop = window * size, min((window + 1) * size, grid.n_frames)
        low, high = max(first - context, 0), min(first + size + context, grid.n_frames)
        # Always one shape: what lies outside the recording is marked as absent.
        before = low - (first - context)
        after = first + size + context - high
        outside = ((0, 0), (0, 0), (before, after))
        if self._latents is None:
            codes = np.pad(self._source.frames(low, high), outside)
            samples = self._decoder.decode(codes, (before, codes.shape[2] - after))
        else:
            samples = self._decoder.synthesise(np.pad(self._latents.frames(low, high), outside))
        begin, end = grid.model_range(first, stop)
        origin = first * grid.hop - grid.hop // 2
        samples = samples[:, begin - origin : end - origin]
        if isinstance(self._scaling, AdaptiveScaling):
            knots = grid.knots_of_frames(first, stop, self._scaling.spacing)
            offset, scale = self._scaling.curves(self._source.knots(*knots), knots[0], begin, end, self._steps)
        else:
            offset, scale = self._scaling.curves(begin, end)
        values = denormalise(samples, offset, scale)
        if self._rows is not None:
            # Here, as it needs numba, which takes a while to load.
            from eegzip.formats.fixed_order import product

            values = product(self._rows, values)
        # float32 holds 24 bits, as many as the widest samples have; it halves the memory.
        narrow = values.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise BadInputError("tokens and knots make a waveform without finite values; model or file is damaged.")
        return begin, narrow

    def _model_samples(self, start: int, stop: int) -> np.ndarray:
        """Restored samples at the model's rate, for places inside the recording."""
        grid, size = self._grid, self._size
        pieces = []
        window = grid.frame_of_model_sample(start) // size
        while start < stop:
            begin, samples = self._window(window)
            piece = samples[:, start - begin : stop - begin]
            pieces.append(piece)
            start += piece.shape[1]
            window += 1
        return np.concatenate(pieces, axis=1)

    def values(self, start: int, stop: int) -> np.ndarray:
        """Restored values of the samples from `start` up to `stop`, in digital units before rounding, float64."""
        result = np.zeros((len(self._centres), max(stop - start, 0)))
        # A model may be thousands of times as fast as its signal: not all of its waveform at once, but each piece far
        # longer than what it takes of those beside it.
        most = max(_MODEL_SAMPLES, 4 * self._resampler.reach // self._resampler.up)
        count = max(1, most * self._grid.down // self._grid.up)
        for begin in range(start, stop, count):
            end = min(begin + count, stop)
            first, last = self._resampler.input_range(begin, end)
            model = read_extended(self._model_samples, first, last, self._grid.n_model_samples)
            result[:, begin - start : end - start] = self._resampler.resample(model, first, begin, end) + self._centres
        return result

    def digital(self, start: int, stop: int) -> np.ndarray:
        """Restored digital values of the samples from `start` up to `stop`, shape (channels, samples), int32."""
        return np.clip(np.rint(self.values(start, stop)), self._lowest, self._highest).astype(np.int32)
