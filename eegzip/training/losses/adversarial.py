"""The discriminators and their optimiser: DAC's multi-period and multi-resolution ones, at EEG's size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from eegzip.training.losses.discriminators import Discriminator, DiscriminatorConfig
from eegzip.training.losses.waveform import discriminator_loss, feature_matching_loss, generator_loss
from eegzip.training.settings.sections import AdversarialSettings


class Adversary:
    """Learns to tell restored waveforms from real ones, and says how the codec could fool it.

    Parameters
    ----------
    settings
        Of the discriminators' phase.
    device
        Where they live.
    wrapped
        What distributed training does to a module.
    """

    def __init__(
        self, settings: AdversarialSettings, device: torch.device, wrapped: Callable[[nn.Module], nn.Module]
    ) -> None:
        self.network = Discriminator(DiscriminatorConfig(channels=settings.width)).to(device)
        self._wrapped = wrapped(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.lr, betas=(0.8, 0.99))
        self.settings = settings

    def learn(self, real: torch.Tensor, restored: torch.Tensor, part: float = 1.0) -> torch.Tensor:
        """Do one step of the discriminators on waveforms [N, 1, T]; return their mean loss times ``part``."""
        self.network.requires_grad_(True)
        # One pass over both: distributed training wants one forward for each backward.
        both = self._wrapped(torch.cat([real, restored.detach()]))
        ours, theirs = halves(both)
        loss = part * discriminator_loss(ours, theirs)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        return loss.detach()

    def judge(self, real: torch.Tensor, restored: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the adversarial and the feature-matching loss of restored waveforms [N, 1, T]."""
        self.network.requires_grad_(False)
        ours, theirs = halves(self.network(torch.cat([real, restored])))
        return generator_loss(theirs), feature_matching_loss(ours, theirs)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


def halves(maps: list[list[torch.Tensor]]) -> tuple[list[list[torch.Tensor]], list[list[torch.Tensor]]]:
    """Split the feature maps of a doubled batch into those of its two halves."""
    first = [[m[: len(m) // 2] for m in one] for one in maps]
    second = [[m[len(m) // 2 :] for m in one] for one in maps]
    return first, second
