"""Base of all networks of tokens, whatever their layers are: waveforms to latents, latents to waveforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.formats.errors import ModelError

# Beginnings of the names of weights that a multi-channel network has besides its backbone's.
ADAPTERS = ("attention.", "projection.", "styles.")


class TokenNetwork(nn.Module):
    """An encoder, a residual quantiser and a decoder; every channel alone, unless a subclass brings channels together.

    Attributes
    ----------
    config : NetworkConfig
        Shape of the network.
    encoder, decoder : Module
        Waveforms [B, 1, T] to latents [B, D, T / hop], and back.
    quantizer : Module
        Its ``quantizers`` have ``in_proj``, ``codebook`` and ``out_proj``.
    """

    config: NetworkConfig
    encoder: Any
    decoder: Any
    quantizer: Any

    def latents(self, wave: torch.Tensor, styles: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return one latent for each group of channels [B, D, T / hop].

        Parameters
        ----------
        wave
            Groups of waveforms [B, G, T], T a whole number of hops; G is 1 where channels are coded alone.
        styles
            Style number of each channel [B, G], int64.
        present
            Which channels exist [B, G], bool; the others may hold anything, and count as zero.
        """
        batch, group, length = wave.shape
        rows = wave.reshape(batch * group, 1, length)
        if group == 1:
            latent = self.encoder(rows)
        else:
            # Most groups are smaller than the largest: what is absent costs nothing.
            places = present.reshape(-1).nonzero()[:, 0]
            found = self.encoder(rows[places])
            latent = found.new_zeros(len(rows), *found.shape[1:]).index_copy(0, places, found)
        return self.joined(latent.unflatten(0, (batch, group)), styles, present)

    def waves(self, latent: torch.Tensor, styles: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
        """Return the waveforms [B, G, F * hop] of all channels of groups.

        Parameters
        ----------
        latent
            Quantised latents of the groups [B, D, F].
        styles
            Style number of each channel [B, G], int64.
        present
            Which channels exist [B, G]; the others' waveforms are zero and cost nothing. By default all do.
        """
        styled = self.styled(latent, styles)
        rows = styled.flatten(0, 1)
        if present is None or styles.shape[1] == 1:
            wave = self.decoder(rows)
        else:
            places = present.reshape(-1).nonzero()[:, 0]
            found = self.decoder(rows[places])
            wave = found.new_zeros(len(rows), *found.shape[1:]).index_copy(0, places, found)
        result: torch.Tensor = wave[:, 0].unflatten(0, styles.shape)
        return result

    def joined(self, latent: torch.Tensor, styles: torch.Tensor, present: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Return one latent for each group [B, D, F] from those of its channels [B, G, D, F]: here the only one."""
        if latent.shape[1] != 1:
            raise ModelError(f"This model codes every channel alone, not {latent.shape[1]} as one.")
        return latent[:, 0]

    def styled(self, latent: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return the latents that each channel is decoded from [B, G, D, F]: here the group's own."""
        if styles.shape[1] != 1:
            raise ModelError(f"This model codes every channel alone, not {styles.shape[1]} as one.")
        return latent[:, None]

    def load_backbone(self, state: Mapping[str, torch.Tensor]) -> None:
        """Load the weights of single-channel coding strictly; adapters stay as they are.

        Parameters
        ----------
        state
            State dict of a network of this shape, or of a multi-channel network around it, whose adapters are passed
            over.

        Raises
        ------
        ModelError
            The weights are those of another network.
        """
        backbone = {name: value for name, value in state.items() if not name.startswith(ADAPTERS)}
        own = {name: value for name, value in self.state_dict().items() if name.startswith(ADAPTERS)}
        try:
            self.load_state_dict({**backbone, **own}, strict=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"These weights are not those of the network to start from them: {reason}") from error
