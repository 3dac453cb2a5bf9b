"""Pool that segments are drawn from: as many of each recording, prepared once and kept in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from eegzip.formats.errors import BadInputError
from eegzip.training.codebooks.latents import Latents
from eegzip.training.segments.codec import Transform
from eegzip.training.segments.prepared import Arrays, at_transform, draws_of, kept
from eegzip.training.segments.recordings import Part

SEGMENT_SECONDS = 16
# A change in what this module makes of a file must change what the cache looks for.
_VERSION = 1
# A set's share of the draws is its number of segments to this power: small sets teach what no other does.
_BALANCE = 0.25


@dataclass(frozen=True)
class Drawn:
    """Segments of single channels of one part of a recording, float16.

    Attributes
    ----------
    group : str
        The set that it is of.
    rows : ndarray, shape (segments, frames, bins)
    loudness : ndarray, shape (segments, frames)
    hours : float
        Of the part.
    """

    group: str
    rows: npt.NDArray[np.float16]
    loudness: npt.NDArray[np.float16]
    hours: float


def segment_frames(transform: Transform) -> int:
    """Return the frames of a segment."""
    return max(round(SEGMENT_SECONDS * transform.rate / transform.hop), 2) - 1


def drawn_from(part: Part, transform: Transform, cache: Path, seed: int, variant: int, count: int) -> Drawn:
    """Return segments at random places of a part, out of the cache where they are there.

    Parameters
    ----------
    part
        Of a file.
    transform
        That makes latents of it.
    cache
        Folder of the cache.
    seed, variant
        Of places and of the rendition; variant 0 is the recording itself.
    count
        Segments; none of a recording that is shorter than one.

    Raises
    ------
    EegzipError
        The file can't be read or used, or the cache can't be written.
    """
    scaling = transform.scaling
    of = [_VERSION, transform.rate, transform.hop, scaling.spacing, scaling.level_rms, scaling.level_peak]
    found = kept(
        cache, "codebooks", part, [*of, seed, variant, count], partial(_made, part, transform, seed, variant, count)
    )
    return Drawn(part.group, found["rows"], found["loudness"], float(found["hours"]))


def _made(part: Part, transform: Transform, seed: int, variant: int, count: int) -> Arrays:
    rng = draws_of(part, seed, variant)
    y, scale, hours = at_transform(part, transform, rng, variant)
    # Frames of the codec begin at the recording's; here anywhere.
    first, frames = int(rng.integers(transform.hop)), segment_frames(transform)
    latents = transform.analysed(y[:, first:]).numpy()
    loudness = transform.loudness(scale[:, first:], latents.shape[1])
    places = latents.shape[1] - frames + 1
    count = count if places > 0 else 0
    channel, start = rng.integers(len(y), size=count), rng.integers(max(places, 1), size=count)
    index = (channel[:, None], start[:, None] + np.arange(frames))
    loud = loudness[index]
    relative = loud / loud.mean(axis=1, keepdims=True)
    return {
        "rows": latents[index].astype(np.float16),
        "loudness": relative.astype(np.float16),
        "hours": np.array(hours),
    }


class Pool:
    """Segments of several recordings, by set.

    Parameters
    ----------
    drawn
        Of each.

    Raises
    ------
    BadInputError
        There are none.
    """

    def __init__(self, drawn: Sequence[Drawn]) -> None:
        named = {d.group: [e for e in drawn if e.group == d.group and len(e.rows)] for d in drawn if len(d.rows)}
        if not named:
            raise BadInputError(f"no recording is as long as a segment of {SEGMENT_SECONDS} s.")
        self.sets = {
            name: Latents(
                torch.from_numpy(np.concatenate([d.rows for d in named[name]])),
                torch.from_numpy(np.concatenate([d.loudness for d in named[name]])),
            )
            for name in sorted(named)
        }

    def draw(self, frames: int, seed: int, turn: int) -> Latents:
        """Return at least so many frames, in random order and of random polarity.

        Parameters
        ----------
        frames
            How many.
        seed, turn
            The same give the same.
        """
        rng = np.random.default_rng([seed, turn])
        parts = list(self.sets.values())
        weights = np.array([len(part.rows) for part in parts], np.float64) ** _BALANCE
        count = -(-frames // parts[0].rows.shape[1])
        chosen = rng.choice(len(parts), size=count, p=weights / weights.sum())
        rows, loudness = [], []
        for which in chosen:
            place = int(rng.integers(len(parts[which].rows)))
            rows.append(parts[which].rows[place].float() * float(rng.choice([-1.0, 1.0])))
            loudness.append(parts[which].loudness[place].float())
        return Latents(torch.stack(rows), torch.stack(loudness))
