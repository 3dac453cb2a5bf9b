"""Validation of the codec by windows of subjects that training never saw.

The windows are chosen once: spread evenly over the subjects held out, then over their recordings, groups of channels
and time, the same at every validation and after every resumption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.data.corpus import CachedRecording
from eegzip.training.data.sampling import Grouping, segment_of
from eegzip.training.quantiser import quantise
from eegzip.training.validation.metrics import CodebookUse, WindowMetrics

_ROWS = 8


@dataclass(frozen=True)
class Window:
    """A stretch of a group of channels of one recording."""

    recording: CachedRecording
    channels: tuple[int, ...]
    start: int

    def waves(self, length: int) -> npt.NDArray[np.float32]:
        """Return the waveforms [G, length]; what a short recording lacks is mirrored."""
        return segment_of(self.recording, self.channels, self.start, length)


def chosen_windows(
    recordings: Sequence[CachedRecording], length: int, count: int, grouping: Grouping, seed: int
) -> list[Window]:
    """Return up to ``count`` windows: subjects in turn, and of each subject an even choice of all there is.

    Parameters
    ----------
    recordings
        Of the subjects held out.
    length
        Samples a window.
    count
        Windows wanted.
    grouping
        Says which channels are coded together.
    seed
        Of the groups, where they are random.
    """
    subjects: dict[str, list[Window]] = {}
    for number, recording in enumerate(recordings):
        rng = np.random.default_rng([seed, number])
        groups = grouping(recording.labels, rng)
        starts = range(0, max(recording.waves.shape[1] - length, 0) + 1, length)
        subjects.setdefault(recording.subject, []).extend(
            Window(recording, tuple(group), start) for start in starts for group in groups
        )
    each = -(-count // max(len(subjects), 1))
    chosen = []
    for windows in subjects.values():
        # Steps that share no factor with the number of groups would do; a shuffle by seed does as well.
        order = np.random.default_rng(seed).permutation(len(windows))[:each]
        chosen.append([windows[i] for i in order])
    turns = max((len(windows) for windows in chosen), default=0)
    return [windows[turn] for turn in range(turns) for windows in chosen if turn < len(windows)][:count]


class Validation:
    """Measures a network on windows.

    Parameters
    ----------
    windows
        From :func:`chosen_windows`.
    length
        Samples a window.
    rate
        Sampling rate in Hz.
    styles_of
        Style numbers of channel labels.
    """

    def __init__(
        self, windows: Sequence[Window], length: int, rate: float, styles_of: Callable[[Sequence[str]], list[int]]
    ) -> None:
        self.rate = rate
        self._batches: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], list[str]]] = []
        by_size: dict[int, list[Window]] = {}
        for window in windows:
            by_size.setdefault(len(window.channels), []).append(window)
        for alike in by_size.values():
            for first in range(0, len(alike), _ROWS):
                part = alike[first : first + _ROWS]
                waves = np.stack([window.waves(length) for window in part])
                labels = [[window.recording.labels[c] for c in window.channels] for window in part]
                styles = np.array([styles_of(row) for row in labels], np.int64)
                self._batches.append((waves, styles, [window.recording.subject for window in part]))

    @torch.no_grad()
    def measure(self, network: TokenNetwork, levels: int | None = None) -> dict[str, Any]:
        """Return metrics of a network, all in the waveform that it sees.

        Parameters
        ----------
        network
            In evaluation mode.
        levels
            Codebooks to use; all by default.
        """
        shape = network.config
        levels = levels or shape.n_codebooks
        device = next(network.parameters()).device
        metrics, use = WindowMetrics(self.rate), CodebookUse(levels, shape.codebook_size)
        for waves, styles, subjects in self._batches:
            x = torch.from_numpy(waves).to(device)
            s = torch.from_numpy(styles).to(device)
            latent = network.latents(x, s, torch.ones_like(s, dtype=torch.bool))
            found = quantise(network, latent, torch.full((len(x),), levels, device=device))
            y = network.waves(found.latent, s)
            group = x.shape[1]
            metrics.update(
                waves.reshape(-1, waves.shape[-1]),
                y.cpu().numpy().reshape(-1, waves.shape[-1]),
                [subject for subject in subjects for _ in range(group)],
            )
            use.update(found.codes[:, :levels].cpu().numpy())
        return {**metrics.result(), "codebooks": use.result()}
