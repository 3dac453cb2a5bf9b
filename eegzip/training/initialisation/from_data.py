"""Initialisation from batches: gains of untrained weights, codebooks, what tells channels of a group apart.

The batches are those of steps that no run reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from eegzip.codecs.networks.dac_mc import EegDacMc
from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.data.batches import Batches, Tensors
from eegzip.training.initialisation.channels import Group, set_channels_apart
from eegzip.training.initialisation.codebooks import start_codebooks
from eegzip.training.initialisation.gains import set_gains

_FIRST = 1 << 40
# Vectors for each entry that k-means sees.
_ROWS_PER_ENTRY = 8
_MAX_BATCHES = 1000
# Segments that set the gains of untrained weights.
_GAIN_ROWS = 16


@dataclass(frozen=True)
class DataStart:
    """Sets weights from batches.

    Attributes
    ----------
    batches : Batches
        Gives the batches.
    batch : int
        Rows of one.
    seed : int
        Of k-means.
    """

    batches: Batches
    batch: int
    seed: int

    def gains(self, network: TokenNetwork) -> str:
        """Bring untrained weights to a level at which they learn; return what was done."""
        set_gains(network, *self.batches.batch(_FIRST, _GAIN_ROWS))
        return f"gains set by {_GAIN_ROWS} segments"

    @torch.no_grad()
    def codebooks(self, network: TokenNetwork) -> str:
        """Set the codebooks by k-means; return what was done."""
        latent = torch.cat([network.latents(*tensors).float() for tensors in self._batches(network)])
        start_codebooks(network, latent, self.seed)
        return f"codebooks set by k-means of {latent.shape[0] * latent.shape[2]} latent vectors"

    @torch.no_grad()
    def channels(self, network: EegDacMc) -> str:
        """Give each channel of a group latent dimensions of its own, and set the codebooks; return what was done."""
        groups = []
        for wave, styles, present in self._batches(network):
            for row, style, exists in zip(wave, styles, present, strict=True):
                latent = network.encoder(row[exists][:, None]).float()
                groups.append(Group(latent, tuple(style[exists].tolist())))
        return set_channels_apart(network, groups, self.seed)

    def _batches(self, network: TokenNetwork) -> Iterator[Tensors]:
        """Yield batches until there are enough latent vectors for k-means."""
        wanted, rows = _ROWS_PER_ENTRY * network.config.codebook_size, 0
        for number in range(_MAX_BATCHES):
            tensors = self.batches.batch(_FIRST + number, self.batch)
            yield tensors
            rows += len(tensors[0]) * (tensors[0].shape[2] // network.config.hop)
            if rows >= wanted:
                return
