"""Fits the integer tables that code a checkpoint's tokens in context (SPEC.md, section 10.1).

What the tables compute is a small network. Its linear part is a Gaussian's: references and lower levels say which
vector is still missing, a running variance says how far to trust that, and an entry is the likelier the better it fits.
Hidden units add what the tokens of lower levels, of the frame before and of the nearest reference say besides. It is
trained in floats on the very integers that the coder will see, and rounded in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.codecs.networks.inference import build_network
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.search.references import Plan, plan_streams, predicted
from eegzip.formats.tokens.search.whole_streams import variances, vectors
from eegzip.formats.tokens.stream import encode_stream, stacked
from eegzip.formats.tokens.tables import BANDS, CLASSES, MAX_FACTOR, MAX_START, PriorTables, TokenPrior, pack_prior
from eegzip.formats.tokens.tracking import energy_class

_WORD_PEAK = 2047
_WIDEST = 64
_X, _MATCH, _Y, _NORM = 256, 32, 1024, 8
_HIDDEN, _NATURAL = 64, 256
_X_MOST, _Y_MOST, _ACTIVE_MOST = 4095 / _X, 4095 / _Y, 4095 / (2 * _HIDDEN)
_ALONE_SHARE = 0.2
_LEAST_GAIN = 1e-4


@dataclass(frozen=True)
class Settings:
    """What a fit can vary.

    Attributes
    ----------
    steps, batch : int
        Of Adam, and frames a step.
    rate : float
        Learning rate, falling to nothing.
    hidden : int
        Hidden units.
    rows : int
        Frames of each set, at most.
    seed : int
    """

    steps: int = 1500
    batch: int = 768
    rate: float = 4e-3
    hidden: int = 48
    rows: int = 60_000
    seed: int = 20261124


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
    network = build_network(checkpoint)
    with torch.inference_mode():
        words = [
            quantizer.out_proj(quantizer.codebook.weight.T[None])[0].T.double().numpy()
            for quantizer in network.quantizer.quantizers
        ]
    table = np.stack(words)
    # What projections add whatever the entry is no token can tell.
    table -= table.mean(axis=1, keepdims=True) if not checkpoint.config.network.direct_codebooks else 0.0
    if table.shape[2] > _WIDEST:
        flat = table.reshape(-1, table.shape[2])
        _, directions = np.linalg.eigh(flat.T @ flat)
        table = table @ directions[:, ::-1][:, :_WIDEST]
    return np.asarray(np.rint(table * (_WORD_PEAK / np.abs(table).max())), np.int16)


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
class _Rows:
    """Frames as the coder meets them; tokens that are not there are entry S."""

    prediction: torch.Tensor
    variance: torch.Tensor
    energy: torch.Tensor
    together: torch.Tensor
    tokens: torch.Tensor
    before: torch.Tensor
    beside: torch.Tensor

    def __getitem__(self, index: torch.Tensor) -> _Rows:
        return _Rows(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[_Rows]) -> _Rows:
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def _padded(codes: np.ndarray, levels: int, entries: int) -> np.ndarray:
    """Tokens [frames, K], absent ones as entry S."""
    wide = np.full((levels, codes.shape[1]), entries, np.int64)
    wide[: len(codes)] = np.where(codes == ABSENT, entries, codes)
    return wide.T


def _rows_of(prior: TokenPrior, piece: Piece, rng: np.random.Generator) -> list[_Rows]:
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
        rows = _Rows(
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


def _begun(words: np.ndarray, pieces: Sequence[Piece], hidden: int) -> PriorTables:
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


class _Network(torch.nn.Module):
    """The tables as parameters, in natural units."""

    def __init__(self, tables: PriorTables, rows: _Rows) -> None:
        super().__init__()
        levels, entries, width = tables.words.shape
        hidden = tables.level.shape[1]
        words = torch.from_numpy(tables.words.astype(np.float32))
        # The last row stands for a token that is not there.
        self.words = torch.cat([words, words.new_zeros(levels, 1, width)], dim=1)
        parts = torch.stack([self.words[level, rows.tokens[:, level]] for level in range(levels)])
        spread = parts.square().mean(1)
        deeper = torch.stack([parts[level + 1 :].sum(0).square().mean(0) for level in range(levels)])
        self.rest = (deeper + spread[-1] + 1.0).round()
        self.unit = (self.rest + spread).sqrt()
        match = (words / self.unit[:, None]).transpose(1, 2)
        self.match = torch.nn.Parameter(match.clone())
        self.norm = torch.nn.Parameter(0.5 * match.square())
        self.gain = torch.nn.Parameter(torch.zeros(levels, 2, width))
        self.norm_gain = torch.nn.Parameter(torch.zeros(levels, 2, width))
        self.bias = torch.nn.Parameter(torch.zeros(levels, 2, entries))

        def small(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(0.05 * torch.randn(*shape))

        self.own, self.before, self.beside = (small(levels, entries + 1, hidden) for _ in range(3))
        self.energy = small(2, CLASSES, hidden)
        self.level = torch.nn.Parameter(torch.full((levels, hidden), 0.1))
        self.out = small(levels, hidden, entries)
        self.held()

    def take(self, tables: PriorTables) -> None:
        """Go on from the integers of a prior for the same words."""

        def natural(table: np.ndarray, unit: float) -> torch.Tensor:
            return torch.from_numpy(table.astype(np.float32)) / unit

        self.rest = natural(tables.rest, 1)
        with torch.no_grad():
            self.match.copy_(natural(tables.match, _MATCH))
            self.norm.copy_(natural(tables.norm, _NORM))
            self.gain.copy_((natural(tables.gain, _X) / self.unit[:, None]).clamp_min(_LEAST_GAIN).log())
            squares = self.unit[:, None].square()
            self.norm_gain.copy_((natural(tables.norm_gain, _Y) / squares).clamp_min(_LEAST_GAIN).log())
            self.bias.copy_(natural(tables.bias, _NATURAL))
            for name in ("own", "before", "beside"):
                getattr(self, name)[:, :-1].copy_(natural(getattr(tables, name), _HIDDEN))
            for name in ("energy", "level", "out"):
                getattr(self, name).copy_(natural(getattr(tables, name), _HIDDEN))

    def held(self) -> None:
        """Keep the parameters within what the integers can say."""
        most = 127 / _HIDDEN
        with torch.no_grad():
            for table in (self.own, self.before, self.beside, self.energy, self.out):
                table.clamp_(-most, most)
            for table in (self.own, self.before, self.beside):
                table[:, -1] = 0
            self.match.clamp_(-MAX_FACTOR / _MATCH, MAX_FACTOR / _MATCH)
            self.norm.clamp_(-MAX_FACTOR / _NORM, MAX_FACTOR / _NORM)

    def forward(self, rows: _Rows) -> torch.Tensor:
        """Return each token's bits [N, K], 0 for those that are not there."""
        levels, entries = len(self.match), self.match.shape[2]
        every = torch.arange(levels)
        missing = rows.prediction
        hidden = self.energy[rows.together, rows.energy]
        hidden = hidden + self.before[every, rows.before].sum(1) + self.beside[every, rows.beside].sum(1)
        gains, norm_gains = self.gain.exp(), self.norm_gain.exp()
        bits = []
        for level in range(levels):
            spread = rows.variance + self.rest[level]
            x = missing * self.unit[level] * gains[level, rows.together] / spread
            y = self.unit[level].square() * norm_gains[level, rows.together] / spread
            active = (hidden + self.level[level]).clamp(0, _ACTIVE_MOST)
            score = x.clamp(-_X_MOST, _X_MOST) @ self.match[level] - y.clamp(max=_Y_MOST) @ self.norm[level]
            score = score + active @ self.out[level] + self.bias[level, rows.together]
            token = rows.tokens[:, level]
            there = token < entries
            cost = torch.nn.functional.cross_entropy(score, token.clamp(max=entries - 1), reduction="none")
            bits.append(cost * there / math.log(2))
            missing = missing - self.words[level, token]
            hidden = hidden + self.own[level, token]
        return torch.stack(bits, dim=1)

    def tables(self, begun: PriorTables) -> PriorTables:
        """Round to the integers of the format."""

        def rounded(value: torch.Tensor, unit: float, dtype: type) -> np.ndarray:
            limits = np.iinfo(dtype)
            scaled = np.rint(value.detach().double().numpy() * unit)
            return np.ascontiguousarray(np.clip(scaled, limits.min, limits.max).astype(dtype))

        return begun._replace(
            match=rounded(self.match, _MATCH, np.int16),
            norm=rounded(self.norm, _NORM, np.int16),
            rest=rounded(self.rest, 1, np.int32),
            gain=rounded(self.gain.exp() * self.unit[:, None], _X, np.int32),
            norm_gain=rounded(self.norm_gain.exp() * self.unit[:, None].square(), _Y, np.int32),
            bias=rounded(self.bias, _NATURAL, np.int16),
            own=rounded(self.own[:, :-1], _HIDDEN, np.int8),
            before=rounded(self.before[:, :-1], _HIDDEN, np.int8),
            beside=rounded(self.beside[:, :-1], _HIDDEN, np.int8),
            energy=rounded(self.energy, _HIDDEN, np.int8),
            level=rounded(self.level, _HIDDEN, np.int16),
            out=rounded(self.out, _HIDDEN, np.int8),
        )


