"""Chooses, chunk by chunk, the fewest bytes that keep every signal within what was promised.

For the signals of a layer set there are, in a chunk: the tokens alone; a layer of the transform coder, on top of them
or alone; with a bound on every sample, corrections of single samples besides; and the predictive coder, within a bound
or exact. What is written is what a decoder restores, and it is held against the original before it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eegzip.encoding.bounds import TIE, Bounds, bounds_of, excess, excess_between
from eegzip.evaluation.eeg_part import eeg_energy
from eegzip.formats.eegz.header import BREATHING, FileHeader, Targets
from eegzip.formats.eegz.layer_reader import correct, to_digital
from eegzip.formats.eegz.layers import LayeredChunk, StoredResidual, pack_layer
from eegzip.formats.fixed_order import gram
from eegzip.formats.predictive.coder import decode_residual, encode_residual
from eegzip.formats.predictive.fixed import encode_exact
from eegzip.formats.transform.corrections import MAX_STEPS, encode_corrections
from eegzip.formats.transform.search.fitting import fit_layer

EXACT, TOKENS, LAYER, TOKENS_AND_LAYER, PREDICTED = "exact", "tokens", "layer", "tokens+layer", "predicted"
CORRECTED = "+corrections"

_MIN_RMS = 0.45
"""Digital units. Rounding alone costs a root-mean-square error of 0.29; not far above that integers are better."""

_PEAK_TO_RMS = (1.7, 2.1, 2.7)
"""Bounds of single samples over root-mean-square errors of layers that are tried: corrections do the rest."""

_PREDICTION_WORTH = 0.8
"""Bits a sample of a corrected layer from which on the predictive coder is tried."""

_REFERENCES = 3


@dataclass(frozen=True)
class SetSynthesis:
    """What tokens alone give of a layer set's signals in a chunk.

    Parameters
    ----------
    samples : ndarray of float64, shape (signals, n)
        Before rounding.
    tolerance : ndarray of float64, shape (signals,)
        How far another machine's may be off, in digital units (SPEC.md, section 9).
    """

    samples: np.ndarray
    tolerance: np.ndarray


@dataclass
class CodedChunk:
    """The signals of one layer set in one chunk, coded.

    Parameters
    ----------
    streams : LayeredChunk
    restored : ndarray of int32, shape (signals, samples)
        What a decoder makes of them.
    ways : list of str
        How each signal is stored.
    """

    streams: LayeredChunk
    restored: np.ndarray
    ways: list[str]


class BoundedCoder:
    """Codes the signals of one layer set.

    Parameters
    ----------
    header : FileHeader
    number : int
        Of the layer set.
    microvolts : list of float or None
        The size of a digital unit, for each of the set's signals.
    """

    def __init__(self, header: FileHeader, number: int, microvolts: list[float | None]) -> None:
        self._number = number
        self._signals = header.layer_sets[number].signals
        self._microvolts = microvolts
        self._lowest = np.array(header.layer_sets[number].lowest)
        self._highest = np.array(header.layer_sets[number].highest)
        self._targets = header.targets or Targets()
        # Of breathing the whole counts alone: no EEG part is so large that it bounds an error.
        self._whole_only = np.array([header.signals[index].kind == BREATHING for index in self._signals])
        self._sample_bytes = header.sample_bytes
        self._rate = header.signals[self._signals[0]].sample_rate or 1.0

    def code(self, values: np.ndarray, tokens: SetSynthesis | None = None) -> CodedChunk:
        """Code a chunk.

        Parameters
        ----------
        values : ndarray of int32, shape (signals, samples)
            The originals.
        tokens : SetSynthesis, optional
            What the chunk's tokens give, where the file has tokens.
        """
        eeg = np.zeros(len(values)) if self._targets.prd_bound() is None else eeg_energy(values, self._rate)
        eeg[self._whole_only] = np.inf
        bounds = [
            bounds_of(self._targets, row, float(energy), unit)
            for row, energy, unit in zip(values, eeg, self._microvolts, strict=True)
        ]
        coded = CodedChunk(LayeredChunk(), values.copy(), [EXACT] * len(values))
        still = (values.min(axis=1) < values.max(axis=1)) | ~self._storable(values)
        for place in np.flatnonzero(~still):
            coded.streams.exact[self._signals[place]] = encode_exact(values[place], self._sample_bytes)
        base = np.zeros(len(values), bool)
        if tokens is not None:
            base = self._tokens(coded, values, bounds, tokens, still)
            still &= np.array([way != TOKENS for way in coded.ways])
        fine = still & (np.array([_wanted(bound, _PEAK_TO_RMS[-1]) for bound in bounds]) < _MIN_RMS)
        self._predict(coded, values, bounds, np.flatnonzero(fine))
        still &= ~fine
        if still.any():
            self._layer(coded, values, bounds, still, base, tokens)
        return coded

    def _storable(self, values: np.ndarray) -> np.ndarray:
        """Which signals fit into samples of the file; without its lines, one may not."""
        limit = 1 << (8 * self._sample_bytes - 1)
        return np.asarray((values.min(axis=1) >= -limit) & (values.max(axis=1) < limit))

    def _tokens(
        self, coded: CodedChunk, values: np.ndarray, bounds: list[Bounds], tokens: SetSynthesis, still: np.ndarray
    ) -> np.ndarray:
        """Take signals whose tokens are enough as done, and say which others had better build on their tokens."""
        base = np.zeros(len(values), bool)
        for place in np.flatnonzero(still):
            left = bounds[place].less(float(tokens.tolerance[place]))
            if left.least_rms() < bounds[place].least_rms() / 2 or (left.peak is not None and left.peak < 1):
                continue
            samples, original = tokens.samples[place : place + 1], values[place : place + 1]
            low, high = self._lowest[place], self._highest[place]
            if excess(original, samples, low, high, [left], self._rate)[0] <= 1:
                coded.restored[place] = to_digital(samples, low, high)[0]
                coded.ways[place] = TOKENS
            else:
                base[place] = (original - samples).std() < 0.7 * original.std()
        return base

    def _layer(
        self,
        coded: CodedChunk,
        values: np.ndarray,
        bounds: list[Bounds],
        members: np.ndarray,
        base: np.ndarray,
        tokens: SetSynthesis | None,
    ) -> None:
        """Code signals with one layer and its corrections, or, where that is smaller, with the predictive coder."""
        places = np.flatnonzero(members)
        if tokens is not None:
            bounds = [
                bound.less(float(slack)) if on else bound
                for bound, slack, on in zip(bounds, tokens.tolerance, base, strict=True)
            ]
        bounded = any(bounds[place].peak is not None for place in places)
        best: tuple[int, CodedChunk] | None = None
        tried: np.ndarray | None = None
        for ratio in _PEAK_TO_RMS:
            wanted = np.array([_wanted(bounds[place], ratio) for place in places])
            if tried is not None and np.array_equal(wanted, tried):
                break
            tried = wanted
            found = self._one_layer(values, bounds, members, base, tokens, wanted)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
            elif best is not None:
                break
        if best is None or (bounded and 8 * best[0] > _PREDICTION_WORTH * values[members].size):
            predicted = CodedChunk(LayeredChunk(), values.copy(), list(coded.ways))
            self._predict(predicted, values, bounds, places)
            size = sum(map(len, (*predicted.streams.residuals.values(), *predicted.streams.exact.values())))
            if best is None or size < best[0]:
                best = (size, predicted)
        part = best[1]
        for place in places:
            coded.restored[place], coded.ways[place] = part.restored[place], part.ways[place]
        coded.streams.layers.update(part.streams.layers)
        coded.streams.residuals.update(part.streams.residuals)
        coded.streams.exact.update(part.streams.exact)

    def _one_layer(
        self,
        values: np.ndarray,
        bounds: list[Bounds],
        members: np.ndarray,
        base: np.ndarray,
        tokens: SetSynthesis | None,
        wanted: np.ndarray,
    ) -> tuple[int, CodedChunk] | None:
        """A layer with about the root-mean-square errors that are wanted, and its corrections; with its size."""
        places = np.flatnonzero(members)
        original = values[members]
        low, high = self._lowest[members][:, None], self._highest[members][:, None]
        below = np.zeros(original.shape)
        if tokens is not None:
            below[base[members]] = tokens.samples[members & base]
        # Corrections see to single samples; what is left to the layer is the error on average.
        loose = [replace(bounds[place], peak=None) for place in places]

        def judge(samples: np.ndarray) -> np.ndarray:
            return excess(original, below + samples, low, high, loose, self._rate)

        strict = any(np.isfinite(bound.least_rms()) for bound in loose)
        found = fit_layer(original - below, members, wanted, self._rate, judge if strict else None)
        if found is None:
            return None
        samples = below + found.samples
        part = CodedChunk(LayeredChunk(), values.copy(), [""] * len(values))
        part.restored[members] = to_digital(samples, low, high)
        size = 0
        for row, place in enumerate(places):
            part.ways[place] = TOKENS_AND_LAYER if base[place] else LAYER
            peak = bounds[place].peak
            if peak is None:
                continue
            only = slice(row, row + 1)
            if excess(original[only], samples[only], low[row], high[row], [bounds[place]], self._rate)[0] > 1:
                stream = self._corrections(part, original[row], samples[row], int(place), bounds[place])
                if stream is None:
                    return None
                size += len(stream)
        signals = tuple(self._signals[place] for place in places)
        payload = pack_layer(found.stream, list(base & members))
        part.streams.layers[self._number] = (payload, signals)
        return size + len(payload), part

    def _corrections(
        self, part: CodedChunk, original: np.ndarray, samples: np.ndarray, place: int, bound: Bounds
    ) -> bytes | None:
        """Corrections that bring every sample of a signal within its bound; ``None`` where they can't."""
        low, high = int(self._lowest[place]), int(self._highest[place])
        peak = bound.peak or 0
        step = 2 * peak + 1
        near = part.restored[place].astype(np.int64)
        steps = np.rint((original - near) / step).astype(np.int64)
        if np.abs(steps).max() > MAX_STEPS:
            return None
        # A sample at its bound that may be rounded otherwise elsewhere has no room for that: another way must do.
        back = correct(near, steps, step, low, high)
        below, above = (
            correct(to_digital(samples + side * TIE, low, high).astype(np.int64), steps, step, low, high)[None]
            for side in (-1, 1)
        )
        if excess_between(original[None], below, above, [bound], self._rate)[0] > 1:
            return None
        stream = StoredResidual(step, (), encode_corrections(steps), predicted=False).pack()
        part.streams.residuals[self._signals[place]] = stream
        part.restored[place] = back
        part.ways[place] += CORRECTED
        return stream

    def _predict(self, coded: CodedChunk, values: np.ndarray, bounds: list[Bounds], places: np.ndarray) -> None:
        """Code signals one after the other with the predictive coder, each within its bounds or exactly."""
        differences = np.diff(values[places].astype(np.float64), axis=1)
        differences /= np.maximum(np.sqrt(np.einsum("ij,ij->i", differences, differences))[:, None], 1e-9)
        alike = np.abs(gram(differences))
        for row, place in enumerate(places):
            references = sorted(np.argsort(-alike[row, :row], kind="stable")[:_REFERENCES])
            self._predict_one(coded, values, bounds[place], place, [int(places[other]) for other in references])

    def _predict_one(
        self, coded: CodedChunk, values: np.ndarray, bound: Bounds, place: int, references: list[int]
    ) -> None:
        original = values[place]
        known = [coded.restored[other] for other in references]
        low, high = self._lowest[place], self._highest[place]
        step = bound.widest_step()
        while True:
            stream = encode_residual(original, known, step)
            back = np.clip(decode_residual(stream, len(original), known, step), low, high)
            if step == 1 or excess(original[None], back[None], low, high, [bound], self._rate)[0] <= 1:
                break
            step -= 2
        payload = StoredResidual(step, tuple(references), stream, predicted=True).pack()
        storable = step == 1 and self._storable(original[None])[0]
        exact = encode_exact(original, self._sample_bytes) if storable else None
        if exact is not None and len(exact) <= len(payload):
            coded.streams.exact[self._signals[place]] = exact
        else:
            coded.streams.residuals[self._signals[place]] = payload
        coded.ways[place] = EXACT if step == 1 else PREDICTED
        coded.restored[place] = back


def _wanted(bound: Bounds, ratio: float) -> float:
    """Root-mean-square error wanted of a layer."""
    return bound.least_rms() if bound.peak is None else min(bound.least_rms(), bound.peak / ratio)
