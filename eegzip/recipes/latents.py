"""Latents of training segments, and how much each of their frames matters.

What counts in the end is the PRD of each channel, relative to its own energy. So a frame weighs as its scale says
(errors of loud moments are larger in microvolts), and a segment by the slope of its PRD: a quiet or predictable
recording must not be drowned by a noisy one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from eegzip.codecs.channels.neighbours import neighbour_groups
from eegzip.codecs.networks.dac import mdct_basis
from eegzip.recipes.dataset import Draw, Waveforms

SEGMENT_SECONDS = 16
# Between 0 (a segment's weight is 1 over its energy) and 1 (1 over its error). At 1 the logarithm of the PRD counts.
_SLOPE = 0.75
_LEAST_ERROR = 1e-3
# Share of the groups that come from a random part of the channels, as smaller caps would give them.
_PART_OF_A_CAP = 0.4


@dataclass
class Latents:
    """Latents of segments of one kind.

    Attributes
    ----------
    rows : Tensor
        [segments, frames, width]: the first `width` of the model's latent dimensions, beyond which they are nothing.
    loudness : Tensor
        [segments, frames]: squared scale over its mean over the segment.
    """

    rows: torch.Tensor
    loudness: torch.Tensor

    @property
    def width(self) -> int:
        """Dimensions in use."""
        return self.rows.shape[2]

    def energies(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the energy of each segment [segments] of vectors like `rows`, loudness counted."""
        return (rows.view_as(self.rows).square().sum(2) * self.loudness).mean(1)

    def weights(self, error: torch.Tensor) -> torch.Tensor:
        """Return the weight of each frame [segments * frames], given what is left of `rows`."""
        energy = self.energies(self.rows) + 1e-9
        left = torch.maximum(self.energies(error), _LEAST_ERROR * energy)
        slope = 1.0 / (left**_SLOPE * energy ** (1.0 - _SLOPE))
        return (slope[:, None] * self.loudness).reshape(-1)

    def log_prd(self, error: torch.Tensor) -> torch.Tensor:
        """Return the natural logarithm of each segment's relative error."""
        return 0.5 * (self.energies(error) / (self.energies(self.rows) + 1e-9) + 1e-9).log()


def analysed(waves: np.ndarray, hop: int) -> torch.Tensor:
    """Return MDCT coefficients [rows, frames, hop] of waveforms [rows, T], the outer frames left out."""
    kernel = mdct_basis(hop)[:, None]
    rows = torch.from_numpy(np.ascontiguousarray(waves))[:, None]
    found = functional.conv1d(rows, kernel, stride=hop, padding=hop // 2)
    return found[:, :, 1:-1].transpose(1, 2)


def loudness_of(scales: np.ndarray, hop: int) -> torch.Tensor:
    """Return squared scales [rows, frames] at the same frames, over their mean."""
    squared = torch.from_numpy(np.square(scales[:, hop : scales.shape[1] - hop : hop].astype(np.float64)))
    return (squared / squared.mean(1, keepdim=True)).float()


def of_channels(recordings: list[Waveforms], rate: float, hop: int, frames: int, seed: int) -> list[Latents]:
    """Return latents of at least `frames` frames of single channels.

    Parameters
    ----------
    recordings
        At the model's rate and level.
    rate, hop
        Of the model.
    frames
        How many.
    seed
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    draw = Draw(recordings, round(SEGMENT_SECONDS * rate) // hop * hop, rng)
    waves, scales = [], []
    for _ in range(-(-frames // (draw.length // hop - 1))):
        recording, part = draw()
        channel = rng.integers(len(recording.y))
        waves.append(recording.y[channel, part] * np.float32(rng.choice([-1, 1])))
        scales.append(recording.scale[channel, part])
    rows = analysed(np.stack(waves), hop)
    return [Latents(rows, loudness_of(np.stack(scales), hop))]


def draw_groups(
    recordings: list[Waveforms], limit: int, length: int, count: int, rng: np.random.Generator
) -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
    """Return waveforms and scales, each [n, length], of groups of neighbours in their row, by n.

    Parameters
    ----------
    recordings
        At the model's rate and level.
    limit
        Largest group.
    length
        Samples a segment.
    count
        How many groups.
    rng
        Source of the draws.
    """
    draw = Draw(recordings, length, rng)
    found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for _ in range(count):
        recording, part = draw()
        names = np.arange(len(recording.labels))
        if rng.random() < _PART_OF_A_CAP:
            names = np.sort(rng.permutation(names)[: rng.integers(1, len(names) + 1)])
        groups = neighbour_groups([recording.labels[i] for i in names], limit)
        chosen = names[list(groups[rng.integers(len(groups))])]
        sign = np.float32(rng.choice([-1, 1]))
        found.setdefault(len(chosen), []).append((recording.y[chosen, part] * sign, recording.scale[chosen, part]))
    return found


def of_groups(
    recordings: list[Waveforms], mixing: dict[int, torch.Tensor], rate: float, hop: int, frames: int, seed: int
) -> list[Latents]:
    """Return latents of at least `frames` frames of groups of neighbours, one :class:`Latents` for each size.

    Parameters
    ----------
    recordings
        At the model's rate and level.
    mixing
        For each size of group the orthonormal matrix [components, channels].
    rate, hop, frames, seed
        As in :func:`of_channels`.
    """
    length = round(SEGMENT_SECONDS * rate) // hop * hop
    rng = np.random.default_rng(seed)
    groups = draw_groups(recordings, max(mixing), length, -(-frames // (length // hop - 1)), rng)
    found = []
    for size, members in sorted(groups.items()):
        waves = analysed(np.concatenate([wave for wave, _ in members]), hop).unflatten(0, (len(members), size))
        rows = torch.einsum("jc,scfk->sfjk", mixing[size], waves).flatten(2).contiguous()
        loudness = loudness_of(np.concatenate([scale for _, scale in members]), hop).unflatten(0, (len(members), size))
        found.append(Latents(rows, loudness.mean(1)))
    return found


def mixing_of(recordings: list[Waveforms], limit: int, rate: float, count: int, seed: int) -> dict[int, torch.Tensor]:
    """Return for each size of group the principal components of its rows of channels [components, channels].

    Each is of the mean correlation of `count` groups, so it is of no one recording.
    """
    groups = draw_groups(recordings, limit, round(SEGMENT_SECONDS * rate), count, np.random.default_rng(seed))
    found = {1: torch.ones(1, 1)}
    for size in range(2, limit + 1):
        if not groups.get(size):
            raise ValueError(f"The recordings give no groups of {size} channels.")
        mean = np.mean([np.corrcoef(wave) for wave, _ in groups[size] if wave.std(axis=1).all()], axis=0)
        # A row read backwards is as good a row.
        vectors = np.linalg.eigh((mean + mean[::-1, ::-1]) / 2)[1][:, ::-1].T
        vectors *= np.where(vectors[np.arange(size), np.abs(vectors).argmax(axis=1)] < 0, -1, 1)[:, None]
        found[size] = torch.from_numpy(np.ascontiguousarray(vectors)).float()
    return found
