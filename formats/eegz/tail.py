"""TAIL payloads: a piece of what followed the last complete record, and where it belongs (SPEC.md, section 7)."""

from __future__ import annotations

import struct

import zstandard

from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import TRAILING_PIECE_BYTES
from eegzip.formats.packing import zstd_compress, zstd_decompress

_OFFSET = struct.Struct("<Q")
_ZSTD_LEVEL = 9


def pack_tail(offset: int, piece: bytes) -> bytes:
    """Build the payload of a TAIL block.

    Parameters
    ----------
    offset : int
        Where the piece begins among the trailing bytes: without it, a lost block would let the next take its place.
    piece : bytes
        At most :data:`TRAILING_PIECE_BYTES`.
    """
    return _OFFSET.pack(offset) + zstd_compress(piece, _ZSTD_LEVEL)


def unpack_tail(payload: bytes) -> tuple[int, bytes]:
    """Inverse of :func:`pack_tail`.

    Raises
    ------
    ContainerError
        Cut short, not a zstd frame, or a larger piece than can be.
    """
    if len(payload) < _OFFSET.size:
        raise ContainerError("a piece of the trailing bytes is cut short.")
    try:
        size = zstandard.frame_content_size(payload[_OFFSET.size :])
    except zstandard.ZstdError as error:
        raise ContainerError(f"a piece of the trailing bytes is not a zstd frame ({error}).") from error
    if not 0 <= size <= TRAILING_PIECE_BYTES:
        raise ContainerError(f"a piece of the trailing bytes declares {size} bytes, more than can be.")
    offset: int = _OFFSET.unpack_from(payload)[0]
    return offset, zstd_decompress(payload[_OFFSET.size :], size, "a piece of the trailing bytes")
