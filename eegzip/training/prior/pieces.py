"""Tokens of recordings, minute by minute, as files have them: each is compressed with the model."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eegzip.arrays import compress_array
from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.checkpoints.config import ChannelCoding, ModelConfig
from eegzip.recording import Recording
from eegzip.training.prior.rows import Piece
from eegzip.training.segments.prepared import Arrays, draws_of, kept
from eegzip.training.segments.recordings import Part, digital_values

# A change in what this module makes of a file must change what the cache looks for.
_VERSION = 1
_PIECE_SECONDS = 60.0
_MAX_CHANNELS = 64
_LONGEST_LABEL = 16
_FULL_DEPTH_SHARE = 0.5
# Of components of subjects held out.
_HELD_OUT_DEPTH = 16


@dataclass(frozen=True)
class Tokens:
    """The pieces of a part of a recording, and the hours that they are of."""

    pieces: list[Piece]
    hours: float


def chosen_parts(parts: Sequence[Part], most: int, seed: int) -> list[Part]:
    """Return at most so many parts of each set and side."""
    rng = np.random.default_rng(seed)
    chosen: list[Part] = []
    for group in dict.fromkeys(part.group for part in parts):
        for held_out in (False, True):
            own = [part for part in parts if part.group == group and part.held_out is held_out]
            chosen += [own[int(place)] for place in sorted(rng.permutation(len(own))[:most])]
    return chosen


def tokens_of(part: Part, model: Checkpoint, minutes: float, cache: Path, seed: int) -> Tokens:
    """Return the token streams of a part, out of the cache where they are there.

    Parameters
    ----------
    part
        Of a recording.
    model
        Whose tokens.
    minutes
        Of the part at most, from a random place.
    cache
        Folder of the cache.
    seed
        Of place and depth: at full depth in half of the cases and for those held out, else at any.
    """
    of = [_VERSION, model.digest, minutes, seed, part.held_out]
    found = kept(cache, "tokens", part, of, partial(_made, part, model, minutes, seed))
    count = int(found["count"])
    streams = [[found[f"{piece}.{place}"] for place in range(int(found[f"{piece}"]))] for piece in range(count)]
    return Tokens([Piece(part.group, list(each)) for each in streams], float(found["hours"]))


def excerpt(part: Part, minutes: float, rng: np.random.Generator) -> tuple[np.ndarray, float, list[str]]:
    """Return digital values [channels, samples] of so many minutes at most, the rate in Hz, and labels for a file."""
    x, rate, labels = digital_values(part)
    length = min(x.shape[1], max(round(minutes * 60 * float(rate)), 1))
    start = int(rng.integers(x.shape[1] - length + 1))
    names = [
        label if label.isascii() and label.isprintable() and 0 < len(label) <= _LONGEST_LABEL else f"E{number}"
        for number, label in enumerate(labels, 1)
    ]
    return x[:_MAX_CHANNELS, start : start + length], float(rate), names[:_MAX_CHANNELS]


def _made(part: Part, model: Checkpoint, minutes: float, seed: int) -> Arrays:
    rng = draws_of(part, seed, 0)
    x, rate, labels = excerpt(part, minutes, rng)
    depth = _depth(model.config, part.held_out, rng)
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        target = Path(folder) / "tokens.eegz"
        compress_array(x, rate, labels, target, model=model.folder, codebooks=depth, **part.coding)
        with Recording(target, model=model.folder) as recording:
            streams = recording.tokens()
    made: Arrays = {"hours": np.array(x.shape[1] / rate / 3600)}
    pieces = 0
    for frame_rate, length in sorted({(stream.frame_rate or 1.0, len(stream)) for stream in streams}):
        alike = [s.codes for s in streams if (s.frame_rate or 1.0, len(s)) == (frame_rate, length)]
        step = max(round(_PIECE_SECONDS * frame_rate), 1)
        for start in range(0, length, step):
            made[str(pieces)] = np.array(len(alike))
            made |= {f"{pieces}.{place}": codes[:, start : start + step] for place, codes in enumerate(alike)}
            pieces += 1
    return made | {"count": np.array(pieces)}


def _depth(config: ModelConfig, held_out: bool, rng: np.random.Generator) -> int | None:
    """Codebooks that a recording is coded with; ``None`` for all."""
    levels = config.network.n_codebooks
    if config.channel_coding is ChannelCoding.KLT:
        # Components have all depths at once, and what counts is how loud the error is.
        return min(_HELD_OUT_DEPTH, levels) if held_out else int(rng.integers(1, levels + 1))
    full = held_out or rng.random() < _FULL_DEPTH_SHARE
    return None if full else int(rng.integers(min(3, levels), levels + 1))
