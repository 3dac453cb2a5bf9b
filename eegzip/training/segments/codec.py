"""The part of a model that its codebooks are for: level, transform and search, of models that are no more than that."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.dac import mdct_basis
from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.formats.errors import ModelError

_LARGEST_CODEBOOK = 256


class Transform:
    """Level and transform: what turns recordings into what is quantised.

    Parameters
    ----------
    config
        Of a model of single channels whose latents are MDCT coefficients.

    Raises
    ------
    ModelError
        The model is another kind.
    """

    def __init__(self, config: ModelConfig) -> None:
        shape = config.network
        if config.multichannel is not None or not (shape.direct_codebooks and shape.linear_path):
            raise ModelError(
                "The stages codebooks and joint are for models of single channels with a linear path; "
                f"{config.name} is another kind."
            )
        if shape.codebook_size > _LARGEST_CODEBOOK:
            raise ModelError(f"The stages codebooks and joint know codebooks of at most {_LARGEST_CODEBOOK} entries.")
        if config.scaling.kind != "adaptive":
            raise ModelError(f"The stages codebooks and joint need adaptive scaling, which {config.name} has not.")
        self.rate, self.hop = config.rate, shape.hop
        self.window, self.beam = config.window_frames, config.beam
        self.scaling = AdaptiveScaling(config.scaling.spacing, config.scaling.level_rms, config.scaling.level_peak)
        self._basis = mdct_basis(shape.hop)[:, None]

    def analysed(self, y: npt.NDArray[np.float32]) -> torch.Tensor:
        """Return latents [channels, frames, bins] of waveforms [channels, samples], the outer frames left out."""
        rows = torch.from_numpy(np.ascontiguousarray(y))[:, None]
        found = functional.conv1d(rows, self._basis, stride=self.hop, padding=self.hop // 2)
        return found[:, :, 1:-1].transpose(1, 2)

    def loudness(self, scale: npt.NDArray[np.floating], frames: int) -> npt.NDArray[np.floating]:
        """Return the squared scale [channels, frames] at those frames; `scale` has a value at every sample."""
        return np.square(scale[:, self.hop : self.hop * (frames + 1) : self.hop])


class Codec(Transform):
    """A model's level, transform and search.

    Parameters
    ----------
    checkpoint
        A model of single channels whose latents are MDCT coefficients.

    Attributes
    ----------
    codebooks : Tensor, shape (depths, entries, bins)

    Raises
    ------
    ModelError
        The model is another kind.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        config, shape = checkpoint.config, checkpoint.config.network
        super().__init__(config)
        last = f"encoder.block.{len(shape.encoder_rates) + 2}"
        if any(checkpoint.state[f"{last}.{part}"].any() for part in ("weight_g", "bias")):
            raise ModelError(
                f"The stages codebooks and joint need a transform alone; {config.name} has convolutions, too."
            )
        if not torch.equal(checkpoint.state["encoder.linear.weight"], self._basis):
            raise ModelError(f"The stages codebooks and joint need an MDCT, which {config.name} has not.")
        self.digest = checkpoint.digest
        names = [f"quantizer.quantizers.{level}.codebook.weight" for level in range(shape.n_codebooks)]
        self.codebooks = torch.stack([checkpoint.state[name] for name in names])
        self._searches: dict[int, BeamSearch] = {}

    @property
    def depths(self) -> int:
        """Codebooks."""
        return len(self.codebooks)

    def search(self, latents: torch.Tensor, depth: int) -> npt.NDArray[np.uint8]:
        """Return the tokens [..., depth] of latents [..., bins], as ``compress`` finds them."""
        if depth not in self._searches:
            self._searches[depth] = BeamSearch(self.codebooks[:depth].numpy(), self.beam)
        rows = latents.reshape(-1, latents.shape[-1]).numpy()
        return self._searches[depth](rows, depth, 1).astype(np.uint8).reshape(*latents.shape[:-1], depth)

    def decoded(self, codes: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return the latents [..., bins] that tokens [..., depth] stand for."""
        index = torch.from_numpy(codes.astype(np.int64))
        total = self.codebooks[0][index[..., 0]].clone()
        for level in range(1, index.shape[-1]):
            total += self.codebooks[level][index[..., level]]
        return total
