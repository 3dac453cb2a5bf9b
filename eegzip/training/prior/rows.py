"""Tokens of recordings as the coder meets them: frames with all that is known before they are coded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.networks.inference import build_network
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.search.references import Plan, plan_streams, predicted
from eegzip.formats.tokens.search.whole_streams import variances, vectors
from eegzip.formats.tokens.stream import stacked
from eegzip.formats.tokens.tables import BANDS, CLASSES, MAX_START, CodingTables, PriorTables, TokenPrior, pack_prior
from eegzip.formats.tokens.tracking import energy_class

_WORD_PEAK = 2047
_WIDEST = 64
_ALONE_SHARE = 0.2


@dataclass(frozen=True)
class Piece:
    """All token streams of one grid of frames, of a minute or so.

    Attributes
    ----------
    group : str
        Data set.
    streams : list of ndarray of uint16, each of shape (codebooks, frames)
    """

    group: str
    streams: list[np.ndarray]


def words_of(checkpoint: Checkpoint) -> np.ndarray:
    """Return what each codebook entry adds to the latent, as int16 [K, S, D]; wide latents by principal components."""
    table = _codewords(checkpoint)
    if table.shape[2] > _WIDEST:
        flat = table.reshape(-1, table.shape[2])
        _, directions = np.linalg.eigh(flat.T @ flat)
        table = table @ directions[:, ::-1][:, :_WIDEST]
    return np.asarray(np.rint(table * (_WORD_PEAK / np.abs(table).max())), np.int16)


def words_like(checkpoint: Checkpoint, other: Checkpoint, tables: CodingTables) -> np.ndarray:
    """Return the same in the coordinates of another model's prior, so that its tables can be gone on from.

    Parameters
    ----------
    checkpoint
        With codebooks near those of the other.
    other
        A model of the same shape.
    tables
        Of its prior.
    """
    theirs = _codewords(other)
    flat, known = theirs.reshape(-1, theirs.shape[2]), tables.words.reshape(-1, tables.words.shape[2])
    # What turned their codewords into its words, but for the rounding of these.
    turned = _codewords(checkpoint) @ np.linalg.lstsq(flat, known.astype(np.float64), rcond=None)[0]
    return np.asarray(np.clip(np.rint(turned), -_WORD_PEAK, _WORD_PEAK), np.int16)


def _codewords(checkpoint: Checkpoint) -> np.ndarray:
    network = build_network(checkpoint)
    with torch.inference_mode():
        words = [
            quantizer.out_proj(quantizer.codebook.weight.T[None])[0].T.double().numpy()
            for quantizer in network.quantizer.quantizers
        ]
    table = np.stack(words)
    # What projections add whatever the entry is no token can tell.
    table -= table.mean(axis=1, keepdims=True) if not checkpoint.config.network.direct_codebooks else 0.0
    return np.asarray(table)


def _blank(words: np.ndarray, hidden: int) -> PriorTables:
    levels, entries, width = words.shape
    return PriorTables(
        words=words,
        match=np.zeros((levels, width, entries), np.int16),
        norm=np.zeros((levels, width, entries), np.int16),
        rest=np.ones((levels, width), np.int32),
        gain=np.zeros((levels, 2, width), np.int32),
        norm_gain=np.zeros((levels, 2, width), np.int32),
        bias=np.zeros((levels, 2, entries), np.int16),
        own=np.zeros((levels, entries, hidden), np.int8),
        before=np.zeros((levels, entries, hidden), np.int8),
        beside=np.zeros((levels, entries, hidden), np.int8),
        energy=np.zeros((2, CLASSES, hidden), np.int8),
        level=np.zeros((levels, hidden), np.int16),
        out=np.zeros((levels, hidden, entries), np.int8),
        start=np.ones((2, width), np.int32),
        lowest_class=np.zeros(1, np.int32),
        bands=np.zeros(width, np.int8),
    )


def _bands(variance: np.ndarray) -> np.ndarray:
    """Bands of coordinates of falling variance, the loudest in the narrowest: EEG is alike where it is loud."""
    width = len(variance)
    edges = width ** (np.arange(1, BANDS) / BANDS)
    ranks = np.empty(width, np.int64)
    ranks[np.argsort(-variance, kind="stable")] = np.arange(width)
    return np.searchsorted(edges, ranks + 0.5).astype(np.int8)


@dataclass(frozen=True)
class Rows:
    """Frames as the coder meets them; tokens that are not there are entry S."""

    prediction: torch.Tensor
    variance: torch.Tensor
    energy: torch.Tensor
    together: torch.Tensor
    tokens: torch.Tensor
    before: torch.Tensor
    beside: torch.Tensor

    def __getitem__(self, index: torch.Tensor) -> Rows:
        return Rows(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Return the rows of several, one after the other."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def _padded(codes: np.ndarray, levels: int, entries: int) -> np.ndarray:
    """Tokens [frames, K], absent ones as entry S."""
    wide = np.full((levels, codes.shape[1]), entries, np.int64)
    wide[: len(codes)] = np.where(codes == ABSENT, entries, codes)
    return wide.T


def rows_of(prior: TokenPrior, piece: Piece, rng: np.random.Generator) -> list[Rows]:
    """Rows of a piece, a share of its streams as if they were alone."""
    levels, entries = prior.levels, prior.entries
    found = []
    for plan in plan_streams(prior, piece.streams):
        if plan.parameters.references and rng.random() < _ALONE_SHARE:
            plan = Plan(plan.place, replace(plan.parameters, references=()), plan.weights[:0])
        codes, parameters = piece.streams[plan.place], plan.parameters
        frames = codes.shape[1]
        prediction = predicted(prior, plan, piece.streams)
        beside = stacked([piece.streams[other] for other in parameters.references[:1]], frames)
        together = len(beside)
        variance = variances(
            vectors(prior.tables.words, codes), prediction, prior.tables.start[together], parameters.start_class
        )
        lowest = int(prior.tables.lowest_class[0])
        tokens = _padded(codes, levels, entries)
        before = np.concatenate([np.full((1, levels), entries), tokens[:-1]])
        rows = Rows(
            torch.from_numpy(prediction.astype(np.float32)),
            torch.from_numpy(variance.astype(np.float32)),
            torch.tensor([energy_class(row, lowest) for row in variance], dtype=torch.int64),
            torch.full((frames,), together, dtype=torch.int64),
            torch.from_numpy(tokens),
            torch.from_numpy(before),
            torch.from_numpy(_padded(beside[0] if together else codes[:0], levels, entries)),
        )
        # What has no token has no bits to save.
        found.append(rows[torch.from_numpy(np.flatnonzero(tokens[:, 0] < entries))])
    return found


def begun(words: np.ndarray, pieces: Sequence[Piece], hidden: int) -> PriorTables:
    """Tables with start variances and energy classes from data."""
    tables = _blank(words, hidden)
    energy = sum(np.square(vectors(words, codes), dtype=np.float64).sum(0) for p in pieces for codes in p.streams)
    tables = tables._replace(bands=_bands(np.asarray(energy)))
    sums = np.zeros((2, words.shape[2]))
    counts = np.full((2, 1), 1e-9)
    octaves = []
    prior = TokenPrior(pack_prior(tables))
    for piece in pieces:
        for plan in plan_streams(prior, piece.streams):
            own = vectors(words, piece.streams[plan.place])
            squares = np.square(own - predicted(prior, plan, piece.streams), dtype=np.float64)
            referring = int(bool(plan.parameters.references))
            for together, part in ((0, np.square(own, dtype=np.float64)), (referring, squares)):
                sums[together] += part.sum(axis=0)
                counts[together] += len(part)
            octaves.append(2 * np.log2(squares.sum(axis=1).mean() + 1.0))
    start = sums / counts
    start = np.where(counts > 1, start, start[:1])
    # A class of half an octave each; the loudest streams of training still have three above them.
    highest = math.ceil(float(np.quantile(octaves, 0.99))) + 3
    return tables._replace(
        start=np.clip(np.rint(start), 1, MAX_START).astype(np.int32),
        lowest_class=np.array([highest - CLASSES], np.int32),
    )
