"""Segments to learn from: latents, and the tokens that the codec's own search gives them, made once and kept.

The codec is left as it is, so its tokens of a segment never change: they are searched for once, at a few depths each,
and kept in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from eegzip.training.segments.codec import Codec
from eegzip.training.segments.prepared import Arrays, at_transform, draws_of, kept
from eegzip.training.segments.recordings import Part

# A change in what this module makes of a file must change what the cache looks for.
_VERSION = 1
_FEWEST_FRAMES = 24
_MAX_CHANNELS = 64
VALIDATION_DEPTHS = (3, 8, 24)


@dataclass(frozen=True)
class Segment:
    """A window of a recording, all channels.

    Attributes
    ----------
    group : str
        Set that it is of.
    latents : Tensor, shape (channels, frames, bins)
        What the codec codes, float16.
    loudness : Tensor, shape (channels, frames)
        Squared scale over its mean: how much an error there matters to the PRD, float16.
    codes : dict of int to ndarray of uint8, shape (channels, frames, depth)
        Tokens by depth.
    """

    group: str
    latents: torch.Tensor
    loudness: torch.Tensor
    codes: dict[int, npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Segments:
    """The segments of a part of a recording, and its hours."""

    segments: list[Segment]
    hours: float


def drawn_depths(depths: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return three depths: one low, one from the middle, one high."""
    low, middle = max(depths // 8, 1), max(depths // 3, 1)
    wanted = (
        rng.integers(1, low + 1),
        rng.integers(min(low, middle), middle + 1),
        rng.integers(max(depths // 4, 1), depths + 1),
    )
    return tuple(sorted({int(depth) for depth in wanted}))


def segments_of(
    part: Part, codec: Codec, cache: Path, seed: int, variant: int = 0, most: int = 0, drift: float = 0.0
) -> Segments:
    """Return the segments of a part, out of the cache where they are there.

    Parameters
    ----------
    part
        Of a file.
    codec
        Whose tokens they get.
    cache
        Folder of the cache.
    seed, variant
        Of the depths, and of the rendition; variant 0 is the recording itself.
    most
        Segments at most, evenly spread; 0: all.
    drift
        Share of renditions with slow drift.

    Raises
    ------
    EegzipError
        The file can't be read or used, or the cache can't be written.
    """
    of = [_VERSION, codec.digest, seed, variant, most, drift, part.held_out]
    found = kept(cache, "joint", part, of, partial(_made, part, codec, seed, variant, most, drift))
    segments = []
    for number in range(int(found["count"])):
        depths = found[f"depths{number}"]
        segments.append(
            Segment(
                part.group,
                torch.from_numpy(found[f"latents{number}"]),
                torch.from_numpy(found[f"loudness{number}"]),
                {int(depth): found[f"codes{number}.{depth}"] for depth in depths},
            )
        )
    return Segments(segments, float(found["hours"]))


def _made(part: Part, codec: Codec, seed: int, variant: int, most: int, drift: float) -> Arrays:
    rng = draws_of(part, seed, variant)
    y, scale, hours = at_transform(part, codec, rng, variant, _MAX_CHANNELS, drift)
    latents = codec.analysed(y)
    squared = codec.loudness(scale, latents.shape[1])
    loudness = torch.from_numpy(squared / squared.mean(axis=1, keepdims=True))
    count = latents.shape[1]
    starts = [start for start in range(0, count, codec.window) if count - start >= _FEWEST_FRAMES]
    if most:
        starts = [starts[i] for i in np.unique(np.linspace(0, len(starts) - 1, most).astype(int))] if starts else []
    made: Arrays = {"count": np.array(len(starts)), "hours": np.array(hours)}
    for number, start in enumerate(starts):
        piece = latents[:, start : start + codec.window].contiguous()
        depths = drawn_depths(codec.depths, rng)
        if part.held_out:
            depths = tuple(depth for depth in VALIDATION_DEPTHS if depth <= codec.depths)
        made[f"latents{number}"] = piece.half().numpy()
        made[f"loudness{number}"] = loudness[:, start : start + codec.window].half().numpy()
        made[f"depths{number}"] = np.array(depths)
        made |= {f"codes{number}.{depth}": codec.search(piece, depth) for depth in depths}
    return made
