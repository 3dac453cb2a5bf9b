"""Scales that bring tokens back to microvolts: the side information that a file stores beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegzip.codecs.signal.scaling import scale_of
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.errors import UsageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Scales:
    """Level and offset of a batch of B recordings, as :meth:`eegzip.Tokenizer.encode` finds them.

    Tokens say what a waveform looks like at the level that the network was trained for. How loud it was is apart from
    them: integers at knots, some seconds apart, between which offset and scale are interpolated (SPEC.md, section 5).

    Parameters
    ----------
    channel_names : tuple of str
        The C channels.
    sample_rate : Fraction
        Hz.
    n_samples : int
        Of each channel, T.
    knots : ndarray of int64, shape (B, C, N, 2)
        Codes of scale and offset; no knots with a fixed scaling.
    steps : ndarray of float64, shape (B, C)
        Digits of an offset code; the digits that become 1 with a fixed scaling.
    centres : ndarray of float64, shape (B, C)
        Digits that were taken away first.
    limits : ndarray of float64, shape (B, C, 2)
        Lowest and highest digit of the original, which nothing that is restored passes.
    gains, offsets : ndarray of float64, shape (C,)
        Microvolts a digit, and microvolts of digit 0.
    klts : tuple of tuple of (tuple of int, KLT)
        Of each recording: channels whose components were coded in place of them, and the rotation (Karhunen-Loeve
        transform) that made these. Then knots and steps are of components.
    """

    channel_names: tuple[str, ...]
    sample_rate: Fraction
    n_samples: int
    knots: npt.NDArray[np.int64]
    steps: npt.NDArray[np.float64]
    centres: npt.NDArray[np.float64]
    limits: npt.NDArray[np.float64]
    gains: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    klts: tuple[tuple[tuple[tuple[int, ...], KLT], ...], ...]

    def __len__(self) -> int:
        """Return the number of recordings, B."""
        return len(self.centres)

    def __getitem__(self, chosen: slice) -> Scales:
        """Return the scales of some recordings of the batch."""
        if not isinstance(chosen, slice):
            raise UsageError("scales are cut by slices, as in scales[:8]; a batch of one is scales[3:4].")
        return replace(
            self,
            knots=self.knots[chosen],
            steps=self.steps[chosen],
            centres=self.centres[chosen],
            limits=self.limits[chosen],
            klts=self.klts[chosen],
        )

    def microvolts(self) -> torch.Tensor:
        """Return the scale at the knots, float32 [B, C, N]: about the RMS of the waveform around each, in uV.

        Of a model that codes components of recordings, in units of the components.
        """
        import torch

        scales = scale_of(self.knots[..., 0])
        if not any(self.klts):
            scales = scales * np.abs(self.gains)[:, None]
        return torch.from_numpy(scales.astype(np.float32))
