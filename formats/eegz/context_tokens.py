"""Token streams of method 3, coded in context by a checkpoint's prior (SPEC.md, section 6.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from eegzip.formats.eegz.header import CodecEntry, FileHeader
from eegzip.formats.eegz.token_chains import StoredStream
from eegzip.formats.errors import ContainerError, ModelError
from eegzip.formats.limits import MAX_CONTEXT_TOKENS
from eegzip.formats.parallel import cores
from eegzip.formats.tokens.packed import ABSENT, IN_CONTEXT, decode_tokens, encode_tokens

if TYPE_CHECKING:
    from eegzip.formats.tokens.tables import TokenPrior

PriorSource = Callable[[CodecEntry], "TokenPrior"]
"""Gives the prior that a codec of a file names; raises ModelError where it is not at hand."""


def no_priors(codec: CodecEntry) -> TokenPrior:
    """Have none at hand."""
    raise ModelError(f"tokens of the model '{codec.model}' are coded with its prior, and no models were given.")


def encode_chunk_tokens(header: FileHeader, tokens: Sequence[np.ndarray], priors: PriorSource) -> list[bytes]:
    """Code the tokens of all groups in one chunk, each with the method that makes it smallest.

    Parameters
    ----------
    header : FileHeader
    tokens : sequence of ndarray of uint16, each of shape (codebooks, frames)
        One a group; ABSENT above a frame's depth.
    priors : callable
        See :data:`PriorSource`.

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

    if not tokens[0].shape[1] or max(codes.size for codes in tokens) > MAX_CONTEXT_TOKENS:
        return {}
    plans = references.plan_streams(prior, tokens)
    # Compiled code lets other threads run.
    with ThreadPoolExecutor(cores()) as pool:
        return dict(pool.map(encode, plans))


def stored_stream(header: FileHeader, group: int, frames: int, data: bytes, priors: PriorSource) -> StoredStream:
    """What a token stream needs to be decoded, whatever its method.

    Parameters
    ----------
    header : FileHeader
    group, frames : int
        Frames that the chunk holds of the group.
    data : bytes
        The stream.
    priors : callable
        See :data:`PriorSource`; asked only for streams of method 3.

    Raises
    ------
    ContainerError
        Its parameters are damaged, or it refers to what it can't.
    ModelError
        Its prior is not at hand.
    """
    entry = header.groups[group]
    codec = header.codecs[entry.codec]
    shape = (entry.codebooks, frames)
    size = entry.codebooks * frames
    if data[:1] != bytes([IN_CONTEXT]):
        return StoredStream((), size, lambda _: decode_tokens(data, *shape, codec.codebook_size))
    if codec.prior is None:
        raise ContainerError("tokens are coded in context, but the header names no prior.")
    from eegzip.formats.tokens import stream

    parameters = stream.unpack_parameters(data[1:])
    for other in parameters.references:
        alike = other < len(header.groups) and header.groups[other].codec == entry.codec
        if not alike or header.grid(other) != header.grid(group):
            raise ContainerError(f"a token stream refers to group {other}, which is not of its kind.")
    prior = priors(codec)
    stream.check_shape(prior, shape, codec.codebook_size)
    return StoredStream(
        parameters.references,
        size,
        lambda known: stream.decode_stream(prior, data[1:], shape, codec.codebook_size, known),
    )
