"""Tokens of a waveform that arrives block by block, by a causal network: those that the whole gives."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from eegzip.codecs.checkpoints.config import WARM_UP_FRAMES
from eegzip.codecs.networks.seanet import Memory
from eegzip.codecs.networks.torch_network import TorchNetwork
from eegzip.codecs.runtime import CodecRuntime
from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import UsageError

FIRST_FRAMES = 3
"""Least frames of a first block: what is mirrored before a beginning must be there."""


class TokenStream:
    """Encodes rows of waveforms as they come.

    A file's frames are coded in windows, each from a state that the network finds in the frames before it (SPEC.md,
    section 9.2). So does this: shortly before a window ends, a second state for the next one begins.

    Parameters
    ----------
    runtime
        Of a causal model (BioCodec).
    codebooks
        Levels of tokens; all by default.

    Raises
    ------
    UsageError
        The model is not causal.
    """

    def __init__(self, runtime: CodecRuntime, codebooks: int | None = None) -> None:
        if not runtime.causal:
            raise UsageError(
                f"the model {runtime.checkpoint.config.name} looks ahead, so it can't code what has not come yet."
            )
        self._runtime = runtime
        # A causal model has trained convolutions.
        self._network = cast(TorchNetwork, runtime.network)
        self._levels = runtime.levels(codebooks)
        self._frame = 0
        self._now: Memory = {}
        self._next: Memory = {}
        self._held: list[torch.Tensor] = []

    @torch.inference_mode()
    def encode(self, block: FloatArray) -> CodeArray:
        """Return the codes of the next block.

        Parameters
        ----------
        block : ndarray of float32, shape (rows, frames * hop)
            At the model's rate and level, whole frames; of the first block at least three.

        Returns
        -------
        ndarray of uint16, shape (rows, codebooks, frames)

        Raises
        ------
        UsageError
            The block has no whole frames, or too few.
        """
        hop, longest = self._runtime.hop, self._runtime.window_frames
        least = 1 if self._frame else FIRST_FRAMES
        if block.ndim != 2 or block.shape[1] % hop or block.shape[1] < least * hop:
            raise UsageError(
                f"a block must be {least} or more whole frames of {hop} samples a row; its shape is {block.shape}."
            )
        wave = torch.from_numpy(np.ascontiguousarray(block, np.float32))[:, None].to(self._network.device)
        found = []
        while wave.shape[-1]:
            place = self._frame % longest
            # Up to where the next window's state begins, or to the end of this window.
            warming = place >= longest - WARM_UP_FRAMES
            stop = longest if warming else longest - WARM_UP_FRAMES
            part, wave = wave[..., : (stop - place) * hop], wave[..., (stop - place) * hop :]
            if warming:
                self._warm_up(part)
            latent = self._network.module.encoder(part, self._now)
            found.append(self._network.quantise(latent, self._levels).to("cpu", torch.int32).numpy())
            self._frame += part.shape[-1] // hop
            if self._frame % longest == 0:
                self._now, self._next = self._next, {}
        return np.concatenate(found, axis=2).astype(np.uint16)

    def _warm_up(self, part: torch.Tensor) -> None:
        """Let the next window's state see frames of this one."""
        self._held.append(part)
        held = torch.cat(self._held, -1)
        if self._next or held.shape[-1] >= FIRST_FRAMES * self._runtime.hop:
            self._network.module.encoder(held, self._next)
            self._held = []
