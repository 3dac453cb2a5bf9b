"""The tables that code tokens in context, as a network in floats (SPEC.md, section 10.1).

What the tables compute is a small network. Its linear part is a Gaussian's: references and lower levels say which
vector is still missing, a running variance says how far to trust that, and an entry is the likelier the better it fits.
Hidden units add what the tokens of lower levels, of the frame before and of the nearest reference say besides. It is
trained in floats on the very integers that the coder will see, and rounded in the end.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from eegzip.formats.tokens.tables import CLASSES, MAX_FACTOR, PriorTables
from eegzip.training.prior.rows import Rows

_X, _MATCH, _Y, _NORM = 256, 32, 1024, 8
_HIDDEN, _NATURAL = 64, 256
_MAX_X, _MAX_Y, _MAX_ACTIVE = 4095 / _X, 4095 / _Y, 4095 / (2 * _HIDDEN)
_MIN_GAIN = 1e-4


class PriorNetwork(torch.nn.Module):
    """The tables as parameters, in natural units."""

    def __init__(self, tables: PriorTables, rows: Rows) -> None:
        super().__init__()
        levels, entries, width = tables.words.shape
        hidden = tables.level.shape[1]
        words = torch.from_numpy(tables.words.astype(np.float32))
        # The last row stands for a token that is not there.
        self.words = torch.cat([words, words.new_zeros(levels, 1, width)], dim=1)
        parts = torch.stack([self.words[level, rows.tokens[:, level]] for level in range(levels)])
        spread = parts.square().mean(1)
        deeper = torch.stack([parts[level + 1 :].sum(0).square().mean(0) for level in range(levels)])
        self.rest = (deeper + spread[-1] + 1.0).round()
        self.unit = (self.rest + spread).sqrt()
        match = (words / self.unit[:, None]).transpose(1, 2)
        self.match = torch.nn.Parameter(match.clone())
        self.norm = torch.nn.Parameter(0.5 * match.square())
        self.gain = torch.nn.Parameter(torch.zeros(levels, 2, width))
        self.norm_gain = torch.nn.Parameter(torch.zeros(levels, 2, width))
        self.bias = torch.nn.Parameter(torch.zeros(levels, 2, entries))

        def small(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(0.05 * torch.randn(*shape))

        self.own, self.before, self.beside = (small(levels, entries + 1, hidden) for _ in range(3))
        self.energy = small(2, CLASSES, hidden)
        self.level = torch.nn.Parameter(torch.full((levels, hidden), 0.1))
        self.out = small(levels, hidden, entries)
        self.held()

    def take(self, tables: PriorTables) -> None:
        """Go on from the integers of a prior for the same words."""

        def natural(table: np.ndarray, unit: float) -> torch.Tensor:
            return torch.from_numpy(table.astype(np.float32)) / unit

        self.rest = natural(tables.rest, 1)
        with torch.no_grad():
            self.match.copy_(natural(tables.match, _MATCH))
            self.norm.copy_(natural(tables.norm, _NORM))
            self.gain.copy_((natural(tables.gain, _X) / self.unit[:, None]).clamp_min(_MIN_GAIN).log())
            squares = self.unit[:, None].square()
            self.norm_gain.copy_((natural(tables.norm_gain, _Y) / squares).clamp_min(_MIN_GAIN).log())
            self.bias.copy_(natural(tables.bias, _NATURAL))
            for name in ("own", "before", "beside"):
                getattr(self, name)[:, :-1].copy_(natural(getattr(tables, name), _HIDDEN))
            for name in ("energy", "level", "out"):
                getattr(self, name).copy_(natural(getattr(tables, name), _HIDDEN))

    def held(self) -> None:
        """Keep the parameters within what the integers can say."""
        most = 127 / _HIDDEN
        with torch.no_grad():
            for table in (self.own, self.before, self.beside, self.energy, self.out):
                table.clamp_(-most, most)
            for table in (self.own, self.before, self.beside):
                table[:, -1] = 0
            self.match.clamp_(-MAX_FACTOR / _MATCH, MAX_FACTOR / _MATCH)
            self.norm.clamp_(-MAX_FACTOR / _NORM, MAX_FACTOR / _NORM)

    def forward(self, rows: Rows) -> torch.Tensor:
        """Return each token's bits [N, K], 0 for those that are not there."""
        levels, entries = len(self.match), self.match.shape[2]
        every = torch.arange(levels)
        missing = rows.prediction
        hidden = self.energy[rows.together, rows.energy]
        hidden = hidden + self.before[every, rows.before].sum(1) + self.beside[every, rows.beside].sum(1)
        gains, norm_gains = self.gain.exp(), self.norm_gain.exp()
        bits = []
        for level in range(levels):
            spread = rows.variance + self.rest[level]
            x = missing * self.unit[level] * gains[level, rows.together] / spread
            y = self.unit[level].square() * norm_gains[level, rows.together] / spread
            active = (hidden + self.level[level]).clamp(0, _MAX_ACTIVE)
            score = x.clamp(-_MAX_X, _MAX_X) @ self.match[level] - y.clamp(max=_MAX_Y) @ self.norm[level]
            score = score + active @ self.out[level] + self.bias[level, rows.together]
            token = rows.tokens[:, level]
            there = token < entries
            cost = torch.nn.functional.cross_entropy(score, token.clamp(max=entries - 1), reduction="none")
            bits.append(cost * there / math.log(2))
            missing = missing - self.words[level, token]
            hidden = hidden + self.own[level, token]
        return torch.stack(bits, dim=1)

    def tables(self, begun: PriorTables) -> PriorTables:
        """Round to the integers of the format."""

        def rounded(value: torch.Tensor, unit: float, dtype: type) -> np.ndarray:
            limits = np.iinfo(dtype)
            scaled = np.rint(value.detach().double().numpy() * unit)
            return np.ascontiguousarray(np.clip(scaled, limits.min, limits.max).astype(dtype))

        return begun._replace(
            match=rounded(self.match, _MATCH, np.int16),
            norm=rounded(self.norm, _NORM, np.int16),
            rest=rounded(self.rest, 1, np.int32),
            gain=rounded(self.gain.exp() * self.unit[:, None], _X, np.int32),
            norm_gain=rounded(self.norm_gain.exp() * self.unit[:, None].square(), _Y, np.int32),
            bias=rounded(self.bias, _NATURAL, np.int16),
            own=rounded(self.own[:, :-1], _HIDDEN, np.int8),
            before=rounded(self.before[:, :-1], _HIDDEN, np.int8),
            beside=rounded(self.beside[:, :-1], _HIDDEN, np.int8),
            energy=rounded(self.energy, _HIDDEN, np.int8),
            level=rounded(self.level, _HIDDEN, np.int16),
            out=rounded(self.out, _HIDDEN, np.int8),
        )
