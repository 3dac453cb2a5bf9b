"""Total loss of a step: the losses of a batch, and their weights at that step (paper section 2.3)."""

from __future__ import annotations

import torch

from eegzip.evaluation.spectrogram import spectrogram_loss
from eegzip.training.losses.adversarial import Adversary
from eegzip.training.losses.waveform import phase_loss, stft_loss, waveform_loss
from eegzip.training.settings.checked import TrainSettings
from eegzip.training.settings.sections import LossSettings

Losses = dict[str, torch.Tensor]


def losses_of(x: torch.Tensor, y: torch.Tensor, settings: LossSettings) -> Losses:
    """Return the reconstruction losses of waveforms [N, T] and what became of them, unweighted.

    Parameters
    ----------
    x, y
        Original and restored.
    settings
        Kind of the waveform loss, and which others are wanted: what has no weight is not computed, and zero.
    """
    nothing = x.new_zeros(())
    return {
        "waveform": waveform_loss(x, y, kind=settings.waveform_kind),
        "stft": stft_loss(x, y) if settings.stft else nothing,
        "spectrogram": spectrogram_loss(x, y) if settings.spectrogram else nothing,
        "phase": phase_loss(x, y, windows=settings.phase_windows) if settings.phase else nothing,
    }


def weights_at(settings: TrainSettings, step: int) -> dict[str, float]:
    """Return the weight of every loss at a step."""
    losses, adversarial = settings.losses, settings.adversarial
    return {
        "waveform": losses.waveform(step),
        "stft": losses.stft,
        "spectrogram": losses.spectrogram,
        "phase": losses.phase,
        "commitment": losses.commitment,
        "codebook": losses.codebook,
        "adversarial": adversarial.weight * adversarial.adversarial,
        "feature": adversarial.weight * adversarial.feature,
    }


def weighted_sum(losses: Losses, weights: dict[str, float]) -> torch.Tensor:
    """Return the total; a loss of weight zero takes no part in it, whatever it is."""
    used = [weights[name] * loss for name, loss in losses.items() if weights[name]]
    return torch.stack(used).sum()


def with_adversary(losses: Losses, adversary: Adversary, x: torch.Tensor, y: torch.Tensor, part: float) -> torch.Tensor:
    """Let the discriminators learn from a batch, add what they say of it, and return their own loss.

    Parameters
    ----------
    losses
        Gets two more.
    adversary
        The discriminators.
    x, y
        Original and restored.
    part
        What this process's mean counts for; see :meth:`eegzip.training.loop.distributed.Processes.weight`.
    """
    own = adversary.learn(x[:, None], y[:, None], part)
    judged = adversary.judge(x[:, None], y[:, None])
    losses["adversarial"], losses["feature"] = (part * loss for loss in judged)
    return own


def energies_of(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the energy of the error and of the waveforms [N, T], means removed: what a PRD is made of."""
    return (x - y.detach()).square().sum(), (x - x.mean(1, keepdim=True)).square().sum()


def prd_of(error: float, energy: float) -> float:
    """Return the PRD in percent of all rows of a batch taken together, of their energies."""
    return 100 * float(error / max(energy, 1e-12)) ** 0.5
