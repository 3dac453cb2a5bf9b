"""Latents of channels as a joint decoder refines them, window by window (SPEC.md, section 9.1).

A window is that of the encoder's grid, which follows from the length of the recording alone. What channels have in
common is found from the tokens of a window and of a few frames on either side; each frame is refined in its own window.
So nothing depends on chunks, on what was asked for first or on which channels are wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from eegzip.codecs.signal.analysis import window_size
from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.eegz.recent import Recent
from eegzip.formats.eegz.timeline import FrameGrid
from eegzip.formats.tokens.packed import ABSENT

if TYPE_CHECKING:
    from eegzip.codecs.runtime import CodecRuntime

# A window of samples needs frames of those beside it.
_WINDOWS_KEPT = 4


class JointSource(Protocol):
    """Where the tokens of all channels that are decoded together come from."""

    def frames(self, start: int, stop: int) -> CodeArray:
        """Tokens [channels, codebooks, frames]."""

    def whole(self, start: int, stop: int) -> bool:
        """Whether all tokens of these frames are there."""


class JointLatents:
    """Latents of some channels of a joint set.

    Parameters
    ----------
    source : JointSource
        Tokens of the whole set.
    grid : FrameGrid
        Where the frames lie.
    runtime : CodecRuntime
        A model with a joint decoder.
    wanted : sequence of int
        Places in the set of the channels to give.
    refined : collection of int
        Those places whose channels the decoder refines; the others are what their own tokens say.
    """

    def __init__(
        self,
        source: JointSource,
        grid: FrameGrid,
        runtime: CodecRuntime,
        wanted: Sequence[int],
        refined: Collection[int],
    ) -> None:
        self._source, self._grid, self._runtime = source, grid, runtime
        self._decoder = runtime.joint_decoder
        self._wanted = list(wanted)
        self._refined = [place in refined for place in self._wanted]
        self._size = window_size(grid.n_frames, runtime.window_frames)
        self._windows: Recent[int, FloatArray] = Recent(_WINDOWS_KEPT)

    def frames(self, start: int, stop: int) -> FloatArray:
        """Return latents [channels, D, frames] of the frames from `start` up to `stop`, all inside the recording."""
        size = self._size
        windows = range(start // size, -(-stop // size))
        joined = np.concatenate([self._window(window) for window in windows], axis=2)
        return joined[:, :, start - windows[0] * size : stop - windows[0] * size]

    def _window(self, window: int) -> FloatArray:
        return self._windows.get(window, self._made)

    def _made(self, window: int) -> FloatArray:
        first, reach, count = window * self._size, self._decoder.config.reach, self._grid.n_frames
        stop = min(first + self._size, count)
        low, high = max(first - reach, 0), min(stop + reach, count)
        codes = self._source.frames(low, high)
        decoded = self._runtime.codewords(codes)
        own: FloatArray = decoded[self._wanted, :, first - low : stop - low]
        # Where a chunk of it is lost, nothing is known of what channels have in common.
        if not any(self._refined) or not self._source.whole(low, high):
            return own
        depth = (codes != ABSENT).sum(axis=1)
        refined = self._decoder(decoded.transpose(0, 2, 1), depth).transpose(0, 2, 1)
        refined = refined[self._wanted, :, first - low : stop - low]
        return np.where(np.array(self._refined)[:, None, None], refined, own)
