"""The spectrogram loss of :mod:`eegzip.evaluation.spectrogram_loss`, which defines it, on torch: with gradients."""

from __future__ import annotations

import torch

from eegzip.evaluation.spectrogram_loss import FLOOR, WINDOWS
from eegzip.formats.errors import UsageError


def present_rows(x: torch.Tensor, y: torch.Tensor, present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return waveforms [..., T] as rows [N, T], in at least float32, without those of absent channels.

    Parameters
    ----------
    x, y
        Waveforms of the same shape.
    present
        Which of them there are [...], bool; all by default.

    Raises
    ------
    UsageError
        The shapes differ.
    """
    if x.shape != y.shape or (present is not None and present.shape != x.shape[:-1]):
        mask = "" if present is None else f" and a mask of {list(present.shape)}"
        raise UsageError(f"waveforms of shapes {list(x.shape)} and {list(y.shape)}{mask} can't be compared.")
    if present is not None:
        x, y = x[present], y[present]
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    return x.reshape(-1, x.shape[-1]).to(dtype), y.reshape(-1, y.shape[-1]).to(dtype)


def row_mean(losses: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean of the rows' losses [N]; zero, with a gradient of zero, where there is no row."""
    return losses.mean() if len(losses) else y.sum()


def fitting_windows(length: int, windows: tuple[int, ...] = WINDOWS) -> tuple[int, ...]:
    """Return the windows that waveforms of ``length`` samples are long enough for: their mirrored ends must exist.

    Raises
    ------
    UsageError
        There is none.
    """
    found = tuple(w for w in windows if length > w // 2)
    if not found:
        raise UsageError(
            f"waveforms of {length} samples are too short for a spectrogram; {min(windows) // 2 + 1} are the least."
        )
    return found


def mirrored(waves: torch.Tensor, before: int, after: int) -> torch.Tensor:
    """Return waveforms [..., T] continued by their mirror image, without the end itself, at both ends.

    The same as padding of mode ``reflect``, whose gradient torch can't compute reproducibly on CUDA.
    """
    end = waves.shape[-1] - 1
    return torch.cat([waves[..., 1 : before + 1].flip(-1), waves, waves[..., end - after : end].flip(-1)], -1)


def transform(rows: torch.Tensor, window: int, hop: int | None = None) -> torch.Tensor:
    """Return the complex spectrogram [N, window / 2 + 1, frames] of waveforms [N, T]; the first frame starts at 0.

    The hop is a quarter of the window unless told.
    """
    hann = torch.hann_window(window, dtype=rows.dtype, device=rows.device)
    return torch.stft(rows, window, hop or window // 4, window=hann, center=False, return_complex=True)


def magnitudes(rows: torch.Tensor, window: int) -> torch.Tensor:
    """Return the magnitude spectrogram [N, window / 2 + 1, frames] of waveforms [N, T], frames centred."""
    return transform(mirrored(rows, window // 2, window // 2), window).abs()


def spectrogram_losses(x: torch.Tensor, y: torch.Tensor, windows: tuple[int, ...] = WINDOWS) -> torch.Tensor:
    """Return the spectrogram loss of each waveform; see the module for its definition.

    Parameters
    ----------
    x, y
        Waveforms [..., T].
    windows
        Window lengths in samples.

    Returns
    -------
    Tensor
        Losses [...].

    Raises
    ------
    UsageError
        The shapes differ, or the waveforms are shorter than half of the shortest window.
    """
    first, second = present_rows(x, y, None)
    total = second.new_zeros(len(second))
    for window in fitting_windows(x.shape[-1], windows):
        if not len(second):
            break
        logs = [magnitudes(rows, window).clamp(min=FLOOR).log10() for rows in (first, second)]
        total = total + (logs[0] - logs[1]).abs().mean(dim=(1, 2))
    return total.view(x.shape[:-1])


def spectrogram_loss(
    x: torch.Tensor, y: torch.Tensor, present: torch.Tensor | None = None, windows: tuple[int, ...] = WINDOWS
) -> torch.Tensor:
    """Return the mean spectrogram loss of waveforms.

    Parameters
    ----------
    x, y
        Waveforms [..., T]: [B, T], or [B, G, T] with G channels.
    present
        Which channels there are [...], bool; all by default. Absent ones are no part of the mean.
    windows
        Window lengths in samples.

    Raises
    ------
    UsageError
        As :func:`spectrogram_losses`.
    """
    first, second = present_rows(x, y, present)
    return row_mean(spectrogram_losses(first, second, windows), second)
