"""Batches as the network takes them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch

from eegzip.training.data.sampling import Batch, Sampler

Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Batches:
    """Draws batches and brings them to the device.

    The batch of the next step is drawn in a thread while the device is at work on this one.

    Attributes
    ----------
    sampler : Sampler
        Draws them.
    styles_of : callable
        Gives the style numbers of channel labels.
    device : torch.device
        Where the network lives.
    """

    sampler: Sampler
    styles_of: Callable[[list[str]], list[int]]
    device: torch.device
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "batches"), repr=False)
    _waiting: dict[tuple[int, int, int, int | None], Future[Tensors]] = field(default_factory=dict, repr=False)

    def batch(self, step: int, size: int, first: int = 0, count: int | None = None) -> Tensors:
        """Return waveforms [B, G, T], styles [B, G] and presence [B, G] of a batch, or of some rows of it.

        Slots that no row uses are left out. Parameters are those of
        :meth:`~eegzip.training.data.sampling.Sampler.batch`.
        """
        drawn = self._waiting.pop((step, size, first, count), None)
        self._waiting.clear()
        tensors = self._drawn(step, size, first, count) if drawn is None else drawn.result()
        following = (step + 1, size, first, count)
        self._waiting[following] = self._thread.submit(self._drawn, *following)
        wave, styles, present = (tensor.to(self.device) for tensor in tensors)
        return wave, styles, present

    def _drawn(self, step: int, size: int, first: int, count: int | None) -> Tensors:
        return self._tensors(self.sampler.batch(step, size, first, count))

    def _tensors(self, batch: Batch) -> Tensors:
        slots = max(int(batch.present.sum(1).max()), 1)
        styles = np.zeros((len(batch.wave), slots), np.int64)
        for row, labels in enumerate(batch.labels):
            styles[row, : len(labels)] = self.styles_of(labels)
        wave = torch.from_numpy(np.ascontiguousarray(batch.wave[:, :slots]))
        present = torch.from_numpy(np.ascontiguousarray(batch.present[:, :slots]))
        return wave, torch.from_numpy(styles), present
