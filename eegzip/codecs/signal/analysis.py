"""From the samples of a recording to tokens and scaling knots, on a grid that knows nothing of chunks.

The network always sees windows of one length at fixed places of the recording, with as much context on
either side as it can see. So a frame's tokens depend on the recording alone: not on the chunk length, not on
what is asked for first, not on how many channels are done together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from eegzip.codecs.signal.klt import KltComponents
from eegzip.codecs.signal.resampling import Resampler
from eegzip.codecs.signal.scaling import AdaptiveScaling, FixedScaling, nearest_scale_code, normalise
from eegzip.codecs.types import WindowAnalysis
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.tokens.packed import ABSENT


def window_size(n_frames: int, longest: int) -> int:
    """Frames of each window of a recording: as few windows as `longest` allows, all of one size.

    It follows from the length of the recording alone, and a short recording costs no more than it needs.
    """
    windows = max(-(-n_frames // longest), 1)
    return max(-(-n_frames // windows), 1)


def window_of(n_frames: int, network: Windowed) -> int:
    """Frames of each window of a recording that a network sees in windows.

    A causal one has them at places that don't depend on where the recording ends: it may not have ended yet.
    """
    if network.causal:
        return min(max(n_frames, 1), network.window_frames)
    return window_size(n_frames, network.window_frames)


SampleReader = Callable[[int, int], np.ndarray]
"""Gives the digital values [channels, stop - start] of the samples from start up to stop."""


class Windowed(Protocol):
    """What sees recordings in windows."""

    window_frames: int
    causal: bool


class Encoder(Protocol):
    """The part of a codec runtime that turns windows of samples into tokens."""

    n_groups: int
    window_frames: int
    encoder_context: int
    decoder_context: int
    causal: bool

    def encode(
        self,
        samples: np.ndarray,
        n_codebooks: int | None = None,
        multipliers: np.ndarray | None = None,
        missing: int = 0,
    ) -> np.ndarray:
        """Return uint16 codes [groups, codebooks, frames] of windows with `encoder_context` frames on each side.

        With `multipliers` [groups, frames], none but those that take so much squared error away. `missing` frames of
        the context before lie before the recording.
        """

    def encode_with_latents(
        self, samples: np.ndarray, n_codebooks: int | None = None, missing: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the codes and the latents [groups, D, frames] that they stand for."""


Chooser = Callable[[WindowAnalysis], np.ndarray]
"""Gives the codes [groups, codebooks, frames] that are to be stored of a window."""


def mirror_indices(total: int, start: int, stop: int) -> np.ndarray:
    """Indices into a signal of `total` samples for the places [start, stop), mirrored at its first and last sample."""
    if total == 1:
        return np.zeros(stop - start, dtype=np.int64)
    period = 2 * (total - 1)
    where = np.arange(start, stop) % period
    return np.minimum(where, period - where)


def read_extended(read: SampleReader, start: int, stop: int, total: int) -> np.ndarray:
    """Read samples from `start` up to `stop`, holding the first and last value beyond the ends."""
    low, high = min(max(start, 0), total - 1), max(min(stop, total), 1)
    inner = read(low, high)
    return np.pad(inner, ((0, 0), (low - start if start < low else 0, max(stop - high, 0))), mode="edge")


