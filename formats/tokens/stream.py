"""One token stream coded in context: its few bytes of parameters, then its bits (SPEC.md, 6.2.2)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_CONTEXT_TOKENS, MAX_CONTEXT_WORK
from eegzip.formats.tokens.coder import code_tokens
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.tables import BANDS, TokenPrior
from eegzip.formats.tokens.tracking import STARTS

MAX_REFERENCES = 8
_VARYING = 1
_FIXED = struct.Struct("<BBB")
_REFERENCE = struct.Struct("<H")
# Decisions of a weight, at most, and bytes of a decision.
_WEIGHT_ROOM = 2 * 128


@dataclass(frozen=True)
class StreamParameters:
    """What a stream says before its tokens.

    Parameters
    ----------
    varying : bool
        Each frame has a depth of its own.
    start_class : int
        Variance that the first frame begins with, in half-octaves; 0 to STARTS - 1.
    references : tuple of int
        Groups whose tokens of the same frames the stream is predicted from, the most telling first.
    """

    varying: bool
    start_class: int
    references: tuple[int, ...] = ()

    def pack(self) -> bytes:
        """Serialise."""
        head = _FIXED.pack(self.varying * _VARYING, self.start_class, len(self.references))
        return head + b"".join(_REFERENCE.pack(group) for group in self.references)

    def renamed(self, groups: Sequence[int]) -> StreamParameters:
        """Return the same with references as numbers of groups, where they were places among these."""
        return replace(self, references=tuple(groups[place] for place in self.references))

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return _FIXED.size + len(self.references) * _REFERENCE.size


def unpack_parameters(data: bytes) -> StreamParameters:
    """Read what a stream says before its tokens.

    Raises
    ------
    ContainerError
        It is cut short or out of range.
    """
    if len(data) < _FIXED.size:
        raise ContainerError("a token stream is too short for its parameters.")
    flags, start_class, count = _FIXED.unpack_from(data)
    if flags & ~_VARYING or start_class >= STARTS or count > MAX_REFERENCES:
        raise ContainerError("a token stream has parameters that this version does not know.")
    if len(data) < _FIXED.size + count * _REFERENCE.size:
        raise ContainerError("a token stream is too short for its references.")
    references = struct.unpack_from(f"<{count}H", data, _FIXED.size)
    if len(set(references)) < count:
        raise ContainerError("a token stream names a reference twice.")
    return StreamParameters(bool(flags & _VARYING), start_class, references)


def stacked(streams: Sequence[np.ndarray], frames: int) -> np.ndarray:
    """Tokens of references as one array, uint16, shape (references, levels, frames); absent where one has fewer."""
    levels = max((len(codes) for codes in streams), default=0)
    result = np.full((len(streams), levels, frames), ABSENT, np.uint16)
    for place, codes in enumerate(streams):
        result[place, : len(codes)] = codes
    return result


def encode_stream(
    prior: TokenPrior,
    codes: np.ndarray,
    parameters: StreamParameters,
    others: Sequence[np.ndarray],
    weights: np.ndarray,
) -> bytes:
    """Code tokens in context.

    Parameters
    ----------
    prior : TokenPrior
    codes : ndarray of uint16, shape (codebooks, frames)
        Where `parameters` say so, :data:`~eegzip.formats.tokens.packed.ABSENT` above a frame's depth.
    parameters : StreamParameters
    others : sequence of ndarray of uint16, each of shape (codebooks, frames)
        Tokens of the references.
    weights : ndarray of int32, shape (references, BANDS)
        In 1/32, from -63 to 63.

    Returns
    -------
    bytes
    """
    # Two bytes for each decision that there may be, at the very most.
    room = 16 + 2 * codes.size * (2 + int(prior.entries - 1).bit_length()) + _WEIGHT_ROOM * weights.size
    data = np.empty(room, np.uint8)
    length = code_tokens(
        prior.tables,
        np.array(codes, np.uint16, order="C"),
        stacked(others, codes.shape[1]),
        np.array(weights, np.int32, order="C"),
        parameters.start_class,
        int(parameters.varying),
        data,
        0,
    )
    return parameters.pack() + data[:length].tobytes()


def decode_stream(
    prior: TokenPrior,
    data: bytes,
    shape: tuple[int, int],
    codebook_size: int,
    known: Mapping[int, np.ndarray],
) -> np.ndarray:
    """Inverse of :func:`encode_stream`.

    Parameters
    ----------
    prior : TokenPrior
    data : bytes
    shape : tuple of int
        Codebooks and frames.
    codebook_size : int
    known : mapping of int to ndarray of uint16, each of shape (codebooks, frames)
        Tokens of the references that the stream names.

    Returns
    -------
    ndarray of uint16, shape (codebooks, frames)
        With ABSENT above a frame's depth.

    Raises
    ------
    ContainerError
        The stream is damaged, or too long, or not of this prior.
    """
    check_shape(prior, shape, codebook_size)
    parameters = unpack_parameters(data)
    codes = np.full(shape, ABSENT, np.uint16)
    # A copy can be written to, as the coder wants for both directions; so it is compiled once.
    body = np.frombuffer(data, np.uint8)[parameters.size :].copy()
    references = [known[group] for group in parameters.references]
    for codes_of_other in references:
        _check_reference(prior, codes_of_other, shape[1])
    others = stacked(references, shape[1])
    weights = np.zeros((len(others), BANDS), np.int32)
    varying = int(parameters.varying)
    if code_tokens(prior.tables, codes, others, weights, parameters.start_class, varying, body, 1):
        raise ContainerError(f"a token is outside its codebook of {codebook_size} entries.")
    return codes


def _check_reference(prior: TokenPrior, codes: np.ndarray, frames: int) -> None:
    """Refuse tokens that the tables have no rows for: the compiled coder looks without asking."""
    if codes.shape[1] != frames or len(codes) > prior.levels:
        raise ContainerError("a token stream refers to one that does not fit the tables that it was coded with.")
    if (codes[codes != ABSENT] >= prior.entries).any():
        raise ContainerError("a token stream refers to a token that is none of its tables' entries.")


def check_shape(prior: TokenPrior, shape: tuple[int, int], codebook_size: int) -> None:
    """Refuse what a prior can't code.

    Raises
    ------
    ContainerError
        More levels, other codebooks, or more tokens than it may have.
    """
    if shape[0] > prior.levels or codebook_size != prior.entries:
        raise ContainerError("a token stream does not fit the tables that it was coded with.")
    if shape[0] * shape[1] > most_tokens(prior):
        raise ContainerError(f"a token stream is coded in context but has more than {most_tokens(prior)} tokens.")


def most_tokens(prior: TokenPrior) -> int:
    """Return how many tokens a stream may have with a prior."""
    work = prior.entries * (prior.width + prior.hidden)
    return min(MAX_CONTEXT_TOKENS, MAX_CONTEXT_WORK // work)
