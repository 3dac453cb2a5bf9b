"""Beam search over the levels of a residual vector quantiser.

The greedy search takes the nearest codeword at each level. A beam keeps the few best partial choices
instead: measured on EEG it lowers the error by 8 to 15 % at the same bits. One hypothesis makes it the
greedy search, whose tokens for fewer levels are a prefix of those for more.

On CPUs :mod:`eegzip.codecs.quantisation.beam_cpu` does it, tens of times faster than torch. Elsewhere rows are searched
in blocks of one fixed size, so the matrix products have the same shape, and the tokens are the same, however many rows
come at once.
"""

from __future__ import annotations

import functools

import numpy as np
import torch

from eegzip.codecs.quantisation.beam_cpu import BeamSearch
from eegzip.formats.tokens.packed import ABSENT

BLOCK_ROWS = 512
_GROUPS = 32
# Keeps packed distances normal and positive, so that their bits sort as they do.
_TINY = 1e-20


class ResidualSearch:
    """Search for the codewords whose sum is nearest to a vector.

    Parameters
    ----------
    codebooks
        Codebooks [levels, size, dim].
    beam
        Hypotheses kept from level to level.
    """

    def __init__(self, codebooks: torch.Tensor, beam: int) -> None:
        self.codebooks = codebooks
        self.beam = beam
        self._compiled = BeamSearch(codebooks.detach().numpy(), beam) if codebooks.device.type == "cpu" else None
        size = codebooks.shape[1]
        self._groups = next(g for g in range(min(_GROUPS, size), 0, -1) if size % g == 0)
        # A codeword's place among the members of its group, for the low bits of its distance.
        self._member_mask = (1 << (size // self._groups - 1).bit_length()) - 1
        self._members = (torch.arange(size, device=codebooks.device) // self._groups).to(torch.int32)

    @functools.cached_property
    def _columns(self) -> torch.Tensor:
        # addmm wants the codewords as columns, scaled by the -2 of |r - c|^2 = |r|^2 - 2 r.c + |c|^2.
        return (self.codebooks * -2.0).transpose(1, 2).contiguous()

    @functools.cached_property
    def _squares(self) -> torch.Tensor:
        return self.codebooks.square().sum(2)

    def __call__(self, rows: torch.Tensor, levels: int, multipliers: torch.Tensor | None = None) -> torch.Tensor:
        """Return the indices [N, levels] (int64) chosen for ``rows`` [N, dim].

        Parameters
        ----------
        rows
            Vectors to be coded.
        levels
            How many codebooks to use, the first ones.
        multipliers
            Squared error [N] that a codeword must take away to be worth it; see
            :class:`~eegzip.codecs.quantisation.beam_cpu.BeamSearch`.
        """
        if self._compiled is not None:
            enough = None if multipliers is None else multipliers.numpy()
            chosen = self._compiled(rows.detach().numpy(), levels, torch.get_num_threads(), enough)
            return torch.from_numpy(chosen.astype(np.int64))
        codes = self.search_in_blocks(rows, levels)
        return codes if multipliers is None else self._shortened(rows, codes, multipliers)

    def _shortened(self, rows: torch.Tensor, codes: torch.Tensor, multipliers: torch.Tensor) -> torch.Tensor:
        """Return codes [N, levels] without those above the level at which error plus multipliers is least."""
        residual, least = rows, rows.square().sum(1)
        depth = torch.zeros_like(codes[:, 0])
        for level in range(codes.shape[1]):
            residual = residual - self.codebooks[level][codes[:, level]]
            cost = residual.square().sum(1) + (level + 1) * multipliers
            depth[cost < least] = level + 1
            least = torch.minimum(cost, least)
        return codes.masked_fill(torch.arange(codes.shape[1], device=codes.device) >= depth[:, None], ABSENT)

    def search_in_blocks(self, rows: torch.Tensor, levels: int) -> torch.Tensor:
        """Do the same with torch alone, on whatever device the rows are."""
        n = rows.shape[0]
        codes = torch.empty(n, levels, dtype=torch.int64, device=rows.device)
        for start in range(0, n, BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            if len(block) < BLOCK_ROWS:
                padding = rows.new_zeros(BLOCK_ROWS - len(block), rows.shape[1])
                block = torch.cat([block, padding])
            codes[start : start + BLOCK_ROWS] = self._block(block, levels)[: n - start]
        return codes

    def _block(self, rows: torch.Tensor, levels: int) -> torch.Tensor:
        """Search one block of exactly ``BLOCK_ROWS`` rows."""
        n = rows.shape[0]
        residual = rows
        energy = rows.square().sum(1)
        chosen: list[torch.Tensor] = []
        parents: list[torch.Tensor] = []
        for level in range(levels):
            width = residual.shape[0] // n
            keep = self.beam if level + 1 < levels else 1
            distance = torch.addmm(self._squares[level], residual, self._columns[level])
            distance += energy[:, None]
            parent, code = self._best(distance, n, width, keep)
            row = (parent + torch.arange(0, n * width, width, device=rows.device)[:, None]).view(-1)
            residual = residual.index_select(0, row) - self.codebooks[level].index_select(0, code.view(-1))
            # Measured afresh rather than carried along: differences of large sums would lose the small ones.
            energy = residual.square().sum(1)
            chosen.append(code)
            parents.append(parent)
        return _backtrack(chosen, parents)

    def _best(self, distance: torch.Tensor, n: int, width: int, keep: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return hypothesis and code, each [n, keep], of the ``keep`` best candidates of each row.

        At most one candidate comes from each group of codewords of each hypothesis: a minimum over groups
        followed by a small selection is several times faster than selecting among all. The place within the
        group rides in the low bits of the distance, whose last bits decide nothing worth having, so the
        minimum brings it along. ``distance`` is overwritten.
        """
        size = distance.shape[1]
        packed = distance.clamp_min_(_TINY).view(torch.int32)
        packed.bitwise_and_(~self._member_mask).bitwise_or_(self._members)
        grouped = distance.view(n * width, size // self._groups, self._groups).amin(1)
        grouped = grouped.view(n, width * self._groups)
        if keep == 1:
            best, slot = grouped.min(1, keepdim=True)
        else:
            best, slot = grouped.topk(min(keep, grouped.shape[1]), dim=1, largest=False, sorted=True)
        member = best.view(torch.int32).bitwise_and(self._member_mask).to(torch.int64)
        return slot // self._groups, member * self._groups + slot % self._groups


def _backtrack(chosen: list[torch.Tensor], parents: list[torch.Tensor]) -> torch.Tensor:
    """Follow the best last hypothesis back to the first level; returns codes [n, levels]."""
    at = torch.zeros_like(chosen[-1][:, :1])
    codes = []
    for code, parent in zip(reversed(chosen), reversed(parents), strict=True):
        codes.append(code.gather(1, at))
        at = parent.gather(1, at)
    return torch.cat(codes[::-1], dim=1)
