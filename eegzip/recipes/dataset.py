"""The recordings of ``shared/data/eeg``: who trains, who is held out, and waveforms at the model's level.

The split is by subject, never by window. Everything a network sees has gone through the codec's own
resampler and adaptive scaling, so training and use can't differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.formats.edf import EdfFile
from eegzip.training.data.waveforms import at_level, resampled

# Subjects whose recordings no training sees. The neonatal set is one recording of one child: its last third.
HELD_OUT = {
    "eegmat": ("Subject16", "Subject17", "Subject18", "Subject19"),
    "ssvep_exo": ("sub07", "sub08"),
    "adhd": (
        "ADHD_v15p", "ADHD_v25p", "ADHD_v286", "ADHD_v288", "CTRL_v110", "CTRL_v111", "CTRL_v121",
        "CTRL_v305", "CTRL_v310", "CTRL_v45p",
    ),
    "vep": ("co2a0000372", "co2c0000344"),
    "neonatal": (),
}  # fmt: skip
# How often a set is drawn: by what it teaches, not by its size alone.
SET_WEIGHTS = {"eegmat": 0.36, "ssvep_exo": 0.2, "adhd": 0.22, "vep": 0.14, "neonatal": 0.08}
_NOT_EEG = ("ECG", "EKG", "EDF Annotations")


@dataclass(frozen=True)
class Waveforms:
    """One recording at the model's rate.

    Attributes
    ----------
    group : str
        Data set.
    name : str
        File name without suffix.
    x : ndarray
        Digital units [C, n].
    y : ndarray
        Normalised, float32 [C, n].
    scale : ndarray
        The scale at every sample, float32 [C, n].
    labels : tuple of str
        Of the channels.
    """

    group: str
    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    labels: tuple[str, ...]


def is_held_out(group: str, name: str) -> bool:
    """Return whether a recording belongs to a subject that training must not see."""
    return name.startswith(HELD_OUT[group]) if HELD_OUT[group] else False


def files(data: Path) -> Iterator[tuple[str, Path]]:
    """Yield set and path of every EDF file that is there, in a fixed order."""
    for group in HELD_OUT:
        for path in sorted((data / group).glob("*.edf")):
            yield group, path


def read_edf(path: Path) -> tuple[npt.NDArray[np.float64], float, tuple[str, ...]]:
    """Return the EEG channels of an EDF file in digital units [C, n], their rate in Hz, and their labels."""
    with EdfFile.open(path) as file:
        wanted = [s for s in file.header.signals if not any(word in s.label for word in _NOT_EEG)]
        samples = np.stack([file.read_signal(s.index, 0, file.n_samples(s.index)) for s in wanted])
        return samples.astype(np.float64), file.header.sample_rate(wanted[0].index), tuple(s.label for s in wanted)


def at_model_level(
    group: str, name: str, x: npt.NDArray[np.float64], scaling: AdaptiveScaling, labels: tuple[str, ...]
) -> Waveforms:
    """Normalise a recording that is at the model's rate already."""
    y, scale = at_level(x, scaling)
    return Waveforms(group, name, x, y, scale.astype(np.float32), labels)


def load(data: Path, rate: float, scaling: AdaptiveScaling) -> tuple[list[Waveforms], list[Waveforms]]:
    """Return training and held-out recordings at ``rate``."""
    train: list[Waveforms] = []
    held_out: list[Waveforms] = []
    for group, path in files(data):
        x, rate_in, labels = read_edf(path)
        x = resampled(x, rate_in, rate)
        if HELD_OUT[group]:
            target = held_out if is_held_out(group, path.stem) else train
            target.append(at_model_level(group, path.stem, x, scaling, labels))
        else:
            cut = x.shape[1] * 2 // 3
            train.append(at_model_level(group, path.stem, x[:, :cut], scaling, labels))
            held_out.append(at_model_level(group, path.stem, x[:, cut:], scaling, labels))
    return train, held_out


def augmented(recording: Waveforms, rate: float, scaling: AdaptiveScaling, rng: np.random.Generator) -> Waveforms:
    """Return a variant of a recording as another amplifier or montage might have made it.

    Time is stretched by up to 1.5 either way (other rates and filters, faster and slower rhythms); mains hum of up to
    three times the EEG is added to some, nearly in phase on all channels; the gain is drawn anew, which the scaling's
    coarse steps turn into a slightly other level. Half of the channels become differences of two.
    """
    x = recording.x - recording.x.mean(axis=1, keepdims=True)
    channels = len(x)
    other = rng.permutation(channels)
    chosen = (rng.random(channels) < 0.5) & (other != np.arange(channels))
    x = np.where(chosen[:, None], x - x[other], x)
    x = resampled(x, rate, float(round(rate * 2 ** rng.uniform(-0.6, 0.6))))
    level = x.std(axis=1, keepdims=True)
    if rng.random() < 0.25:
        hum = rng.choice([50.0, 60.0]) + rng.normal(0, 0.05)
        size = level * 2 ** (rng.uniform(-5, 1.6) + rng.normal(0, 0.4, size=(channels, 1)))
        phase = rng.uniform(0, 6.28) + rng.normal(0, 0.3, size=(channels, 1))
        x = x + size * np.sin(2 * np.pi * hum / rate * np.arange(x.shape[1]) + phase)
    gain = 2 ** rng.uniform(0, 1, size=(channels, 1)) * 100.0 / np.maximum(level, 1e-9)
    return at_model_level(recording.group, recording.name, x * gain, scaling, recording.labels)


class Draw:
    """Draw places of training segments: a set by weight, then a recording by length, then a place.

    Parameters
    ----------
    recordings
        Those of fewer samples than a segment are left out.
    length
        Samples a segment.
    rng
        Source of the draws.
    """

    def __init__(self, recordings: list[Waveforms], length: int, rng: np.random.Generator) -> None:
        self.length = length
        self.rng = rng
        self._pools: dict[str, list[Waveforms]] = {}
        for recording in recordings:
            if recording.y.shape[1] >= length:
                self._pools.setdefault(recording.group, []).append(recording)
        self._names = list(self._pools)
        weights = np.array([SET_WEIGHTS[name] for name in self._names])
        self._weights = weights / weights.sum()
        self._shares = {n: np.array([r.y.size for r in p]) / sum(r.y.size for r in p) for n, p in self._pools.items()}

    def __call__(self) -> tuple[Waveforms, slice]:
        """Return a recording and a range of its samples."""
        name = self._names[self.rng.choice(len(self._names), p=self._weights)]
        pool = self._pools[name]
        recording = pool[self.rng.choice(len(pool), p=self._shares[name])]
        start = int(self.rng.integers(0, recording.y.shape[1] - self.length + 1))
        return recording, slice(start, start + self.length)
