"""Chooses, chunk by chunk, the fewest bytes that keep every signal within what was promised.

For the signals of a layer set there are, in a chunk: the tokens alone, a layer on top of them, a layer alone, and the
exact signal. What is written is what a decoder restores, sample for sample, and it is held against the original before
it is written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from eegzip.formats.eegz.exact import encode_exact
from eegzip.formats.eegz.header import FileHeader, Targets
from eegzip.formats.eegz.layers import LayeredChunk, pack_layer
from eegzip.formats.transform.fitting import fit_layer
from eegzip.layers import to_digital
from eegzip.quality import prd_bound

_TIE = 2.0**-20
"""Digital units by which another machine's layers may differ (SPEC.md, section 9)."""

_PEAK_TO_RMS = 3.5
"""Where the search begins for a layer whose largest error is bounded."""

_FINEST = 0.3
"""Digital units. Rounding to integers alone costs a root-mean-square error of 0.29; below that only integers help."""


@dataclass(frozen=True)
class Bounds:
    """What one signal's error may be in one chunk, in digital units.

    Parameters
    ----------
    rms : float
        Root of the mean squared error.
    peak : int or None
        Every error; ``None`` where any is allowed.
    """

    rms: float
    peak: int | None


@dataclass(frozen=True)
class CodedChunk:
    """The signals of one layer set in one chunk, coded.

    Parameters
    ----------
    streams : LayeredChunk
    restored : ndarray of int32, shape (signals, samples)
        What a decoder makes of them.
    ways : tuple of str
        How each signal is stored: ``exact`` or ``layer``.
    """

    streams: LayeredChunk
    restored: np.ndarray
    ways: tuple[str, ...]


def bounds_of(targets: Targets, values: np.ndarray, microvolts: float | None) -> Bounds:
    """Bounds of a signal's samples of one chunk; `microvolts` is the size of a digital unit."""
    percent = prd_bound(targets)
    rms = np.inf if percent is None else percent / 100 * float(values.std())
    if targets.max_error_uv is None or microvolts is None:
        return Bounds(rms, None)
    # What a float rounds away must not cost a whole digital unit.
    return Bounds(rms, int(min(targets.max_error_uv / abs(microvolts) * (1 + 1e-12), 1 << 25)))


class LayerCoder:
    """Codes the signals of one layer set.

    Parameters
    ----------
    header : FileHeader
    number : int
        Of the layer set.
    microvolts : sequence of float or None
        The size of a digital unit, for each of the set's signals.
    """

    def __init__(self, header: FileHeader, number: int, microvolts: list[float | None]) -> None:
        self._header = header
        self._number = number
        self._set = header.layer_sets[number]
        self._microvolts = microvolts
        self._lowest, self._highest = np.array(self._set.lowest), np.array(self._set.highest)
        self._targets = header.targets or Targets()
        self._rate = header.signals[self._set.signals[0]].sample_rate or 1.0

    def code(self, values: np.ndarray) -> CodedChunk:
        """Code a chunk.

        Parameters
        ----------
        values : ndarray of int32, shape (signals, samples)
            The originals.
        """
        bounds = [bounds_of(self._targets, row, unit) for row, unit in zip(values, self._microvolts, strict=True)]
        wanted = np.array([_wanted(bound) for bound in bounds])
        flat = values.min(axis=1) == values.max(axis=1)
        open_ = ~flat & (wanted >= _FINEST)
        streams = LayeredChunk()
        restored = values.copy()
        exact = {
            place: encode_exact(row, self._header.sample_bytes) for place, row in enumerate(values) if not open_[place]
        }
        if open_.any():
            layer = self._fit(values, open_, bounds, wanted)
            if layer is None:
                open_[:] = False
                exact.update(
                    (place, encode_exact(row, self._header.sample_bytes))
                    for place, row in enumerate(values)
                    if place not in exact
                )
            else:
                signals = tuple(self._set.signals[place] for place in np.flatnonzero(open_))
                streams.layers[self._number] = (pack_layer(layer[0], [False] * len(values)), signals)
                restored[open_] = layer[1]
        streams.exact.update((self._set.signals[place], payload) for place, payload in exact.items())
        return CodedChunk(streams, restored, tuple("layer" if coded else "exact" for coded in open_))

    def _fit(
        self, values: np.ndarray, members: np.ndarray, bounds: list[Bounds], wanted: np.ndarray
    ) -> tuple[bytes, np.ndarray] | None:
        """The smallest layer of some signals within their bounds, and the integers that it restores."""
        original = values[members]
        chosen = [bound for bound, member in zip(bounds, members, strict=True) if member]
        low, high = self._lowest[members][:, None], self._highest[members][:, None]

        def judge(samples: np.ndarray) -> np.ndarray:
            return excess(original, samples, low, high, chosen)

        found = fit_layer(original.astype(np.float64), members, wanted[members], self._rate, judge)
        if found is None:
            return None
        return found.stream, to_digital(found.samples, low, high)


def _wanted(bound: Bounds) -> float:
    return bound.rms if bound.peak is None else min(bound.rms, bound.peak / _PEAK_TO_RMS)


def excess(
    original: np.ndarray, samples: np.ndarray, lowest: np.ndarray, highest: np.ndarray, bounds: list[Bounds]
) -> np.ndarray:
    """How many times its bound each signal's error is, on whichever machine it is restored.

    Parameters
    ----------
    original : ndarray of int32, shape (signals, n)
    samples : ndarray of float64, shape (signals, n)
        What a decoder restores, before rounding.
    lowest, highest : ndarray of int, shape (signals, 1)
    bounds : list of Bounds
    """
    # Where rounding is a matter of the last bits, the worse of both neighbours counts.
    errors = np.maximum(
        np.abs(np.clip(np.rint(samples - _TIE), lowest, highest) - original),
        np.abs(np.clip(np.rint(samples + _TIE), lowest, highest) - original),
    )
    rms = np.sqrt(np.einsum("ij,ij->i", errors, errors) / errors.shape[1])
    result = np.array([value / bound.rms for value, bound in zip(rms, bounds, strict=True)])
    for place, bound in enumerate(bounds):
        if bound.peak is not None:
            result[place] = max(result[place], errors[place].max() / max(bound.peak, 0.5))
    return result


class LayerTally:
    """Counts how chunks were coded, and remembers the worst."""

    def __init__(self, signals: int) -> None:
        self.ways = [Counter[str]() for _ in range(signals)]
        self.worst: list[float | None] = [None] * signals

    def add(self, original: np.ndarray, coded: CodedChunk) -> None:
        """Take note of a chunk."""
        for place, (row, back, way) in enumerate(zip(original, coded.restored, coded.ways, strict=True)):
            self.ways[place][way] += 1
            spread = float(row.std())
            if spread > 0:
                error = 100 * float(np.sqrt(np.mean((row - back.astype(np.float64)) ** 2))) / spread
                self.worst[place] = max(error, self.worst[place] or 0.0)
