"""Codes the tokens of a chunk, each stream with the method that makes it smallest (SPEC.md, section 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from eegzip.formats.eegz.context_tokens import PriorSource
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.errors import ContainerError
from eegzip.formats.parallel import cores
from eegzip.formats.tokens.packed import ABSENT, IN_CONTEXT, encode_tokens

if TYPE_CHECKING:
    from eegzip.formats.tokens.tables import TokenPrior


def encode_chunk_tokens(header: FileHeader, tokens: Sequence[np.ndarray], priors: PriorSource) -> list[bytes]:
    """Code the tokens of all groups in one chunk, each with the method that makes it smallest.

    Parameters
    ----------
    header : FileHeader
    tokens : sequence of ndarray of uint16, each of shape (codebooks, frames)
        One a group; ABSENT above a frame's depth.
    priors : callable
        See :data:`~eegzip.formats.eegz.context_tokens.PriorSource`.

    Returns
    -------
    list of bytes
        One a group.
    """
    in_context: dict[int, bytes] = {}
    for groups in _alike(header):
        codec = header.codecs[header.groups[groups[0]].codec]
        if codec.prior is not None:
            in_context.update(_encode_together(priors(codec), groups, [tokens[group] for group in groups]))
    streams = []
    for number, codes in enumerate(tokens):
        candidates = [in_context[number]] if number in in_context else []
        size = header.codecs[header.groups[number].codec].codebook_size
        if size > ABSENT or not (codes == ABSENT).any():
            candidates.append(encode_tokens(codes, size))
        elif not candidates:
            raise ContainerError("tokens of varying depth can only be coded in context, which takes a prior.")
        streams.append(min(candidates, key=len))
    return streams


def _alike(header: FileHeader) -> list[list[int]]:
    """Groups that may refer to each other: of one codec and one grid of frames."""
    found: dict[tuple[object, int], list[int]] = {}
    for number, group in enumerate(header.groups):
        found.setdefault((header.grid(number), group.codec), []).append(number)
    return list(found.values())


def _encode_together(prior: TokenPrior, groups: list[int], tokens: list[np.ndarray]) -> dict[int, bytes]:
    from eegzip.formats.tokens import stream
    from eegzip.formats.tokens.search import references

    def encode(plan: references.Plan) -> tuple[int, bytes]:
        others = [tokens[place] for place in plan.parameters.references]
        parameters = plan.parameters.renamed(groups)
        data = stream.encode_stream(prior, tokens[plan.place], parameters, others, plan.weights)
        return groups[plan.place], bytes([IN_CONTEXT]) + data

    if not tokens[0].shape[1] or max(codes.size for codes in tokens) > stream.most_tokens(prior):
        return {}
    plans = references.plan_streams(prior, tokens)
    # Compiled code lets other threads run.
    with ThreadPoolExecutor(cores()) as pool:
        return dict(pool.map(encode, plans))
