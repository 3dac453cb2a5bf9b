"""Segments to learn from: latents, and the tokens that the codec's own search gives them, made once and kept.

The codec is left as it is, so its tokens of a segment never change: they are searched for once, at a few depths each,
and kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.networks.dac import mdct_basis
from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.formats.errors import EegzipError, ModelError
from eegzip.formats.files import replaced
from eegzip.training.data.waveforms import at_level, resampled
from eegzip.training.joint.recordings import Part, digital_values
from eegzip.training.joint.renditions import rendition

# A change in what this module makes of a file must change what the cache looks for.
_VERSION = 1
_FEWEST_FRAMES = 24
_MOST_CHANNELS = 64
VALIDATION_DEPTHS = (3, 8, 24)
_LARGEST_CODEBOOK = 256


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


class Codec:
    """The part of a model that segments need: transform, level and search.

    Parameters
    ----------
    checkpoint
        A model of single channels whose latents are MDCT coefficients.

    Attributes
    ----------
    codebooks : Tensor, shape (depths, entries, bins)

    Raises
    ------
    ModelError
        The model is another kind.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        config = checkpoint.config
        shape = config.network
        if config.multichannel is not None or not (shape.direct_codebooks and shape.linear_path):
            raise ModelError(
                f"A joint decoder is for models of single channels with a linear path; {config.name} is another kind."
            )
        if shape.codebook_size > _LARGEST_CODEBOOK:
            raise ModelError(f"A joint decoder is for codebooks of at most {_LARGEST_CODEBOOK} entries.")
        basis = checkpoint.state["encoder.linear.weight"]
        last = f"encoder.block.{len(shape.encoder_rates) + 2}"
        if any(checkpoint.state[f"{last}.{part}"].any() for part in ("weight_g", "bias")):
            raise ModelError(f"A joint decoder needs a transform alone; {config.name} has convolutions, too.")
        if config.scaling.kind != "adaptive" or not torch.equal(basis[:, 0], mdct_basis(shape.hop)):
            raise ModelError(f"A joint decoder needs adaptive scaling and an MDCT, which {config.name} has not.")
        self.digest = checkpoint.digest
        self.rate, self.hop = config.rate, shape.hop
        self.window, self.beam = config.window_frames, config.beam
        self.scaling = AdaptiveScaling(config.scaling.spacing, config.scaling.level_rms, config.scaling.level_peak)
        names = [f"quantizer.quantizers.{level}.codebook.weight" for level in range(shape.n_codebooks)]
        self.codebooks = torch.stack([checkpoint.state[name] for name in names])
        self._basis = basis
        self._searches: dict[int, BeamSearch] = {}

    @property
    def depths(self) -> int:
        """Codebooks."""
        return len(self.codebooks)

    def analysed(self, y: npt.NDArray[np.float32]) -> torch.Tensor:
        """Return latents [channels, frames, bins] of waveforms [channels, samples], the outer frames left out."""
        rows = torch.from_numpy(np.ascontiguousarray(y))[:, None]
        found = functional.conv1d(rows, self._basis, stride=self.hop, padding=self.hop // 2)
        return found[:, :, 1:-1].transpose(1, 2)

    def search(self, latents: torch.Tensor, depth: int) -> npt.NDArray[np.uint8]:
        """Return the tokens [..., depth] of latents [..., bins], as ``compress`` finds them."""
        if depth not in self._searches:
            self._searches[depth] = BeamSearch(self.codebooks[:depth].numpy(), self.beam)
        rows = latents.reshape(-1, latents.shape[-1]).numpy()
        return self._searches[depth](rows, depth, 1).astype(np.uint8).reshape(*latents.shape[:-1], depth)

    def decoded(self, codes: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return the latents [..., bins] that tokens [..., depth] stand for."""
        index = torch.from_numpy(codes.astype(np.int64))
        total = self.codebooks[0][index[..., 0]].clone()
        for level in range(1, index.shape[-1]):
            total += self.codebooks[level][index[..., level]]
        return total


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
    part: Part, codec: Codec, cache: Path, seed: int, variant: int = 0, most: int = 0
) -> tuple[list[Segment], float]:
    """Return the segments of a part, out of the cache where they are there, and its hours.

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

    Raises
    ------
    EegzipError
        The file can't be read or used, or the cache can't be written.
    """
    entry = cache / f"{_key(part, codec, seed, variant, most)}.npz"
    if not entry.is_file():
        made = _made(part, codec, seed, variant, most)
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with replaced(entry) as path, path.open("wb") as file:
                np.savez(file, allow_pickle=False, **made)
        except OSError as error:
            raise EegzipError(f"the cache {cache} can't be written: {error.strerror}.") from error
    segments = []
    with np.load(entry, allow_pickle=False) as found:
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
        return segments, float(found["hours"])


def _key(part: Part, codec: Codec, seed: int, variant: int, most: int) -> str:
    stat = part.source.path.stat()
    file = [str(part.source.path.resolve()), stat.st_size, stat.st_mtime_ns, str(part.first), str(part.last)]
    text = json.dumps([_VERSION, codec.digest, file, seed, variant, most, part.held_out])
    return "joint-" + hashlib.sha256(text.encode()).hexdigest()[:40]


def _made(part: Part, codec: Codec, seed: int, variant: int, most: int) -> dict[str, npt.NDArray[np.generic]]:
    x, rate = digital_values(part)
    x = x[:_MOST_CHANNELS]
    hours = x.shape[1] / float(rate) / 3600
    # Of names and not of places, so that files that come later change no other's draws.
    name = f"{part.group}/{part.source.path.name}/{part.first}"
    rng = np.random.default_rng([seed, variant, *hashlib.sha256(name.encode()).digest()[:8]])
    x = resampled(x, rate, codec.rate)
    if variant:
        x = rendition(x, codec.rate, rng)
    y, scale = at_level(x, codec.scaling)
    latents = codec.analysed(y)
    squared = np.square(scale[:, codec.hop : codec.hop * (latents.shape[1] + 1) : codec.hop])
    loudness = torch.from_numpy(squared / squared.mean(axis=1, keepdims=True))
    count = latents.shape[1]
    starts = [start for start in range(0, count, codec.window) if count - start >= _FEWEST_FRAMES]
    if most:
        starts = [starts[i] for i in np.unique(np.linspace(0, len(starts) - 1, most).astype(int))] if starts else []
    made: dict[str, npt.NDArray[np.generic]] = {"count": np.array(len(starts)), "hours": np.array(hours)}
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
