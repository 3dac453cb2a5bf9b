"""One process or many: what ``torchrun`` says, and the few things that processes must agree on.

``torchrun --nproc-per-node 2 -m eegzip.cli.main train ...`` starts the same command several times; torch's
``DistributedDataParallel`` averages the gradients. Every process draws the same global batch and takes its own rows of
it, so many processes do what one would.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn

from eegzip.formats.errors import UsageError
from eegzip.training.device import chosen_device


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is, and where it computes.

    Attributes
    ----------
    rank, count : int
        Number of this process, and of all.
    device : torch.device
        Where its network lives.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share(self, batch: int) -> tuple[int, int]:
        """Return the first row and the number of rows of this process's part of a batch.

        Raises
        ------
        UsageError
            The batch can't be shared out evenly.
        """
        if batch % self.count:
            raise UsageError(f"a batch of {batch} can't be shared evenly by {self.count} processes; change --batch.")
        rows = batch // self.count
        return self.rank * rows, rows

    def wrapped(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients are averaged over all processes."""
        if self.count == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(module, device_ids=ids)

    def agree(self, module: nn.Module) -> None:
        """Give the weights of the first process's module to those of all others, in place."""
        if self.count > 1:
            for value in module.state_dict().values():
                distributed.broadcast(value, 0)

    def gathered(self, value: torch.Tensor) -> torch.Tensor:
        """Return the rows of all processes, in the order of the global batch."""
        if self.count == 1:
            return value
        parts = [torch.empty_like(value) for _ in range(self.count)]
        distributed.all_gather(parts, value.contiguous())
        return torch.cat(parts)

    def averaged(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean of a tensor over all processes."""
        if self.count > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.count
        return value

    def weight(self, rows: int) -> float:
        """Return what the mean over this process's rows counts for, so that the mean of means is the mean of all."""
        if self.count == 1:
            return 1.0
        total = torch.tensor([float(rows)], device=self.device)
        distributed.all_reduce(total)
        return rows * self.count / max(float(total.item()), 1.0)

    def any(self, flag: bool) -> bool:
        """Whether a flag is set in any process."""
        if self.count == 1:
            return flag
        value = torch.tensor([float(flag)], device=self.device)
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return bool(value.item())

    def wait(self) -> None:
        """Wait for all processes."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, or be the only one.

    Parameters
    ----------
    device
        As :attr:`eegzip.training.settings.sections.RunSettings.device`.
    """
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    chosen = chosen_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    # The others wait while the first prepares recordings and validates, which may take hours.
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(days=2))
    try:
        yield Processes(rank, count, chosen)
    finally:
        distributed.destroy_process_group()
