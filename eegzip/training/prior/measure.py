"""Savings by a prior's tables: the bytes of streams as packed bits and as coded in context."""

from __future__ import annotations

from collections.abc import Sequence

from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.search.references import plan_streams
from eegzip.formats.tokens.stream import encode_stream
from eegzip.formats.tokens.tables import TokenPrior
from eegzip.training.prior.rows import Piece


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
