"""Tokens that are worth their bits: a search for error plus bits, the bits being those of the context coder.

A beam over the levels of each frame, as in :mod:`eegzip.codecs.quantisation.beam_cpu`, but what counts is the weighted
error plus a Lagrange multiplier times the bits that the prior would take for the tokens, and a frame may end at any
level. Frames follow one another, as what a frame costs depends on the one before. Only an encoder does this, so it may
compute with floats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eegzip.formats.entropy.jit import jit
from eegzip.formats.fixed_order import binary_logarithm
from eegzip.formats.tokens.likelihood import hidden_of_frame, likelihoods, new_room
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.search.references import plan_streams
from eegzip.formats.tokens.stream import stacked
from eegzip.formats.tokens.tables import TokenPrior
from eegzip.formats.tokens.tracking import by_coordinate, energy_class, follow, predict, start_variance

# What depths take, nearly enough: the same as before is cheap, and a change the dearer the larger it is.
_SAME_DEPTH, _OTHER_DEPTH, _DEPTH_STEP = 0.4, 1.5, 1.0
_BITS = 1.0 / (256.0 * 0.6931471805599453)


@jit
def _search_stream(  # type: ignore[no-untyped-def]
    tables, latents, weights, codebooks, squares, others, other_weights, start_class, multiplier, beam, codes
):
    """Fill `codes` [K, F] for `latents` [F, D], whose squared errors count `weights` [F] each."""
    levels, frames = codes.shape
    width, entries, units = latents.shape[1], codebooks.shape[2], tables.level.shape[1]
    coordinates = tables.words.shape[2]
    together = 1 if len(others) else 0
    variance, prediction = np.zeros(coordinates, np.int64), np.zeros(coordinates, np.int64)
    vector = np.zeros(coordinates, np.int64)
    start_variance(tables.start[together], start_class, variance)
    before = np.full(levels, ABSENT, np.uint16)
    beside = np.full(others.shape[1], ABSENT, np.uint16)
    room = new_room(tables)
    scores, tree = room.scores[:entries], room.tree
    spread = by_coordinate(other_weights, tables.bands)
    distance = np.zeros(entries, np.float32)
    # What each hypothesis leaves: of the latent, of the prediction; its hidden units, bits, error and tokens.
    rest = np.zeros((2, beam, width), np.float32)
    missing = np.zeros((2, beam, coordinates), np.int64)
    hidden = np.zeros((2, beam, units), np.int32)
    bits, error = np.zeros((2, beam)), np.zeros((2, beam))
    path = np.zeros((2, beam, levels), np.uint16)
    best, best_bits = np.zeros(beam), np.zeros(beam)
    best_parent, best_code = np.zeros(beam, np.int64), np.zeros(beam, np.int64)
    chosen = np.zeros(levels, np.uint16)
    last = levels
    for f in range(frames):
        predict(tables.words, others, spread, f, prediction)
        if together:
            beside[:] = others[0, :, f]
        energy = energy_class(variance, tables.lowest_class[0])
        now, alive = 0, 1
        hidden_of_frame(tables, before, beside, together, energy, hidden[0, 0])
        rest[0, 0] = latents[f]
        missing[0, 0] = prediction
        bits[0, 0], error[0, 0] = 0.0, np.sum(latents[f] * latents[f])
        least, depth = np.inf, 0
        for level in range(levels + 1):
            ending = _SAME_DEPTH if level == last else _OTHER_DEPTH + _DEPTH_STEP * abs(level - last)
            for b in range(alive):
                cost = weights[f] * error[now, b] + multiplier * (bits[now, b] + ending)
                if cost < least:
                    least, depth = cost, level
                    chosen[:level] = path[now, b, :level]
            # Where bits alone cost as much by now, nothing will be worth more of them.
            if level == levels or multiplier * (bits[now, :alive].min() + _SAME_DEPTH) >= least:
                break
            found = 0
            for b in range(alive):
                likelihoods(tables, level, together, missing[now, b], variance, hidden[now, b], room)
                top = scores.max()
                whole = bits[now, b] + binary_logarithm(tree[1] / 65536.0)
                for c in range(entries):
                    distance[c] = squares[level, c]
                for d in range(width):
                    r = np.float32(-2.0) * rest[now, b, d]
                    for c in range(entries):
                        distance[c] = distance[c] + r * codebooks[level, d, c]
                for c in range(entries):
                    taken = whole + (top - scores[c]) * _BITS
                    cost = weights[f] * (error[now, b] + distance[c]) + multiplier * taken
                    if found == beam and not cost < best[beam - 1]:
                        continue
                    place = found if found < beam else beam - 1
                    while place > 0 and cost < best[place - 1]:
                        best[place], best_bits[place] = best[place - 1], best_bits[place - 1]
                        best_parent[place], best_code[place] = best_parent[place - 1], best_code[place - 1]
                        place -= 1
                    best[place], best_bits[place], best_parent[place], best_code[place] = cost, taken, b, c
                    found = min(found + 1, beam)
            after = 1 - now
            for k in range(found):
                parent, code = best_parent[k], best_code[k]
                total = 0.0
                for d in range(width):
                    rest[after, k, d] = rest[now, parent, d] - codebooks[level, d, code]
                    total += rest[after, k, d] * rest[after, k, d]
                for d in range(coordinates):
                    missing[after, k, d] = missing[now, parent, d] - tables.words[level, code, d]
                for h in range(units):
                    hidden[after, k, h] = hidden[now, parent, h] + tables.own[level, code, h]
                bits[after, k], error[after, k] = best_bits[k], total
                path[after, k, :level] = path[now, parent, :level]
                path[after, k, level] = code
            now, alive = after, found
        vector[:] = 0
        for level in range(levels):
            before[level] = chosen[level] if level < depth else ABSENT
            codes[level, f] = before[level]
            if level < depth:
                for d in range(coordinates):
                    vector[d] += tables.words[level, chosen[level], d]
        follow(variance, vector, prediction)
        last = depth


class RateSearch:
    """Search for the tokens of streams of one grid of frames.

    Parameters
    ----------
    prior : TokenPrior
        Of the model.
    codebooks : ndarray of float32, shape (K, S, D)
        Its codebooks, in the latent space.
    beam : int
        Hypotheses kept from level to level.
    """

    def __init__(self, prior: TokenPrior, codebooks: npt.NDArray[np.float32], beam: int) -> None:
        self.prior = prior
        self._codebooks = np.ascontiguousarray(codebooks.transpose(0, 2, 1), np.float32)
        self._squares = np.square(codebooks, dtype=np.float64).sum(axis=2).astype(np.float32)
        self._beam = beam

    def codewords(self, level: int, codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
        """Return the codewords of a level, shape (..., D)."""
        return self._codebooks[level].T[codes]

    def __call__(
        self,
        latents: npt.NDArray[np.float32],
        weights: npt.NDArray[np.float64],
        codes: npt.NDArray[np.uint16],
        multiplier: float,
    ) -> npt.NDArray[np.uint16]:
        """Return the tokens [G, K, F], absent above each frame's depth.

        Parameters
        ----------
        latents : ndarray, shape (G, F, D)
            Of every stream.
        weights : ndarray, shape (G, F)
            What a squared error of a frame counts.
        codes : ndarray, shape (G, K, F)
            Tokens of least error; they tell which streams are alike.
        multiplier : float
            Lagrange multiplier: the weighted squared error that a bit must take away.
        """
        streams: list[npt.NDArray[np.uint16]] = list(codes)
        done: Sequence[npt.NDArray[np.uint16]] = [np.empty_like(stream) for stream in streams]
        for plan in plan_streams(self.prior, streams):
            others = stacked([done[other] for other in plan.parameters.references], codes.shape[2])
            _search_stream(
                self.prior.tables,
                np.ascontiguousarray(latents[plan.place], np.float32),
                np.ascontiguousarray(weights[plan.place], np.float64),
                self._codebooks,
                self._squares,
                others,
                np.ascontiguousarray(plan.weights),
                plan.parameters.start_class,
                multiplier,
                self._beam,
                done[plan.place],
            )
        return np.stack(done)
