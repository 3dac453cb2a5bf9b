"""Start a network from the weights of another checkpoint: audio for EEG, one channel for groups of channels."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from eegzip.codecs.channels.vocabulary import styles_of
from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig, MultichannelConfig, NetworkConfig
from eegzip.codecs.networks.codebook_reduction import first_codebooks
from eegzip.codecs.networks.dac_mc import EegDacMc
from eegzip.codecs.networks.token_network import ADAPTERS, TokenNetwork
from eegzip.formats.errors import ModelError

# Weights that have a row for each style.
_BY_STYLE = (".channel", "styles.scale", "styles.bias")


def start_from(network: TokenNetwork, checkpoint: Checkpoint) -> None:
    """Load the weights of a checkpoint into a network; see :func:`start_from_state`."""
    start_from_state(network, checkpoint.state, checkpoint.config)


def start_from_state(network: TokenNetwork, state: Mapping[str, torch.Tensor], config: ModelConfig) -> None:
    """Load the weights of a checkpoint into a network, as far as it goes and strictly so far.

    The backbone always comes from the checkpoint. A multi-channel network takes a multi-channel checkpoint's adapters
    too, styles by their names; from a single-channel one it starts as an identity around the backbone. A network with
    fewer codebooks takes the first ones.

    Parameters
    ----------
    network
        To be started, of either architecture.
    state
        The checkpoint's weights.
    config
        The checkpoint's config, of either architecture.

    Raises
    ------
    ModelError
        The checkpoint is of another shape, or its weights are not those of its config.
    """
    _check(config.network, network.config)
    state, config = first_codebooks(state, config, network.config.n_codebooks)
    if not isinstance(network, EegDacMc) or config.adapters is None:
        network.load_backbone(state)
        return
    adapters = _adapters(network.state_dict(), state, config.adapters, network.multichannel)
    network.load_backbone(state)
    network.load_state_dict({**network.state_dict(), **adapters}, strict=True)


def _check(theirs: NetworkConfig, ours: NetworkConfig) -> None:
    """Refuse a checkpoint whose weights have no place in the network, saying what differs and what to do."""
    if ours.n_codebooks > theirs.n_codebooks:
        raise ModelError(
            f"The network is to have {ours.n_codebooks} codebooks, but the checkpoint it is to start from has "
            f"{theirs.n_codebooks}; ask for as many or fewer."
        )
    if ours.codebook_size != theirs.codebook_size:
        raise ModelError(
            f"The network is to have codebooks of {ours.codebook_size} entries, but the checkpoint it is to start from "
            f"has {theirs.codebook_size}; "
            + (
                "start with that many and merge them by vocabulary reduction (start.reduce_to)."
                if ours.codebook_size < theirs.codebook_size
                else "codebooks can be reduced, not grown."
            )
        )
    for name in ("encoder_dim", "encoder_rates", "latent_width", "decoder_dim", "decoder_rates", "codebook_dim"):
        _same(f"network.{name}", getattr(theirs, name), getattr(ours, name))
    _same("network.linear_path", theirs.linear_path, ours.linear_path)
    # Without projections the quantiser has other weights; else both searches take the same ones.
    _same("network.search", theirs.search, ours.search if ours.direct_codebooks != theirs.direct_codebooks else None)


def _same(name: str, theirs: object, ours: object) -> None:
    if ours is not None and theirs != ours:
        raise ModelError(
            f"The checkpoint's {name} is {theirs}, but that of the network that is to start from it is {ours}; a "
            "network can only start from a checkpoint of its own shape."
        )


def _adapters(
    own: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    theirs: MultichannelConfig,
    ours: MultichannelConfig,
) -> dict[str, torch.Tensor]:
    """Return the adapters of a checkpoint with their styles in a network's places; names new to it keep their own."""
    for name in ("max_channels", "heads", "layers", "reach", "styles"):
        _same(f"multichannel.{name}", getattr(theirs, name), getattr(ours, name))
    known = {"": 0, **styles_of(theirs.vocabulary)}
    wanted = {"": 0, **styles_of(ours.vocabulary)}
    both = [name for name in wanted if name in known]
    source, target = [known[name] for name in both], [wanted[name] for name in both]
    adapters = {name: value for name, value in state.items() if name.startswith(ADAPTERS)}
    expected = {name: value for name, value in own.items() if name.startswith(ADAPTERS)}
    for name, value in expected.items():
        shape = list(value.shape)
        by_style = name.endswith(_BY_STYLE)
        if by_style:
            shape[0] = len(theirs.vocabulary) + 1
        if name not in adapters or list(adapters[name].shape) != shape:
            found = list(adapters[name].shape) if name in adapters else "missing"
            raise ModelError(f"The checkpoint's weights are not those of its config: {name} is {found}, not {shape}.")
        if by_style:
            placed = value.clone()
            placed[target] = adapters[name][source].to(placed)
            adapters[name] = placed
    if extra := sorted(set(adapters) - set(expected)):
        raise ModelError(f"The checkpoint's weights are not those of its config: {extra[0]} has no place.")
    return adapters
