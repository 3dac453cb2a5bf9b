"""Models whose transform is linear, on numpy and compiled loops alone: no torch.

Their convolutions are there but silent: the last layer of each multiplies by zero. What is left is a lapped transform,
codebooks in its coefficients, and the search; every number is a sum in one order, the same on every machine.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.networks.linear import analyse, summed_codewords, synthesise
from eegzip.codecs.networks.network import IndexArray, Network
from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.codecs.types import CodeArray, FloatArray
from eegzip.formats.errors import ModelError
from eegzip.formats.processes import PerProcess

_MAX_KEPT = 3
_kept: OrderedDict[str, LinearWeights] = OrderedDict()


class LinearWeights:
    """The weights that such a model computes with.

    Parameters
    ----------
    checkpoint
        A model that :func:`is_linear`.

    Raises
    ------
    ModelError
        The weights are not those of the model in its config.

    Attributes
    ----------
    analysis, synthesis : ndarray of float32, shape (D, 2 * hop)
    codebooks : ndarray of float32, shape (K, S, D)
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        shape, arrays = checkpoint.config.network, checkpoint.arrays
        width = shape.latent_width
        names = [f"quantizer.quantizers.{level}.codebook.weight" for level in range(shape.n_codebooks)]
        wanted: dict[str, tuple[int, ...]] = {
            "encoder.linear.weight": (width, 1, 2 * shape.hop),
            "decoder.linear.weight": (width, 1, 2 * shape.hop),
            **dict.fromkeys(names, (shape.codebook_size, width)),
        }
        for name, size in wanted.items():
            found = arrays[name].shape if name in arrays else None
            if found != size:
                raise ModelError(
                    f"The weights in {checkpoint.folder} are not those of the network in its config.json: {name} is "
                    f"{found or 'missing'}, not {size}."
                )
        self.analysis = np.ascontiguousarray(arrays["encoder.linear.weight"][:, 0])
        self.synthesis = np.ascontiguousarray(arrays["decoder.linear.weight"][:, 0])
        self.codebooks = np.stack([arrays[name] for name in names])


def is_linear(checkpoint: Checkpoint) -> bool:
    """Return whether a model's convolutions are silent, so that it is no more than its linear path."""
    config, shape = checkpoint.config, checkpoint.config.network
    if config.adapters is not None or not (shape.linear_path and shape.direct_codebooks):
        return False
    last = (f"encoder.block.{len(shape.encoder_rates) + 2}", f"decoder.model.{len(shape.decoder_rates) + 2}")
    names = [f"{layer}.{part}" for layer in last for part in ("weight_g", "bias")]
    return all(name in checkpoint.arrays and not checkpoint.arrays[name].any() for name in names)


def _weights(checkpoint: Checkpoint) -> LinearWeights:
    """Return a model's weights; the last few are kept, by the digest that says what is in them."""
    # Without a lock, which a forked process might inherit locked: at worst two threads read the same.
    weights = _kept.pop(checkpoint.digest, None) or LinearWeights(checkpoint)
    _kept[checkpoint.digest] = weights
    while len(_kept) > _MAX_KEPT:
        _kept.popitem(last=False)
    return weights


class LinearNetwork(Network):
    """A model whose transform is linear.

    Parameters
    ----------
    checkpoint
        A model that :func:`is_linear`.
    workers
        Rows that are done at a time.
    beam
        Hypotheses of the search.
    """

    def __init__(self, checkpoint: Checkpoint, workers: int, beam: int) -> None:
        shape = checkpoint.config.network
        super().__init__(workers, shape.n_codebooks, shape.codebook_size)
        self._weights = _weights(checkpoint)
        self._beam = beam
        self._made_search: BeamSearch | None = None
        self._making_search = PerProcess(Lock)

    @property
    def codebooks(self) -> FloatArray:
        """Entries of all codebooks, [K, S, D]."""
        return self._weights.codebooks

    def _search(self) -> BeamSearch:
        """Return the search among all codebooks; made when first asked for."""
        with self._making_search():
            if self._made_search is None:
                self._made_search = BeamSearch(self.codebooks, self._beam)
            return self._made_search

    def quantise(self, latents: FloatArray, levels: int, multipliers: FloatArray | None = None) -> CodeArray:
        """Return the codes [B, levels, F] of latents [B, D, F]; parameters are those of :meth:`encode`."""
        batch, width, frames = latents.shape
        rows = latents.transpose(0, 2, 1).reshape(-1, width)
        enough = None if multipliers is None else multipliers.reshape(-1)
        codes = self._search()(rows, levels, 1, enough)
        return codes.reshape(batch, frames, levels).transpose(0, 2, 1)

    def encode(
        self,
        waves: FloatArray,
        styles: IndexArray,  # noqa: ARG002
        inner: slice,
        levels: int,
        multipliers: FloatArray | None = None,
    ) -> tuple[CodeArray, FloatArray]:
        """Return codes and latents, as :meth:`Network.encode` says; groups are of one channel."""
        latents = analyse(waves[:, 0], self._weights.analysis)[:, :, inner]
        return self.quantise(latents, levels, multipliers), latents

    def decode(self, codes: CodeArray, styles: IndexArray, first: int, last: int) -> FloatArray:  # noqa: ARG002
        """Return waveforms, as :meth:`Network.decode` says."""
        latents = self.codewords(codes)
        latents[:, :, : max(first, 0)] = 0
        latents[:, :, max(last, 0) :] = 0
        return self.synthesise(latents)

    def synthesise(self, latents: FloatArray) -> FloatArray:
        """Return the waveforms [B, F * hop] of latents [B, D, F]."""
        return synthesise(latents, self._weights.synthesis)

    def codewords(self, codes: CodeArray) -> FloatArray:
        """Return the sum of the codewords of codes [B, k, F]: latents [B, D, F]; absent ones add nothing."""
        self.there(codes)
        latents = np.zeros((len(codes), codes.shape[2], self.codebooks.shape[2]), np.float32)
        summed_codewords(self.codebooks, codes, latents)
        return np.ascontiguousarray(latents.transpose(0, 2, 1))