class Analysis:
    """Tokens and knots of groups of channels that share a sample rate.

    Parameters
    ----------
    read : callable
        Gives digital values [channels, samples], the channels group after group.
    grid : FrameGrid
        Where the frames lie.
    encoder : Encoder
        The network; it knows which channels are a group.
    scaling : AdaptiveScaling or FixedScaling
    centres : ndarray of float, shape (channels,)
        Subtracted from each channel's digital values.
    steps : ndarray of float, shape (channels,)
        Size of the offset codes (adaptive scaling only).
    codebooks : int
        Levels wanted; of components, the most that a frame may have.
    components : KltComponents, optional
        What is coded in place of the channels, with adaptive scaling: from here on, they are the channels.
    choose : callable, optional
        See :data:`Chooser`. Without one the codes of least error are stored; of components, those that are worth it at
        their multiplier.

    Attributes
    ----------
    window_frames, n_windows : int
        Frames of each window, and windows.
    """

    def __init__(
        self,
        read: SampleReader,
        grid: FrameGrid,
        encoder: Encoder,
        scaling: AdaptiveScaling | FixedScaling,
        centres: np.ndarray,
        steps: np.ndarray,
        codebooks: int,
        components: KltComponents | None = None,
        choose: Chooser | None = None,
    ) -> None:
        self._read = read
        self._grid = grid
        self._encoder = encoder
        self._scaling = scaling
        self._centres = np.asarray(centres, np.float64)[:, None]
        self._steps = np.asarray(steps, np.float64)
        self._codebooks = codebooks
        self._components = components
        self._choose = choose
        self._resampler = Resampler(grid.up, grid.down)
        self.window_frames = window_of(grid.n_frames, encoder)
        self.n_windows = -(-grid.n_frames // self.window_frames)
        self._codes: dict[int, np.ndarray] = {}
        self._knots: dict[int, np.ndarray] = {}

    def _model_samples(self, start: int, stop: int) -> np.ndarray:
        """Samples at the model's rate, centres removed, for places inside the recording."""
        first, last = self._resampler.input_range(start, stop)
        samples = read_extended(self._read, first, last, self._grid.n_samples)
        result = self._resampler.resample(samples - self._centres, first, start, stop)
        if self._components is None:
            return result
        # Here, as it needs numba, which takes a while to load.
        from eegzip.formats.fixed_order import product

        return product(self._components.matrix, result)

    def _normalised(self, start: int, stop: int) -> np.ndarray:
        """What the network sees from model sample `start` up to `stop`, mirrored beyond the ends."""
        total = self._grid.n_model_samples
        places = mirror_indices(total, start, stop)
        low, high = int(places.min()), int(places.max()) + 1
        scaling = self._scaling
        if isinstance(scaling, FixedScaling):
            inner = scaling.normalise(self._model_samples(low, high))
        else:
            first, last = low // scaling.spacing, (high - 1) // scaling.spacing + 2
            need = scaling.support(first, last, total)
            wide = self._model_samples(*need)
            knots = scaling.knots(wide, need[0], first, last, total, self._steps)
            self._knots.update({first + place: knots[:, place] for place in range(last - first)})
            offset, scale = scaling.curves(knots, first, low, high, self._steps)
            inner = normalise(wide[:, low - need[0] : high - need[0]], offset, scale)
        return np.ascontiguousarray(inner[:, places - low])

    def _samples(self, window: int) -> np.ndarray:
        hop, frames, context = self._grid.hop, self.window_frames, self._encoder.encoder_context
        start = (window * frames - context) * hop - hop // 2
        return self._normalised(start, start + (frames + 2 * context) * hop)

    def _missing(self, window: int) -> int:
        """Frames of the context before a window that lie before the recording."""
        return max(self._encoder.encoder_context - window * self.window_frames, 0)

    def _window(self, window: int) -> np.ndarray:
        if window not in self._codes:
            if self._choose is not None:
                self._codes[window] = self._choose(self.analyse(window))
            elif self._components is not None:
                samples, first = self._samples(window), window * self.window_frames
                scales = self._scales(first, first + self.window_frames)
                multipliers = self._components.distortion.multiplier / np.square(scales)
                self._codes[window] = self._encoder.encode(samples, self._codebooks, multipliers)
            else:
                missing = self._missing(window)
                self._codes[window] = self._encoder.encode(self._samples(window), self._codebooks, missing=missing)
        return self._codes[window]

    def analyse(self, window: int) -> WindowAnalysis:
        """What is to be coded in a window, with the codes of least error."""
        samples, missing = self._samples(window), self._missing(window)
        codes, latents = self._encoder.encode_with_latents(samples, self._codebooks, missing)
        first = window * self.window_frames
        return WindowAnalysis(codes, latents, self._scales(first, first + self.window_frames))

    def probe(self, windows: int) -> list[WindowAnalysis]:
        """Some windows at even distances, the first and the last among them."""
        places = np.unique(np.linspace(0, self.n_windows - 1, windows).astype(int))
        return [self.analyse(int(place)) for place in places]

    def _scales(self, first: int, stop: int) -> np.ndarray:
        """Scale in the middle of each frame [channels, frames], of frames whose samples were just normalised."""
        places = np.minimum(np.arange(first, stop) * self._grid.hop, self._grid.n_model_samples - 1)
        low, high = int(places[0]), int(places[-1]) + 1
        scaling = self._scaling
        if isinstance(scaling, FixedScaling):
            scale = scaling.curves(low, high)[1]
        else:
            numbers = range(low // scaling.spacing, (high - 1) // scaling.spacing + 2)
            knots = np.stack([self._knots[number] for number in numbers], axis=1)
            scale = scaling.curves(knots, numbers[0], low, high, self._steps)[1]
        return np.asarray(scale[:, places - low], np.float64)

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Tokens of the frames from `start` up to `stop`, shape (groups, codebooks, frames), uint16."""
        size = self.window_frames
        windows = range(start // size, -(-stop // size))
        if not windows or stop <= start:
            return np.zeros((self._encoder.n_groups, self._codebooks, 0), np.uint16)
        codes = np.concatenate([self._window(window) for window in windows], axis=2)
        return codes[:, :, start - windows[0] * size : stop - windows[0] * size]

    def whole(self, start: int, stop: int) -> bool:
        """Whether all tokens of some frames are there: of an encoder they always are."""
        return stop >= start

    def knots(self, start: int, stop: int) -> np.ndarray:
        """Scaling knots from `start` up to `stop`, shape (channels, knots, 2); their frames must be done before."""
        if start == stop:
            return np.zeros((len(self._steps), 0, 2), np.int64)
        if self._components is None or isinstance(self._scaling, FixedScaling):
            return np.stack([self._knots[number] for number in range(start, stop)], axis=1)
        return self._thrifty(start, stop, self._scaling.spacing, self._components)

    def _thrifty(self, start: int, stop: int, spacing: int, components: KltComponents) -> np.ndarray:
        """Knots of components, whose scales are all the same where no token is near, which costs next to nothing."""
        grid, context = self._grid, self._encoder.decoder_context
        first = grid.frame_of_model_sample(max((start - 1) * spacing, 0)) - context
        last = grid.frame_of_model_sample(stop * spacing) + context + 1
        first, last = max(first, 0), min(last, grid.n_frames)
        heard = self.frames(first, last)[:, 0] != ABSENT
        knots = np.stack([self._knots[number] for number in range(start, stop)], axis=1)
        idle = nearest_scale_code(components.distortion.level)
        for number in range(start, stop):
            low = grid.frame_of_model_sample(max((number - 1) * spacing, 0)) - context
            high = grid.frame_of_model_sample((number + 1) * spacing) + context + 1
            silent = ~heard[:, max(low - first, 0) : high - first].any(axis=1)
            knots[silent, number - start, 0] = idle
        return knots

    def forget_before(self, frame: int) -> None:
        """Free what belongs to windows before that of a frame."""
        window = frame // self.window_frames
        for number in [number for number in self._codes if number < window]:
            del self._codes[number]
        if isinstance(self._scaling, AdaptiveScaling):
            first = (window * self.window_frames - 1) * self._grid.hop // self._scaling.spacing
            for number in [number for number in self._knots if number < first]:
                del self._knots[number]
