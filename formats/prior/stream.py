"""One token stream coded in context: its few bytes of parameters, then its bits (SPEC.md, 6.2.2)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eegzip.formats.eegz.tokens import ABSENT
from eegzip.formats.errors import ContainerError
from eegzip.formats.prior.coder import code_tokens
from eegzip.formats.prior.tables import TokenPrior
from eegzip.formats.prior.tracking import STARTS, vectors

MAX_CONTEXT_TOKENS = 1 << 20
"""Of a stream coded in context; longer ones are coded otherwise."""

MAX_REFERENCES = 8
WEIGHT_BITS = 6
_VARYING = 1
_FIXED = struct.Struct("<BBB")
_REFERENCE = struct.Struct("<Hb")


@dataclass(frozen=True)
class StreamParameters:
    """What a stream says before its bits.

    Parameters
    ----------
    varying : bool
        Each frame has a depth of its own.
    start_class : int
        Variance that the first frame begins with, in half-octaves; 0 to STARTS - 1.
    references : tuple of int
        Groups whose tokens of the same frames the stream is predicted from, the first the most alike.
    weights : tuple of int
        One each a reference, in 1/64; -128 to 127.
    """

    varying: bool
    start_class: int
    references: tuple[int, ...] = ()
    weights: tuple[int, ...] = ()

    def pack(self) -> bytes:
        """Serialise."""
        head = _FIXED.pack(self.varying * _VARYING, self.start_class, len(self.references))
        pairs = zip(self.references, self.weights, strict=True)
        return head + b"".join(_REFERENCE.pack(group, weight) for group, weight in pairs)

    def renamed(self, groups: Sequence[int]) -> StreamParameters:
        """Return the same with references as numbers of groups, where they were places among these."""
        return replace(self, references=tuple(groups[place] for place in self.references))

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return _FIXED.size + len(self.references) * _REFERENCE.size


def unpack_parameters(data: bytes) -> StreamParameters:
    """Read what a stream says before its bits.

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
    pairs = [_REFERENCE.unpack_from(data, _FIXED.size + place * _REFERENCE.size) for place in range(count)]
    references = tuple(group for group, _ in pairs)
    if len(set(references)) < count:
        raise ContainerError("a token stream names a reference twice.")
    return StreamParameters(bool(flags & _VARYING), start_class, references, tuple(weight for _, weight in pairs))


def predicted(
    prior: TokenPrior, parameters: StreamParameters, known: Mapping[int, np.ndarray], frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """What a stream's references say about it.

    Parameters
    ----------
    prior : TokenPrior
    parameters : StreamParameters
    known : mapping of int to ndarray of uint16, shape (codebooks, frames)
        Tokens of the references.
    frames : int

    Returns
    -------
    prediction : ndarray of int64, shape (frames, D)
    beside : ndarray of uint16, shape (codebooks of the first reference, frames)
    """
    total = np.zeros((frames, prior.width), np.int64)
    for group, weight in zip(parameters.references, parameters.weights, strict=True):
        total += weight * vectors(prior.tables.words, np.array(known[group], np.uint16, order="C"))
    first = known[parameters.references[0]] if parameters.references else np.zeros((0, frames), np.uint16)
    return total >> WEIGHT_BITS, np.array(first, order="C")


def encode_stream(
    prior: TokenPrior, codes: np.ndarray, parameters: StreamParameters, prediction: np.ndarray, beside: np.ndarray
) -> bytes:
    """Code tokens in context.

    Parameters
    ----------
    prior : TokenPrior
    codes : ndarray of uint16, shape (codebooks, frames)
        Where `parameters` say so, :data:`~eegzip.formats.eegz.tokens.ABSENT` above a frame's depth.
    parameters : StreamParameters
    prediction, beside : ndarray
        From :func:`predicted`.

    Returns
    -------
    bytes
    """
    room = np.empty(16 + 2 * codes.size * (2 + int(prior.entries - 1).bit_length()), np.uint8)
    length = code_tokens(
        prior.tables,
        np.array(codes, np.uint16, order="C"),
        prediction,
        beside,
        int(bool(parameters.references)),
        parameters.start_class,
        int(parameters.varying),
        room,
        0,
    )
    return parameters.pack() + room[:length].tobytes()


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
    known : mapping of int to ndarray of uint16
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
    prediction, beside = predicted(prior, parameters, known, shape[1])
    codes = np.full(shape, ABSENT, np.uint16)
    # A copy can be written to, as the coder wants for both directions; so it is compiled once.
    body = np.frombuffer(data, np.uint8)[parameters.size :].copy()
    together = int(bool(parameters.references))
    wrong = code_tokens(
        prior.tables, codes, prediction, beside, together, parameters.start_class, int(parameters.varying), body, 1
    )
    if wrong:
        raise ContainerError(f"a token is outside its codebook of {codebook_size} entries.")
    return codes


def check_shape(prior: TokenPrior, shape: tuple[int, int], codebook_size: int) -> None:
    """Refuse what a prior can't code.

    Raises
    ------
    ContainerError
        More levels, other codebooks, or more tokens than it may have.
    """
    if shape[0] > prior.levels or codebook_size != prior.entries:
        raise ContainerError("a token stream does not fit the tables that it was coded with.")
    if shape[0] * shape[1] > MAX_CONTEXT_TOKENS:
        raise ContainerError(f"a token stream is coded in context but has more than {MAX_CONTEXT_TOKENS} tokens.")
