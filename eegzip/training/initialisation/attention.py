"""Attention that begins as a choice of channels: each place of a group has heads that copy what its channel has there.

What such a head looks for is constant, and its keys tell nothing but a channel's place, so it sees the channel of its
place in the same frame, and the mean of those present where no channel has that place. Queries begin without weights,
keys with theirs: both learn from the first step on.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from eegzip.codecs.networks.dac_mc import BandedAttention

# Scores by which the frame itself is ahead of others, and a place's channel of the other channels. Of 17 frames and 5
# channels 0.7 % of what is seen then comes from elsewhere: nearly nothing, and enough for gradients.
_FRAME_LEAD = 8.0
_CHANNEL_LEAD = 8.0


def heads_for_each(attention: BandedAttention, most: int) -> int:
    """Return how many heads each of `most` places can have."""
    return attention.heads // most


@torch.no_grad()
def look_by_place(attention: BandedAttention, places: Mapping[int, int], most: int, first: int, own: int) -> None:
    """Let attention take from each place's dimensions what the channel of the place has there, in place.

    Parameters
    ----------
    attention
        As built: it adds nothing.
    places
        The place of each style; styles without are looked for by none.
    most
        Number of places.
    first
        Dimension where those of place 0 begin; those of the others follow.
    own
        Dimensions of a place, no more than its heads have together.
    """
    width = attention.out.in_features
    size = width // attention.heads
    heads = heads_for_each(attention, most)
    per_place = heads * size
    query, key, value = attention.qkv.weight.chunk(3)
    query_bias, key_bias, value_bias = attention.qkv.bias.chunk(3)
    # Dimensions of attention's input that tell places, and nothing of latents.
    marks = width - most
    attention.norm.weight[marks:] = 0
    attention.channel[:, marks:] = 0
    for style, place in places.items():
        attention.channel[style, marks + place] = 1
    strength = (_CHANNEL_LEAD * size**0.5) ** 0.5
    for place in range(most):
        dimensions = slice(first + place * own, first + (place + 1) * own)
        rows = slice(place * per_place, (place + 1) * per_place)
        # The first row of each head carries its search; the others wait for what training makes of them.
        search = slice(rows.start, rows.stop, size)
        query[rows], query_bias[rows], key_bias[rows] = 0, 0, 0
        query_bias[search] = strength
        key[search] = 0
        key[search, marks + place] = strength
        copied = slice(rows.start, rows.start + own)
        value[copied], value_bias[copied] = 0, 0
        value[copied, dimensions] = torch.eye(own)
        # Less what is seen: the projection turns the sign, and adds the mean of the channels themselves.
        attention.out.weight[dimensions, copied] = -torch.eye(own)
        attention.time_bias[place * heads : (place + 1) * heads, attention.reach] = _FRAME_LEAD
