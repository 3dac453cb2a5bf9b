"""Token planes: codebook indices of one stream in one chunk, bit-packed or zstd-compressed (SPEC.md, section 6.2).

Method 3, in context, is the matter of :mod:`eegzip.formats.tokens.stream`.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import zstd_compress, zstd_decompress

BIT_PACKED, LEVEL_MAJOR, FRAME_MAJOR, IN_CONTEXT = 0, 1, 2, 3
ABSENT = 65535
"""In place of a token that is not there, as a frame has fewer than its stream; only method 3 can say so."""

_ZSTD_LEVEL = 19
_UNPACK_TOKENS = 1 << 16


def bits_per_token(codebook_size: int) -> int:
    """Bits that hold one index into a codebook of this size."""
    return max(1, (codebook_size - 1).bit_length())


def _pack_bits(values: np.ndarray, bits: int) -> bytes:
    shifts = np.arange(bits - 1, -1, -1, dtype=np.uint16)
    return np.packbits((values[:, None] >> shifts) & 1).tobytes()


def _unpack_bits(data: bytes, bits: int, count: int) -> np.ndarray:
    values = np.empty(count, np.uint16)
    packed = np.frombuffer(data, np.uint8)
    # A multiple of 8 tokens at a time fills whole bytes, and the 16 bytes a token that this takes stay few.
    for start in range(0, count, _UNPACK_TOKENS):
        stop = min(start + _UNPACK_TOKENS, count)
        wide = np.zeros((stop - start, 16), np.uint8)
        piece = packed[start * bits // 8 : _packed_size(stop, bits)]
        wide[:, 16 - bits :] = np.unpackbits(piece, count=(stop - start) * bits).reshape(-1, bits)
        values[start:stop] = np.packbits(wide, axis=1).view(">u2").reshape(-1)
    return values


def _packed_size(count: int, bits: int) -> int:
    return -(-count * bits // 8)


def _planes(values: np.ndarray, bits: int) -> bytes:
    """Low bytes of all tokens, then their high bits packed; zstd finds what skew there is in each."""
    low = (values & 0xFF).astype(np.uint8).tobytes()
    return low if bits <= 8 else low + _pack_bits(values >> 8, bits - 8)


def _join_planes(data: bytes, bits: int, count: int) -> np.ndarray:
    values = np.frombuffer(data, np.uint8, count=count).astype(np.uint16)
    if bits > 8:
        values |= _unpack_bits(data[count:], bits - 8, count) << 8
    return values


def encode_tokens(codes: np.ndarray, codebook_size: int) -> bytes:
    """Code the tokens of one stream in one chunk with the smallest of methods 0 to 2.

    Parameters
    ----------
    codes : ndarray of uint16, shape (codebooks, frames)
        Every value below `codebook_size`.
    codebook_size : int
        Entries of each codebook.

    Returns
    -------
    bytes
        One byte for the method, then its data.
    """
    bits = bits_per_token(codebook_size)
    codes = np.ascontiguousarray(codes, np.uint16)
    by_level, by_frame = codes.reshape(-1), np.ascontiguousarray(codes.T).reshape(-1)
    candidates = [
        bytes([BIT_PACKED]) + _pack_bits(by_level, bits),
        bytes([LEVEL_MAJOR]) + zstd_compress(_planes(by_level, bits), _ZSTD_LEVEL),
        bytes([FRAME_MAJOR]) + zstd_compress(_planes(by_frame, bits), _ZSTD_LEVEL),
    ]
    return min(candidates, key=len)


def decode_tokens(data: bytes, codebooks: int, frames: int, codebook_size: int) -> np.ndarray:
    """Inverse of :func:`encode_tokens`.

    Parameters
    ----------
    data : bytes
        The stream's payload.
    codebooks, frames : int
        Shape of the result, known from the file header and the chunk's place in time.
    codebook_size : int
        Entries of each codebook.

    Returns
    -------
    ndarray of uint16, shape (codebooks, frames)

    Raises
    ------
    ContainerError
        Unknown method, wrong size, or an index outside the codebook.
    """
    bits = bits_per_token(codebook_size)
    count = codebooks * frames
    if not data or data[0] > FRAME_MAJOR:
        raise ContainerError("tokens are coded with a method that this version does not know.")
    method, body = data[0], data[1:]
    if method == BIT_PACKED:
        if len(body) != _packed_size(count, bits):
            raise ContainerError(f"tokens take {len(body)} bytes where {_packed_size(count, bits)} belong.")
        codes = _unpack_bits(body, bits, count).reshape(codebooks, frames)
    else:
        size = count + (_packed_size(count, bits - 8) if bits > 8 else 0)
        flat = _join_planes(zstd_decompress(body, size, "a token stream"), bits, count)
        codes = flat.reshape(codebooks, frames) if method == LEVEL_MAJOR else flat.reshape(frames, codebooks).T
    if count and int(codes.max()) >= codebook_size:
        raise ContainerError(f"a token is {int(codes.max())}, outside its codebook of {codebook_size} entries.")
    return np.ascontiguousarray(codes)
