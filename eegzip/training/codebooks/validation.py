"""Validation of codebooks on people held out, set by set and depth by depth."""

from __future__ import annotations

import math
from typing import Any

import torch

from eegzip.training.codebooks.pool import Pool
from eegzip.training.codebooks.refine import coded, sum_of_codewords

_DEPTHS = (3, 8, 24)


class Validation:
    """Measures codebooks on segments of people held out.

    Parameters
    ----------
    pool
        Their segments.
    beam
        Hypotheses of the codec's search.
    """

    def __init__(self, pool: Pool, beam: int) -> None:
        self._pool, self.beam = pool, beam

    def __call__(self, codebooks: torch.Tensor) -> dict[str, Any]:
        """Return the metrics of codebooks [levels, size, bins].

        Returns
        -------
        dict
            ``prd``: percent, a geometric mean over segments, depths and sets; ``table``: the same for each set and
            depth. Of latents, whose transform is orthonormal, loudness counted: in digital units.
        """
        levels = len(codebooks)
        table = {}
        for name, part in self._pool.sets.items():
            latents = part.floats()
            for depth in sorted({*(depth for depth in _DEPTHS if depth < levels), levels}):
                codes = coded(codebooks, latents.vectors, depth, self.beam)
                left = latents.log_prd(latents.vectors - sum_of_codewords(codebooks, codes))
                table[f"{name} {depth}"] = float(left.mean())
        mean = sum(table.values()) / len(table)
        shown = {cell: round(100 * math.exp(value), 3) for cell, value in table.items()}
        return {"prd": round(100 * math.exp(mean), 4), "table": shown}
