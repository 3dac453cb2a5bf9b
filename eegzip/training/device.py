"""The device on which a run computes."""

from __future__ import annotations

import torch

from eegzip.formats.errors import UsageError


def chosen_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device that a setting means; ``auto`` is CUDA where there is any.

    Raises
    ------
    UsageError
        There is no such device.
    """
    if name == "auto":
        name = f"cuda:{local_rank}" if torch.cuda.is_available() else "cpu"
    elif name == "cuda":
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"the device '{name}' can't be used: {str(error).splitlines()[0]}") from error
    return device
