"""The recordings of ``shared/data/eeg``: who trains, who is kept aside, and waveforms at the model's level.

The split is by person, never by window. Everything a network sees has gone through the codec's own
resampler and adaptive scaling, so training and use can't differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyedflib

from eegzip.codecs.resampling import Resampler, rate_ratio
from eegzip.codecs.scaling import AdaptiveScaling, choose_offset_step, normalise

# People whose recordings no training sees. The neonatal set is one recording of one child: its last third.
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
    """

    group: str
    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]


def held_out(group: str, name: str) -> bool:
    """Return whether a recording belongs to a person that training must not see."""
    return name.startswith(HELD_OUT[group]) if HELD_OUT[group] else False


def files(data: Path) -> Iterator[tuple[str, Path]]:
    """Yield set and path of every EDF file that is there, in a fixed order."""
    for group in HELD_OUT:
        for path in sorted((data / group).glob("*.edf")):
            yield group, path


def read_edf(path: Path) -> tuple[npt.NDArray[np.float64], float]:
    """Return the EEG channels of an EDF file in digital units [C, n], and their rate in Hz."""
    reader = pyedflib.EdfReader(str(path))
    try:
        labels = reader.getSignalLabels()
        wanted = [i for i, label in enumerate(labels) if not any(word in label for word in _NOT_EEG)]
        rate = float(reader.getSampleFrequency(wanted[0]))
        return np.stack([reader.readSignal(i, digital=True) for i in wanted]).astype(np.float64), rate
    finally:
        reader.close()


def resample_all(x: npt.NDArray[np.float64], rate_in: float, rate_out: float) -> npt.NDArray[np.float64]:
    """Resample a whole recording [C, n], its end values held beyond its ends as the codec does."""
    resampler = Resampler(*rate_ratio(rate_in, rate_out))
    count = resampler.output_length(x.shape[1])
    start, stop = resampler.input_range(0, count)
    where = np.clip(np.arange(start, stop), 0, x.shape[1] - 1)
    return resampler.resample(x[:, where], start, 0, count)


def at_model_level(group: str, name: str, x: npt.NDArray[np.float64], scaling: AdaptiveScaling) -> Waveforms:
    """Normalise a recording that is at the model's rate already."""
    total = x.shape[1]
    step = choose_offset_step(x.std(axis=1))
    codes = scaling.knots(x, 0, 0, scaling.n_knots(total), total, step)
    offset, scale = scaling.curves(codes, 0, 0, total, step)
    return Waveforms(group, name, x, normalise(x, offset, scale), scale.astype(np.float32))


def load(data: Path, rate: float, scaling: AdaptiveScaling) -> tuple[list[Waveforms], list[Waveforms]]:
    """Return training and held-out recordings at ``rate``."""
    train: list[Waveforms] = []
    aside: list[Waveforms] = []
    for group, path in files(data):
        x, rate_in = read_edf(path)
        x = resample_all(x, rate_in, rate)
        if HELD_OUT[group]:
            target = aside if held_out(group, path.stem) else train
            target.append(at_model_level(group, path.stem, x, scaling))
        else:
            cut = x.shape[1] * 2 // 3
            train.append(at_model_level(group, path.stem, x[:, :cut], scaling))
            aside.append(at_model_level(group, path.stem, x[:, cut:], scaling))
    return train, aside


def augmented(recording: Waveforms, rate: float, scaling: AdaptiveScaling, rng: np.random.Generator) -> Waveforms:
    """Return a variant of a recording as another amplifier or montage might have made it.

    Half of the channels become differences of two (bipolar montages); time is stretched by up to 1.5
    either way (other rates and filters, faster and slower rhythms); mains hum is added to some; the gain
    is drawn anew, which the scaling's coarse steps turn into a slightly other level.
    """
    x = recording.x - recording.x.mean(axis=1, keepdims=True)
    channels = len(x)
    other = rng.permutation(channels)
    bipolar = rng.random(channels) < 0.5
    x = np.where((bipolar & (other != np.arange(channels)))[:, None], x - x[other], x)
    x = resample_all(x, rate, float(round(rate * 2 ** rng.uniform(-0.6, 0.6))))
    level = x.std(axis=1, keepdims=True)
    if rng.random() < 0.3:
        hum = rng.choice([50.0, 60.0]) + rng.normal(0, 0.05)
        size = level * rng.uniform(0.02, 0.4, size=(channels, 1))
        x = x + size * np.sin(2 * np.pi * hum / rate * np.arange(x.shape[1]) + rng.uniform(0, 6.28))
    gain = 2 ** rng.uniform(0, 1, size=(channels, 1)) * 100.0 / np.maximum(level, 1e-9)
    return at_model_level(recording.group, recording.name, x * gain, scaling)


class Sampler:
    """Draw training segments: a set by weight, then a recording by length, a channel, a place, a polarity."""

    def __init__(self, recordings: list[Waveforms], length: int, seed: int, heavy_hum: float = 0.0) -> None:
        self.length = length
        self.heavy_hum = heavy_hum
        self.rng = np.random.default_rng(seed)
        self._pools: dict[str, list[npt.NDArray[np.float32]]] = {}
        for recording in recordings:
            if recording.y.shape[1] >= length:
                self._pools.setdefault(recording.group, []).append(recording.y)
        self._names = list(self._pools)
        weights = np.array([SET_WEIGHTS[name] for name in self._names])
        self._weights = weights / weights.sum()
        self._shares = {n: np.array([y.size for y in p]) / sum(y.size for y in p) for n, p in self._pools.items()}

    def batch(self, count: int) -> npt.NDArray[np.float32]:
        """Return segments [count, length]."""
        out = np.empty((count, self.length), dtype=np.float32)
        for i in range(count):
            name = self._names[self.rng.choice(len(self._names), p=self._weights)]
            pool = self._pools[name]
            y = pool[self.rng.choice(len(pool), p=self._shares[name])]
            start = self.rng.integers(0, y.shape[1] - self.length + 1)
            out[i] = y[self.rng.integers(len(y)), start : start + self.length]
        out *= self.rng.choice(np.array([-1, 1], dtype=np.float32), size=(count, 1))
        return self._with_hum(out) if self.heavy_hum else out

    def _with_hum(self, segments: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Drown a share of the segments in a mains-like tone, at the level that the scaling would give them.

        Recordings with dry or loose electrodes look so. A decoder that never saw them takes the tone for
        something that it learned to remove.
        """
        for i in np.flatnonzero(self.rng.random(len(segments)) < self.heavy_hum):
            tone = 2 * np.pi * self.rng.uniform(0.15, 0.27) * np.arange(self.length)
            level = segments[i].std()
            noisy = segments[i] + level * 2 ** self.rng.uniform(-1, 4) * np.sin(tone + self.rng.uniform(0, 6.28))
            segments[i] = noisy * (level / noisy.std())
        return segments
