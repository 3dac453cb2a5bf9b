"""Fits tables to the tokens of recordings, step by step."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from eegzip.formats.tokens.tables import PriorTables, TokenPrior, pack_prior
from eegzip.training.prior.network import PriorNetwork
from eegzip.training.prior.rows import Piece, Rows, begun, rows_of
from eegzip.training.settings.sections import PriorSettings

_WARMUP = 50
# Rows of each set by which the network's units are found.
_COUNTED = 8000
# How fast what the tables take from codewords moves, beside the rest.
_SLOW = 0.25


class PriorFit:
    """A fit of tables; everything random is a function of seed and step.

    Parameters
    ----------
    words : ndarray of int16, shape (K, S, D)
        From :func:`~eegzip.training.prior.rows.words_of`.
    pieces : sequence of Piece
        Of subjects that may be trained on; sets count alike, however much there is of each.
    settings : PriorSettings
    seed : int
    begin : PriorTables, optional
        Tables for like words, to go on from; their hidden units are then kept.
    """

    def __init__(
        self,
        words: np.ndarray,
        pieces: Sequence[Piece],
        settings: PriorSettings,
        seed: int,
        begin: PriorTables | None = None,
    ) -> None:
        self._settings, self._seed = settings, seed
        rng = np.random.default_rng(seed)
        self._begun = begun(words, pieces, settings.hidden) if begin is None else begin._replace(words=words)
        prior = TokenPrior(pack_prior(self._begun))
        self._rows: list[Rows] = []
        for group in sorted({piece.group for piece in pieces}):
            own = [piece for piece in pieces if piece.group == group]
            parts: list[Rows] = []
            for number in rng.permutation(len(own)):
                parts += rows_of(prior, own[int(number)], rng)
                if sum(len(part.energy) for part in parts) >= settings.rows:
                    break
            self._rows.append(Rows.joined(parts))
        some = [part[torch.from_numpy(rng.permutation(len(part.energy))[:_COUNTED])] for part in self._rows]
        torch.manual_seed(seed)
        self._network = PriorNetwork(self._begun, Rows.joined(some))
        if begin is not None:
            self._network.take(begin)
        slow = [self._network.match, self._network.norm]
        fast = [table for name, table in self._network.named_parameters() if name not in ("match", "norm")]
        parts_of_rate = [{"params": slow, "peak": _SLOW}, {"params": fast, "peak": 1.0}]
        self._optimiser = torch.optim.Adam(parts_of_rate, lr=0.0)
        self.step, self.seconds = 0, 0.0

    def advance(self) -> float:
        """Do a step; return its bits a frame."""
        began = time.monotonic()
        settings = self._settings
        fall = 0.5 * (1 + math.cos(math.pi * self.step / settings.steps))
        for part in self._optimiser.param_groups:
            part["lr"] = settings.lr * min(1.0, (self.step + 1) / _WARMUP) * fall * part["peak"]
        rng = np.random.default_rng([self._seed, self.step])
        share = max(settings.batch // len(self._rows), 1)
        drawn = [part[torch.from_numpy(rng.integers(len(part.energy), size=share))] for part in self._rows]
        loss = self._network(Rows.joined(drawn)).sum(1).mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self._network.held()
        self.step += 1
        self.seconds += time.monotonic() - began
        return float(loss.detach())

    def content(self) -> bytes:
        """Return the tables as they are, rounded to the integers of the format: a ``prior.safetensors``."""
        return pack_prior(self._network.tables(self._begun))

    def state(self) -> dict[str, Any]:
        """Return what a fit of the same pieces goes on from."""
        return {
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
