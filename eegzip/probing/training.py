"""Training of a head on tokens that stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegzip.formats.errors import UsageError
from eegzip.probing.head import TokenClassifier

_SMOOTHING = 0.1
_DECAY = 1e-2


@dataclass(frozen=True)
class HeadSettings:
    """How heads are made and trained.

    Defaults are those of the paper's code, but for the size of batches, which suits some dozens of subjects.

    Parameters
    ----------
    width : int
        Dimensions of embeddings, a multiple of 8.
    epochs, batch : int
    learning_rate : float
        Of Adam, with a weight decay of 0.01. Labels are smoothed by 0.1, classes weighted to be alike.
    device : str
    """

    width: int = 16
    epochs: int = 20
    batch: int = 16
    learning_rate: float = 1e-3
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch) < 1 or not self.learning_rate > 0:
            raise UsageError("epochs, batch and learning rate of a head must be above 0.")


def trained(
    codes: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    n_classes: int,
    codewords: npt.NDArray[np.float32],
    settings: HeadSettings,
    seed: int,
) -> TokenClassifier:
    """Train a head on windows [N, C, K, F] of classes [N]; the same seed gives the same head on the same machine."""
    device = torch.device(settings.device)
    x, y = torch.from_numpy(codes), torch.from_numpy(classes)
    counts = torch.bincount(y, minlength=n_classes).clamp(min=1)
    # Initial weights and dropout draw from the global generator, whose state is the caller's.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = TokenClassifier(codewords[: codes.shape[2]], codes.shape[1], n_classes, width=settings.width)
        head.to(device).train()
        measure = nn.CrossEntropyLoss((len(y) / (n_classes * counts)).to(device), label_smoothing=_SMOOTHING)
        optimiser = torch.optim.Adam(head.parameters(), settings.learning_rate, weight_decay=_DECAY)
        for _ in range(settings.epochs):
            for places in torch.randperm(len(y)).split(settings.batch):
                loss = measure(head(x[places].to(device)), y[places].to(device))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return head.eval()


def probabilities(head: TokenClassifier, codes: npt.NDArray[np.int64], settings: HeadSettings) -> np.ndarray:
    """Return probabilities [N, classes] of windows."""
    device = torch.device(settings.device)
    with torch.no_grad():
        parts = [head(part.to(device)).softmax(dim=1).cpu() for part in torch.from_numpy(codes).split(settings.batch)]
    return torch.cat(parts).numpy()
