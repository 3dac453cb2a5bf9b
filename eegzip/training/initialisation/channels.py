"""Groups of channels, started from data: what they share, and what sets each channel apart.

From a checkpoint of single channels a group starts as the mean of its channels, and a style, which scales dimensions
that all channels share, can say no more of a channel than that. But codewords reach a small part of the latents only.
So latents get new axes here: first those that codewords reach, for the mean of the group; then, as often as there are
channels in the largest group, the principal axes of what a channel has beside the mean. Encoder and decoder are turned
with them, so that a channel alone is coded as before. Attention copies what the channel of each place has along its
axes, the projection takes the group's mean from that, a style closes the axes of the other channels, and codebooks
become k-means of what groups now give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch

from eegzip.codecs.networks.dac_mc import BandedAttention, EegDacMc
from eegzip.training.initialisation.attention import heads_for_each, look_by_place
from eegzip.training.initialisation.codebooks import start_codebooks
from eegzip.training.initialisation.weight_norm import plain_weight, set_weight
from eegzip.training.quantiser import quantise

# Share of the energy of quantised latents that the shared axes hold.
_SHARED_ENERGY = 0.999


@dataclass(frozen=True)
class Group:
    """A stretch of a group of channels.

    Attributes
    ----------
    latent : Tensor
        What the encoder gave of each channel [G, D, F].
    styles : tuple of int
        The channels' styles.
    """

    latent: torch.Tensor
    styles: tuple[int, ...]


@torch.no_grad()
def set_channels_apart(network: EegDacMc, groups: Sequence[Group], seed: int) -> str:
    """Give each channel of a group latent dimensions of its own, in place.

    Parameters
    ----------
    network
        As started from a checkpoint of single channels.
    groups
        Of training data, together several times more frames than a codebook has entries.
    seed
        Of k-means.

    Returns
    -------
    str
        What was done, or why nothing was.
    """
    coded = [_coded(network, group.latent) for group in groups]
    several = [latent for latent in coded if len(latent) > 1]
    if not several:
        return "channels start as one: no group has more than one"
    width, most = network.config.latent_width, network.multichannel.max_channels
    axes, energy = _principal_axes(coded)
    shared = int((energy.cumsum(0) < _SHARED_ENERGY * energy.sum()).sum()) + 1
    free = (width - shared) // most
    if not free:
        return f"channels start as one: codewords reach {shared} of {width} latent dimensions, so none is free"
    # The first sees latents as the encoder gives them; later ones add nothing yet.
    attention = cast(BandedAttention, network.attention[0])
    heads = heads_for_each(attention, most)
    if not heads:
        enough = next(count for count in range(most, width + 1) if width % count == 0)
        return (
            f"channels start as one: {attention.heads} heads of attention can't look at {most} channels; "
            f"set model.heads to {enough}"
        )
    own = min(free, shared, heads * width // attention.heads)
    apart, energy = _principal_axes([latent - latent.mean(0) for latent in several])
    turned = axes.new_zeros(width, width)
    turned[:, :shared] = axes[:, :shared]
    turned[:, shared : shared + most * own] = apart[:, :own].repeat(1, most)
    _turn(network, turned)
    # Attention leaves there how far each channel is from the one of the place; the mean of these is taken with its sign
    # turned. So two channels of one place share it, and a channel alone leaves nothing.
    network.projection.weight[shared : shared + most * own] *= -1
    network.projection.weight[shared + most * own :] = 0
    places = places_in_groups([group.styles for group in groups], most)
    look_by_place(attention, places, most, shared, own)
    # Channels that training never shows have no place: they are decoded from what is shared.
    network.styles.scale[:, shared:] = -1
    for style, place in places.items():
        first = shared + place * own
        network.styles.scale[style, first : first + own] = 0
    joined = torch.cat([_joined(network, turned, group) for group in groups])
    start_codebooks(network, joined, seed)
    held = float(energy[:own].sum() / energy.sum().clamp_min(1e-30))
    return (
        f"channels start apart: {shared} latent dimensions shared, {own} of each channel of a group, which hold "
        f"{100 * held:.1f} % of what sets channels apart; attention copies those of each with {heads} of its "
        f"{attention.heads} heads; codebooks set by k-means of {joined.shape[0] * joined.shape[2]} latent vectors"
    )


def places_in_groups(groups: Sequence[Sequence[int]], most: int) -> dict[int, int]:
    """Return a place from 0 to `most` - 1 for each style, so that few that meet in a group have the same.

    Parameters
    ----------
    groups
        Styles of the channels of each group, as often as they occur.
    most
        Channels of the largest group.
    """
    met: dict[int, Counter[int]] = {style: Counter() for group in groups for style in group}
    for group in groups:
        for style in group:
            met[style].update(other for other in group if other != style)
    places: dict[int, int] = {}
    # Those that meet the most others choose first.
    for style in sorted(met, key=lambda style: (-met[style].total(), style)):
        cost = [0] * most
        for other, times in met[style].items():
            if other in places:
                cost[places[other]] += times
        places[style] = cost.index(min(cost))
    return places


def _coded(network: EegDacMc, latent: torch.Tensor) -> torch.Tensor:
    """Return latents [G, D, F] of single channels as all codebooks give them back."""
    levels = torch.full((len(latent),), network.config.n_codebooks, device=latent.device)
    return quantise(network, latent, levels).latent


def _joined(network: EegDacMc, axes: torch.Tensor, group: Group) -> torch.Tensor:
    """Return a group's latents [1, D, F] along new axes."""
    styles = torch.tensor([group.styles], device=group.latent.device)
    turned = torch.einsum("dk,gdf->gkf", axes, group.latent)
    return network.joined(turned[None], styles, torch.ones_like(styles, dtype=torch.bool))


def _principal_axes(latents: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return axes [D, D] of latents [G, D, F], those of most energy first, and their energies; nothing is centred."""
    width = latents[0].shape[1]
    square = torch.zeros(width, width, dtype=torch.float64, device=latents[0].device)
    for latent in latents:
        rows = latent.double().transpose(0, 1).flatten(1)
        square += rows @ rows.T
    energy, axes = torch.linalg.eigh(square)
    return axes.flip(1).to(latents[0].dtype), energy.flip(0).clamp_min(0)


def _turn(network: EegDacMc, axes: torch.Tensor) -> None:
    """Let the encoder give latents along axes [D, K], and the decoder take them."""
    last, first = network.encoder.block[-1], network.decoder.model[0]
    set_weight(last, torch.einsum("dk,dit->kit", axes, plain_weight(last)), axes.T @ last.bias)
    set_weight(first, torch.einsum("dk,odt->okt", axes, plain_weight(first)), first.bias)
    if network.config.linear_path:
        for path in (network.encoder.linear, network.decoder.linear):
            path.weight.copy_(torch.einsum("dk,dit->kit", axes, path.weight))
