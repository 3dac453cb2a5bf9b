"""One pass through the codec, as a module: what distributed training wraps."""

from __future__ import annotations

import torch
from torch import nn

from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.quantiser import quantise

Outcome = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, list[torch.Tensor]]


class CodecStep(nn.Module):
    """Encode, quantise, decode.

    Parameters
    ----------
    network
        The codec.
    autocast
        Whether encoder and decoder compute in bfloat16. The quantiser always computes in float32: rounding to the
        nearest codeword is where a lost bit shows.
    """

    def __init__(self, network: TokenNetwork, *, autocast: bool) -> None:
        super().__init__()
        self.network = network
        self.autocast = autocast

    def forward(
        self, wave: torch.Tensor, styles: torch.Tensor, present: torch.Tensor, depth: torch.Tensor, is_open: bool
    ) -> Outcome:
        """Return the restored waveforms, both quantiser losses, the codes and what each level had to code.

        Parameters
        ----------
        wave
            Waveforms [B, G, T].
        styles, present
            The channels' styles and which of them there are [B, G].
        depth
            Levels of each row [B].
        is_open
            See :func:`eegzip.training.quantiser.quantise`.
        """
        with torch.autocast(wave.device.type, torch.bfloat16, enabled=self.autocast):
            latent = self.network.latents(wave, styles, present)
        with torch.autocast(wave.device.type, enabled=False):
            found = quantise(self.network, latent.float(), depth, is_open=is_open)
        with torch.autocast(wave.device.type, torch.bfloat16, enabled=self.autocast):
            restored = self.network.waves(found.latent, styles, present)
        return restored.float(), found.commitment, found.codebook, found.codes, found.rows
