"""The losses of training other than the spectrogram's: DAC's and BioCodec's, for EEG channels that may be absent.

Every function takes the original first and the restored signal second. Silent EEG (all zeros) is common and harmless:
losses and gradients stay finite. Weights and their schedule are settings
(:class:`eegzip.training.settings.sections.LossSettings`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eegzip.evaluation.spectrogram import (
    FLOOR,
    fitting_windows,
    magnitudes,
    mirrored,
    present_rows,
    row_mean,
    transform,
)

STFT_WINDOWS = (2048, 512)
PHASE_WINDOWS = (32, 64, 128, 256)
# Of a waveform at the network's level, 1e-4 of full scale, squared: what lies below is no signal.
_SILENCE = 1e-8
_HUBER = 0.7
_PHASE_WEIGHT = 0.2

Maps = Sequence[Sequence[torch.Tensor]]


def waveform_loss(
    x: torch.Tensor, y: torch.Tensor, present: torch.Tensor | None = None, kind: str = "l1"
) -> torch.Tensor:
    """Return how far waveforms [..., T] are apart, absent channels left out.

    Parameters
    ----------
    x, y
        Waveforms.
    present
        Which channels there are [...], bool; all by default.
    kind
        Of each channel: ``l1``, the mean absolute difference (DAC's); ``squared``, the mean square of the difference;
        ``huber``, the mean of d^2 / 1.4 for differences d below 0.7, of abs(d) - 0.35 for larger ones (BioCodec's);
        ``log_relative``, the logarithm of that over the variance of the original, 1e-8 added to both: what a PRD
        is made of, by which a quiet channel counts as a loud one does.
    """
    first, second = present_rows(x, y, present)
    if kind == "l1":
        return row_mean((first - second).abs().mean(dim=1), second)
    if kind == "huber":
        differences = torch.nn.functional.smooth_l1_loss(second, first, reduction="none", beta=_HUBER)
        return row_mean(differences.mean(dim=1), second)
    squares = (first - second).square().mean(dim=1)
    if kind == "log_relative":
        energies = (first - first.mean(dim=1, keepdim=True)).square().mean(dim=1)
        squares = ((squares + _SILENCE) / (energies + _SILENCE)).log()
    return row_mean(squares, second)


def stft_loss(
    x: torch.Tensor,
    y: torch.Tensor,
    present: torch.Tensor | None = None,
    windows: tuple[int, ...] = STFT_WINDOWS,
) -> torch.Tensor:
    """Return DAC's multi-scale STFT loss: over each window, the L1 errors of log power and of magnitude, summed.

    Spectrograms are those of :mod:`eegzip.evaluation.spectrogram`; the logarithm is that of base 10 of the squared
    magnitude, which is at least 1e-5 before it is squared.

    Parameters
    ----------
    x, y
        Waveforms [..., T].
    present
        Which channels there are [...], bool; all by default.
    windows
        Window lengths in samples; those that the waveforms are too short for are left out.
    """
    first, second = present_rows(x, y, present)
    total = second.new_zeros(len(second))
    for window in fitting_windows(x.shape[-1], windows):
        if not len(second):
            break
        real, restored = magnitudes(first, window), magnitudes(second, window)
        logs = 2 * (real.clamp(min=FLOOR).log10() - restored.clamp(min=FLOOR).log10()).abs()
        total = total + (logs + (real - restored).abs()).mean(dim=(1, 2))
    return row_mean(total, second)


def phase_loss(
    x: torch.Tensor,
    y: torch.Tensor,
    present: torch.Tensor | None = None,
    windows: Sequence[int] = PHASE_WINDOWS,
) -> torch.Tensor:
    """Return BioCodec's multi-scale loss in magnitude and phase.

    For each window length w, of spectrograms S with hop w / 8 (Hann window, mirrored ends): three maps log(1 + abs S),
    0.2 cos(phase of S) and 0.2 sin(phase of S); the mean absolute plus the mean squared difference of original and
    restored over all maps, bins and frames. Summed over w.

    Parameters
    ----------
    x, y
        Waveforms [..., T].
    present
        Which channels there are [...], bool; all by default.
    windows
        Lengths in samples; those that the waveforms are too short for are left out.
    """
    first, second = present_rows(x, y, present)
    total = second.new_zeros(len(second))
    for window in fitting_windows(x.shape[-1], tuple(windows)):
        if not len(second):
            break
        difference = _magnitude_and_phase(first, window) - _magnitude_and_phase(second, window)
        total = total + difference.abs().mean(dim=(1, 2, 3)) + difference.square().mean(dim=(1, 2, 3))
    return row_mean(total, second)


def _magnitude_and_phase(rows: torch.Tensor, window: int) -> torch.Tensor:
    """Return the three maps [N, 3, bins, frames] of waveforms [N, T]."""
    spectrogram = transform(mirrored(rows, window // 2, window // 2), window, window // 8)
    parts = torch.view_as_real(spectrogram)
    # Squares first: the root of nothing has no gradient.
    size = (parts.square().sum(-1) + _SILENCE**2).sqrt()
    return torch.stack([size.log1p(), *(_PHASE_WEIGHT * part / size for part in parts.unbind(-1))], 1)


def discriminator_loss(real: Maps, restored: Maps) -> torch.Tensor:
    """Return the least-squares loss of discriminators, their mean: real waveforms should score 1, restored ones 0.

    DAC sums over its discriminators. Adam takes no notice of the factor, and a mean says the same whatever their
    number: 0.5 is what answering 0.5 to everything costs, 0 is certainty.

    Parameters
    ----------
    real, restored
        Feature maps, a list for each discriminator, of which the last map is the score.
    """
    each = [(1 - a[-1]).square().mean() + b[-1].square().mean() for a, b in zip(real, restored, strict=True)]
    return torch.stack(each).mean()


def generator_loss(restored: Maps) -> torch.Tensor:
    """Return how far restored waveforms are from scoring 1, in squares, summed over discriminators as in DAC.

    Parameters
    ----------
    restored
        Feature maps of the restored waveforms, a list for each discriminator.
    """
    return torch.stack([(1 - maps[-1]).square().mean() for maps in restored]).sum()


def feature_matching_loss(real: Maps, restored: Maps) -> torch.Tensor:
    """Return the L1 differences of all feature maps but the scores, summed as in DAC; real maps get no gradient.

    Parameters
    ----------
    real, restored
        Feature maps, a list for each discriminator.
    """
    each = [
        (a.detach() - b).abs().mean()
        for ours, theirs in zip(real, restored, strict=True)
        for a, b in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    return torch.stack(each).sum()
