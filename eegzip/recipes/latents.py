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

from eegzip.codecs.networks.dac import mdct_basis
from eegzip.recipes.dataset import Draw, Waveforms

SEGMENT_SECONDS = 16
# Between 0 (a segment's weight is 1 over its energy) and 1 (1 over its error). At 1 the logarithm of the PRD counts.
_SLOPE = 0.75
_MIN_ERROR = 1e-3


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
        left = torch.maximum(self.energies(error), _MIN_ERROR * energy)
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
