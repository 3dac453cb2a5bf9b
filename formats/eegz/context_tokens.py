"""Token streams of any method, those of method 3 with a checkpoint's prior (SPEC.md, section 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eegzip.formats.eegz.header import CodecEntry, FileHeader
from eegzip.formats.eegz.token_chains import StoredStream
from eegzip.formats.errors import ContainerError, ModelError
from eegzip.formats.tokens.packed import IN_CONTEXT, decode_tokens

if TYPE_CHECKING:
    from eegzip.formats.tokens.tables import TokenPrior

PriorSource = Callable[[CodecEntry], "TokenPrior"]
"""Gives the prior that a codec of a file names; raises ModelError where it is not at hand."""


def no_priors(codec: CodecEntry) -> TokenPrior:
    """Have none at hand."""
    raise ModelError(f"tokens of the model '{codec.model}' are coded with its prior, and no models were given.")


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
    for other in parameters.references:
        stream.check_shape(prior, (header.groups[other].codebooks, frames), codec.codebook_size)
    return StoredStream(
        parameters.references,
        size,
        lambda known: stream.decode_stream(prior, data[1:], shape, codec.codebook_size, known),
    )
