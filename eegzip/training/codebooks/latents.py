"""Latents of training segments, and how much each of their frames matters.

What counts in the end is the PRD of each channel, relative to its own energy. So a frame weighs as its scale says
(errors of loud moments are larger in microvolts), and a segment by the slope of its PRD: a quiet or predictable
recording must not be drowned by a noisy one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

# Between 0 (a segment's weight is 1 over its energy) and 1 (1 over its error). At 1 the logarithm of the PRD counts.
_SLOPE = 0.75
_MIN_ERROR = 1e-3


@dataclass(frozen=True)
class Latents:
    """Latents of segments of single channels.

    Attributes
    ----------
    rows : Tensor, shape (segments, frames, bins)
        What is quantised.
    loudness : Tensor, shape (segments, frames)
        Squared scale over its mean over the segment.
    """

    rows: torch.Tensor
    loudness: torch.Tensor

    @property
    def vectors(self) -> torch.Tensor:
        """All frames, [segments * frames, bins]."""
        return self.rows.reshape(-1, self.rows.shape[2])

    def part(self, which: torch.Tensor) -> Latents:
        """Return some of the segments."""
        return Latents(self.rows[which], self.loudness[which])

    def floats(self) -> Latents:
        """Return the same as float32, as it is reckoned with; what is kept may be float16."""
        return Latents(self.rows.float(), self.loudness.float())

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