def fit(
    words: np.ndarray,
    pieces: Sequence[Piece],
    settings: Settings,
    report: Callable[[int, float], None] = lambda *_: None,
    begin: PriorTables | None = None,
) -> TokenPrior:
    """Fit a prior to the tokens of recordings.

    Parameters
    ----------
    words : ndarray of int16, shape (K, S, D)
        From :func:`words_of`.
    pieces : sequence of Piece
        Of people that may be trained on; sets count alike, however much there is of each.
    settings : Settings
    report : callable
        ``report(step, bits)``: bits of a frame's tokens, a mean over the last hundred steps.
    begin : PriorTables, optional
        Of a prior for the same words, to go on from; its hidden units are then as many.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    begun = _begun(words, pieces, settings.hidden) if begin is None else begin
    prior = TokenPrior(pack_prior(begun))
    rows: dict[str, _Rows] = {}
    for group in sorted({piece.group for piece in pieces}):
        own = [piece for piece in pieces if piece.group == group]
        parts: list[_Rows] = []
        for number in rng.permutation(len(own)):
            parts += _rows_of(prior, own[int(number)], rng)
            if sum(len(part.energy) for part in parts) >= settings.rows:
                break
        rows[group] = _Rows.joined(parts)
    network = _Network(begun, _Rows.joined([part[torch.randperm(len(part.energy))[:8000]] for part in rows.values()]))
    if begin is not None:
        network.take(begin)
    slow = [network.match, network.norm]
    fast = [table for name, table in network.named_parameters() if name not in ("match", "norm")]
    optimiser = torch.optim.Adam([{"params": slow, "peak": 0.25}, {"params": fast, "peak": 1.0}], lr=0.0)
    share = max(settings.batch // len(rows), 1)
    total = 0.0
    for step in range(settings.steps):
        rate = settings.rate * min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        for part in optimiser.param_groups:
            part["lr"] = rate * part["peak"]
        batch = _Rows.joined([part[torch.randint(len(part.energy), (share,))] for part in rows.values()])
        loss = network(batch).sum(1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        network.held()
        total += float(loss.detach())
        if (step + 1) % 100 == 0:
            report(step + 1, total / 100)
            total = 0.0
    return TokenPrior(pack_prior(network.tables(begun)))


def measure(prior: TokenPrior, pieces: Sequence[Piece]) -> dict[str, tuple[int, int]]:
    """Return, for each set, the bytes of all streams as packed bits and as coded in context, parameters included."""
    bits = int(prior.entries - 1).bit_length()
    found: dict[str, tuple[int, int]] = {}
    for piece in pieces:
        packed, coded = found.get(piece.group, (0, 0))
        for plan in plan_streams(prior, piece.streams):
            codes = piece.streams[plan.place]
            others = [piece.streams[other] for other in plan.parameters.references]
            stream = encode_stream(prior, codes, plan.parameters, others, plan.weights)
            packed += -(-int((codes != ABSENT).sum()) * bits // 8)
            coded += len(stream)
        found[piece.group] = packed, coded
    return found
