"""The Descript Audio Codec network, with the options that EEG at low rates asks for.

:class:`EegDac` *is* ``dac.DAC``: with every option at its default the modules, the state dict and the
output are the package's own. The options replace single parts of it:

* a linear path beside the convolutional encoder and decoder, that starts as an MDCT pair (perfect
  reconstruction); DAC's own branches then start at zero and learn what linear coding leaves;
* codebooks in the latent space itself, without DAC's projections to 8 dimensions;
* nearest codeword by Euclidean distance instead of by cosine;
* no ``tanh`` at the end, as adaptively scaled EEG is not bounded to [-1, 1].
"""

from __future__ import annotations

import math

import torch
from torch import nn

from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks.descript import DAC, Decoder, Encoder, VectorQuantize, without_deprecations
from eegzip.codecs.networks.linear import analyse, synthesise
from eegzip.codecs.networks.token_network import TokenNetwork


def mdct_basis(hop: int) -> torch.Tensor:
    """Return the sine-window MDCT as a matrix [hop, 2 * hop] (orthonormal with 50 % overlap-add)."""
    n = torch.arange(2 * hop, dtype=torch.float64)
    k = torch.arange(hop, dtype=torch.float64)
    window = torch.sin(math.pi * (n + 0.5) / (2 * hop))
    phase = math.pi / hop * (n[None, :] + 0.5 + hop / 2) * (k[:, None] + 0.5)
    return (math.sqrt(2.0 / hop) * torch.cos(phase) * window).to(torch.float32)


class LinearEncoder(Encoder):
    """DAC's encoder plus a linear analysis of the same waveform.

    Attributes
    ----------
    skips_branch : bool
        Leave the convolutional branch out; see :func:`skip_silent_branches`.
    """

    skips_branch = False

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config.encoder_dim, list(config.encoder_rates), config.latent_width)
        hop = config.hop
        self.linear = nn.Conv1d(1, config.latent_width, kernel_size=2 * hop, stride=hop, padding=hop // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return latents [B, D, T / hop] of waveforms [B, 1, T]."""
        if self.skips_branch and x.device.type == "cpu":
            return torch.from_numpy(analyse(x[:, 0].numpy(), self.linear.weight[:, 0].numpy()))
        latent: torch.Tensor = self.linear(x)
        return latent if self.skips_branch else self.block(x) + latent


class LinearDecoder(Decoder):
    """DAC's decoder plus a linear synthesis from the same latents; as :class:`LinearEncoder`."""

    skips_branch = False

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config.latent_width, config.decoder_dim, list(config.decoder_rates))
        hop = config.hop
        self.linear = nn.ConvTranspose1d(
            config.latent_width, 1, kernel_size=2 * hop, stride=hop, padding=hop // 2, bias=False
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return waveforms [B, 1, F * hop] from latents [B, D, F]."""
        if self.skips_branch and z.device.type == "cpu":
            return torch.from_numpy(synthesise(z.numpy(), self.linear.weight[:, 0].numpy()))[:, None]
        wave: torch.Tensor = self.linear(z)
        return wave if self.skips_branch else self.model(z) + wave


class EuclidVectorQuantize(VectorQuantize):
    """DAC's quantiser with the nearest codeword by Euclidean distance, and optionally no projections."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config.latent_width, config.codebook_size, config.codebook_dim)
        if config.direct_codebooks:
            self.in_proj = nn.Identity()
            self.out_proj = nn.Identity()

    def decode_latents(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest codewords [B, D, T] of ``latents`` and their indices [B, T]."""
        book = self.codebook.weight
        rows = latents.transpose(1, 2).reshape(-1, latents.shape[1])
        distance = torch.addmm(book.square().sum(1), rows, book.t(), alpha=-2.0)
        indices = distance.argmin(1).view(latents.shape[0], -1)
        return self.decode_code(indices), indices


class EegDac(TokenNetwork, DAC):
    """``dac.DAC`` built from a :class:`~eegzip.codecs.checkpoints.config.NetworkConfig`.

    Parameters
    ----------
    config
        Shape of the network.
    rate
        Sampling rate in Hz, kept as DAC's ``sample_rate``.
    quantizer_dropout
        Share of a training batch that uses a random number of codebooks.
    """

    @without_deprecations()
    def __init__(self, config: NetworkConfig, rate: float = 44100, quantizer_dropout: float = 0.0) -> None:
        config.check()
        super().__init__(
            encoder_dim=config.encoder_dim,
            encoder_rates=list(config.encoder_rates),
            latent_dim=config.latent_dim or None,
            decoder_dim=config.decoder_dim,
            decoder_rates=list(config.decoder_rates),
            n_codebooks=config.n_codebooks,
            codebook_size=config.codebook_size,
            codebook_dim=config.codebook_dim,
            quantizer_dropout=quantizer_dropout,
            sample_rate=rate,
        )
        self.config = config
        if config.linear_path:
            self.encoder = LinearEncoder(config)
            self.decoder = LinearDecoder(config)
        if config.search == "euclid":
            self.quantizer.quantizers = nn.ModuleList(EuclidVectorQuantize(config) for _ in range(config.n_codebooks))
        if not config.final_tanh:
            self.decoder.model[-1] = nn.Identity()
        if config.linear_path and self.encoder.linear.weight.device.type != "meta":
            self.start_linear()

    def start_linear(self) -> None:
        """Make the whole network a plain MDCT codec: linear paths at the MDCT, DAC's branches at zero."""
        basis = mdct_basis(self.config.hop)
        with torch.no_grad():
            for path in (self.encoder.linear, self.decoder.linear):
                weight = path.weight.view(self.config.latent_width, 2 * self.config.hop)
                weight.zero_()
                weight[: self.config.hop] = basis
            for last in (self.encoder.block[-1], self.decoder.model[-2]):
                # The direction v stays as drawn: a weight norm needs one; a gain of zero silences it.
                last.weight_g.zero_()
                last.bias.zero_()


def fuse_weight_norm(network: nn.Module) -> None:
    """Replace every weight norm by its plain weight, in place: the same numbers, computed once."""
    for module in network.modules():
        if hasattr(module, "weight_g"):
            nn.utils.remove_weight_norm(module)


def skip_silent_branches(network: EegDac) -> None:
    """Don't compute branches whose last layer multiplies by zero: the output is the same without them."""
    if network.config.linear_path:
        for half, last in ((network.encoder, network.encoder.block[-1]), (network.decoder, network.decoder.model[-2])):
            half.skips_branch = not bool(last.weight.any() or last.bias.any())
