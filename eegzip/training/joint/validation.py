"""Validation of the joint decoder on people held out, set by set and depth by depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from eegzip.codecs.networks.joint import JointDecoder
from eegzip.training.segments.codec import Codec
from eegzip.training.segments.segments import Segment

_TINY = 1e-9


def relative_error(latents: torch.Tensor, restored: torch.Tensor, loudness: torch.Tensor) -> torch.Tensor:
    """Return the squared error of each channel [..., channels] over its energy: the square of its PRD.

    Parameters
    ----------
    latents, restored : Tensor, shape (..., channels, frames, bins)
    loudness : Tensor, shape (..., channels, frames)
        The transform is orthonormal, so this is what the waveform's error is in digital units.
    """
    wrong = ((latents - restored).square().sum(-1) * loudness).sum(-1)
    whole = (latents.square().sum(-1) * loudness).sum(-1)
    found: torch.Tensor = wrong / (whole + _TINY)
    return found


class Validation:
    """Measures a decoder on segments of people held out.

    Parameters
    ----------
    segments
        Theirs.
    codec
        Whose tokens they have.
    """

    def __init__(self, segments: Sequence[Segment], codec: Codec) -> None:
        self._segments, self._codec = segments, codec

    @torch.no_grad()
    def __call__(self, decoder: JointDecoder) -> dict[str, Any]:
        """Return the metrics of a decoder.

        Returns
        -------
        dict
            ``prd``: mean over sets and depths, in percent of what it is without the decoder (100: nothing gained);
            ``wiener``: the same of the closed form alone; ``table``: for each set and depth the PRD in percent of
            tokens alone, with the closed form and with the decoder, means over channels and segments.
        """
        decoder.eval()
        device = decoder.noise.device
        cells: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
        for segment in self._segments:
            latents, loudness = (part.to(device).float() for part in (segment.latents, segment.loudness))
            for depth, codes in segment.codes.items():
                decoded = self._codec.decoded(codes).to(device)
                refined, wiener = decoder(decoded, torch.full(loudness.shape, depth, device=device))
                each = [relative_error(latents, way, loudness) for way in (decoded, wiener, refined)]
                cells[segment.group, depth].append([100 * float(way.sqrt().mean()) for way in each])
        means = {cell: np.mean(rows, axis=0) for cell, rows in sorted(cells.items())}
        shares = np.array([100 * row / row[0] for row in means.values()])
        decoder.train()
        return {
            "prd": round(float(shares[:, 2].mean()), 4),
            "wiener": round(float(shares[:, 1].mean()), 4),
            "table": {f"{group} {depth}": [round(float(v), 3) for v in row] for (group, depth), row in means.items()},
        }
