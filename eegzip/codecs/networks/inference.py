"""From a checkpoint to a network that is ready to run."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.networks.biocodec import Level, fuse_parametrizations
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.dac import EegDac, fuse_weight_norm, skip_silent_branches
from eegzip.codecs.networks.descript import Snake1d, VectorQuantize
from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.formats.errors import ModelError

_MAX_KEPT = 3
_LARGEST_KEPT = 1 << 24  # weights: the bundled models have some millions, the official one of 44.1 kHz 77
_kept: OrderedDict[str, TokenNetwork] = OrderedDict()


class FusedSnake(nn.Module):
    """DAC's activation ``x + sin(alpha x)^2 / alpha`` with one temporary instead of five."""

    alpha: torch.Tensor
    inverse: torch.Tensor

    def __init__(self, alpha: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("alpha", alpha.detach())
        self.register_buffer("inverse", (alpha.detach() + 1e-9).reciprocal())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activation of ``x``."""
        wave = x * self.alpha
        return torch.addcmul(x, wave.sin_().square_(), self.inverse)


def build_network(checkpoint: Checkpoint) -> TokenNetwork:
    """Build the network of a checkpoint and load its weights strictly.

    Parameters
    ----------
    checkpoint
        The checkpoint; its config decides the shapes, its weights must match them exactly.
    """
    config = checkpoint.config
    state = checkpoint.state
    _check_widths(checkpoint)
    network = build(config)
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The weights in {checkpoint.folder} are not those of the network in its config.json: {reason}"
        ) from error
    return network.eval()


def _check_widths(checkpoint: Checkpoint) -> None:
    """Refuse a config whose network would take more memory than its weights, before it is built.

    These tensors bound all others: widths double from layer to layer. Building on torch's meta device would show
    the same, but takes more than a second.
    """
    shape, adapters = checkpoint.config.network, checkpoint.config.adapters
    if checkpoint.config.causal:
        _check_shapes(checkpoint, _causal_shapes(shape))
        return
    depth, width = len(shape.encoder_rates), shape.latent_width
    expected: dict[str, tuple[int, ...]] = {
        "encoder.block.0.weight_v": (shape.encoder_dim, 1, 7),
        f"encoder.block.{depth + 2}.weight_v": (shape.latent_width, shape.encoder_dim << depth, 3),
        "decoder.model.0.weight_v": (shape.decoder_dim, shape.latent_width, 7),
        f"quantizer.quantizers.{shape.n_codebooks - 1}.codebook.weight": (shape.codebook_size, shape.codebook_dim),
    }
    if adapters is not None:
        last = f"attention.{adapters.layers - 1}"
        styles = len(adapters.vocabulary) + 1
        expected |= {
            "styles.scale": (styles, width),
            f"{last}.qkv.weight": (3 * width, width),
            f"{last}.channel": (styles, width),
            f"{last}.time_bias": (adapters.heads, 2 * adapters.reach + 1),
            "projection.weight": (width, adapters.max_channels * width),
        }
    _check_shapes(checkpoint, expected)


def _causal_shapes(shape: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the largest tensors of a causal network, which bound all others."""
    wide, last = shape.encoder_dim << len(shape.encoder_rates), 4 * len(shape.encoder_rates) + 1
    return {
        f"encoder.model.{last}.lstm.weight_hh_l1": (4 * wide, wide),
        f"encoder.model.{last + 2}.conv.parametrizations.weight.original1": (shape.latent_width, wide, 3),
        "decoder.model.0.conv.parametrizations.weight.original1": (shape.decoder_dim, shape.latent_width, 3),
        "decoder.model.1.lstm.weight_hh_l1": (4 * shape.decoder_dim, shape.decoder_dim),
        f"quantizer.quantizers.{shape.n_codebooks - 1}.codebook.weight": (shape.codebook_size, shape.codebook_dim),
    }


def _check_shapes(checkpoint: Checkpoint, expected: dict[str, tuple[int, ...]]) -> None:
    for name, size in expected.items():
        found = tuple(checkpoint.state[name].shape) if name in checkpoint.state else None
        if found != size:
            raise ModelError(
                f"The weights in {checkpoint.folder} are not those of the network in its config.json: {name} is "
                f"{found or 'missing'}, not {size}."
            )


def ready_network(checkpoint: Checkpoint) -> TokenNetwork:
    """Return the network of a checkpoint on the CPU, prepared for inference; nobody changes it.

    The last few that are small are kept, by the digest that says what is in them: building one takes as long as coding
    a minute of a few channels, and who compresses one recording often compresses the next.

    Parameters
    ----------
    checkpoint
        As in :func:`build_network`.
    """
    # Without a lock, which a forked process might inherit locked: at worst two threads build the same.
    network = _kept.pop(checkpoint.digest, None)
    if network is None:
        network = build_network(checkpoint)
        prepare_for_inference(network)
    if sum(value.numel() for value in network.state_dict().values()) > _LARGEST_KEPT:
        return network
    _kept[checkpoint.digest] = network
    while len(_kept) > _MAX_KEPT:
        _kept.popitem(last=False)
    return network


def prepare_for_inference(network: TokenNetwork) -> None:
    """Fuse weight norms and activations and leave out what contributes nothing, in place."""
    if isinstance(network, EegDac):
        fuse_weight_norm(network)
        skip_silent_branches(network)
    else:
        fuse_parametrizations(network)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Snake1d):
                setattr(module, name, FusedSnake(child.alpha))
    network.requires_grad_(False)


def codewords(quantizer: VectorQuantize | Level) -> torch.Tensor:
    """Return the latents [size, D] that the entries of a codebook stand for."""
    projected: torch.Tensor = quantizer.out_proj(quantizer.codebook.weight.t()[None])
    return projected[0].t()
