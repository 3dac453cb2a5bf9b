"""Examples of a step: some channels of a segment, at one depth, as drawn for that step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from eegzip.codecs.networks.joint import Neighbours, neighbours_of
from eegzip.training.segments.codec import Codec
from eegzip.training.segments.segments import Segment
from eegzip.training.settings.sections import JointSettings

# The share of a set's frames in all, to this power, is how often it is drawn: small sets teach what no other does.
_BALANCE = 0.25
_USUAL_CHANNELS = 24
_FEW_CHANNELS = 4
# Above so many channels an example gets fewer frames, for the sake of memory and time.
_LONG_BELOW = 24
_MIN_NOISE = 1e-9
# Segments whose errors make the table of errors at most.
_COUNTED = 400
# One segment full of artefacts shall not count for all.
_OUTLIER = 20.0
# Width of the smoothing over depths, in their logarithm.
_SMOOTHING = 0.08


class Example(NamedTuple):
    """Frames of channels of a segment at one depth.

    Attributes
    ----------
    latents, decoded : Tensor, shape (channels, frames, bins)
        As they were, and of the tokens.
    loudness : Tensor, shape (channels, frames)
    depth : int
    neighbours : Neighbours
        What the channels have in common in the whole segment.
    """

    latents: torch.Tensor
    decoded: torch.Tensor
    loudness: torch.Tensor
    depth: int
    neighbours: Neighbours


class Draw:
    """Draws examples; each is a function of seed and step alone.

    Parameters
    ----------
    segments
        To draw from.
    codec
        Whose tokens they have.
    noise
        Squared error of latents to be expected [depths + 1, bins].
    settings
        Sizes of examples.
    seed
        Of all draws.
    """

    def __init__(
        self, segments: Sequence[Segment], codec: Codec, noise: torch.Tensor, settings: JointSettings, seed: int
    ) -> None:
        self._codec, self._noise, self._settings, self._seed = codec, noise, settings, seed
        self._sets: dict[str, list[Segment]] = defaultdict(list)
        for segment in segments:
            self._sets[segment.group].append(segment)
        self._names = sorted(self._sets)
        frames = [sum(s.loudness.numel() for s in self._sets[name]) for name in self._names]
        weights = np.array(frames, np.float64) ** _BALANCE
        self._weights = weights / weights.sum()

    def __call__(self, step: int, number: int) -> Example:
        """Return an example of a step."""
        rng = np.random.default_rng([self._seed, step, number])
        pool = self._sets[self._names[rng.choice(len(self._names), p=self._weights)]]
        segment = pool[rng.integers(len(pool))]
        depths = sorted(segment.codes)
        depth = depths[rng.integers(len(depths))]
        channels, frames = segment.loudness.shape
        if channels <= _USUAL_CHANNELS and rng.random() < 0.5:
            count = channels
        else:
            most = _USUAL_CHANNELS if rng.random() < 0.8 else self._settings.most_channels
            count = int(rng.integers(min(_FEW_CHANNELS, channels), min(channels, most) + 1))
        chosen = rng.permutation(channels)[:count]
        # The polarity of a channel is its montage's choice; that of a recording, too.
        sign = np.full((count, 1, 1), rng.choice([-1.0, 1.0]))
        if rng.random() < 0.3:
            sign = rng.choice([-1.0, 1.0], size=(count, 1, 1))
        flipped = torch.from_numpy(sign).float()
        length = min(frames, self._settings.crop_frames if count <= _LONG_BELOW else self._settings.crop_frames // 2)
        start = int(rng.integers(0, frames - length + 1))
        crop = slice(start, start + length)
        decoded = self._codec.decoded(segment.codes[depth][chosen]) * flipped
        return Example(
            segment.latents[chosen, crop].float() * flipped,
            decoded[:, crop],
            segment.loudness[chosen, crop].float(),
            depth,
            neighbours_of(decoded, self._noise[depth].expand(count, frames, -1)),
        )


def noise_table(segments: Sequence[Segment], codec: Codec) -> torch.Tensor:
    """Return the squared error to be expected of latents [depths + 1, bins]; at depth 0 their energy.

    Segments have tokens of a few depths, so the table is smoothed over those near by.

    Parameters
    ----------
    segments
        To measure.
    codec
        Whose tokens they have.
    """
    bins = codec.codebooks.shape[2]
    total = torch.zeros(codec.depths + 1, bins, dtype=torch.float64)
    count = torch.zeros(codec.depths + 1, dtype=torch.float64)
    step = max(len(segments) // _COUNTED, 1)
    for segment in segments[::step]:
        latents = segment.latents.float()
        total[0] += latents.square().mean((0, 1)).clamp_max(_OUTLIER).double()
        count[0] += 1
        for depth, codes in segment.codes.items():
            error = (latents - codec.decoded(codes)).square().mean((0, 1))
            total[depth] += error.clamp_max(_OUTLIER).double()
            count[depth] += 1
    known = torch.nonzero(count[1:])[:, 0] + 1
    octave = torch.log(known.double() + 0.5)
    near = torch.exp(-0.5 * ((octave[:, None] - octave) / _SMOOTHING) ** 2) * count[known]
    smooth = near @ (total[known] / count[known, None]) / near.sum(1, keepdim=True)
    # Between depths that no segment has, errors fall as a power of the depth.
    wanted = np.log(np.arange(1, codec.depths + 1) + 0.5)
    logs = torch.log(smooth.clamp_min(_MIN_NOISE)).numpy()
    between = np.stack([np.interp(wanted, octave.numpy(), column) for column in logs.T], axis=1)
    return torch.cat([total[:1] / count[0], torch.from_numpy(np.exp(between))]).float()
