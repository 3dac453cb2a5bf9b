"""The fixed-size parts of a file: signature, block header, trailer (SPEC.md, sections 2, 3 and 8)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from eegzip.formats.errors import ContainerError

# The first byte has its high bit set (7-bit channels), then the name, then CR LF, a DOS end-of-file and a
# lone LF: any transfer "as text" changes at least one of them.
SIGNATURE = b"\x89EEGZ\r\n\x1a\n"
MAJOR_VERSION = 1
MINOR_VERSION = 7
"""The highest that this version writes."""
SIGNATURE_BYTES = 16

SYNC = b"\xe5BLK"
BLOCK_HEADER_BYTES = 32
CRITICAL = 0x0001
DICTIONARY = 0x0002
"""On HEAD: maps of this file are compressed with the dictionary of small files."""
LINES = 0x0004
"""On HEAD: signals have lines beside them, without which they are not whole."""
SEALED = 0x0080
"""On HEAD: all of this file is sealed, and what HEAD holds is its lock."""
CRITICAL_FLAG_BITS = 0x00FF

TRAILER_MAGIC = b"ZGEE"
TRAILER_BYTES = 16

HEAD, CHUNK, TAIL, SUMMARY, INDEX, SEAL = b"HEAD", b"CHNK", b"TAIL", b"SUMM", b"INDX", b"SEAL"
MODEL = b"MODL"
"""A file of the model that the tokens belong to."""
MODEL_MINOR_VERSION = 7
"""Of the format, at least, where a file carries its model."""
KNOWN_TYPES = frozenset({HEAD, CHUNK, TAIL, SUMMARY, INDEX, SEAL, MODEL})

_SIGNATURE = struct.Struct("<9sBBB")
_BLOCK = struct.Struct("<4s4sHHIQI")
_TRAILER = struct.Struct("<Q4s")
_CRC = struct.Struct("<I")


@dataclass(frozen=True)
class BlockHeader:
    """The 32 bytes in front of every payload.

    Parameters
    ----------
    type : bytes
        Four ASCII letters.
    flags : int
        Low byte: flags that a reader must know; high byte: flags that it may ignore.
    sequence : int
        Number of the block in the file, from 0.
    length : int
        Bytes of payload.
    payload_crc : int
        CRC-32 of the payload.
    """

    type: bytes
    flags: int
    sequence: int
    length: int
    payload_crc: int

    def pack(self, seed: int) -> bytes:
        """Return the 32 bytes of this header; for `seed` see :func:`unpack_block_header`."""
        body = _BLOCK.pack(SYNC, self.type, self.flags, 0, self.sequence, self.length, self.payload_crc)
        return body + _CRC.pack(zlib.crc32(body, _start(self.type, seed)))


def unknown_critical_flags(header: BlockHeader) -> int:
    """Return the flags of a block that a reader must know and this one does not."""
    known = CRITICAL | DICTIONARY | LINES | SEALED if header.type == HEAD else CRITICAL
    return header.flags & CRITICAL_FLAG_BITS & ~known


def _start(kind: bytes, seed: int) -> int:
    """What the checksum of a block header begins with: nothing for the header block, from which the seed comes."""
    return 0 if kind == HEAD else seed


def unpack_block_header(data: bytes, seed: int) -> BlockHeader | None:
    """Read a block header; ``None`` when the 32 bytes are not one (bad sync mark or checksum).

    Parameters
    ----------
    data : bytes
    seed : int
        The checksum of the header block's payload, with which the checksums of all other blocks' headers begin.
        So a block of another file, left over or spliced in, is none of this file's.
    """
    if len(data) < BLOCK_HEADER_BYTES or data[:4] != SYNC:
        return None
    body = data[: _BLOCK.size]
    if _CRC.unpack_from(data, _BLOCK.size)[0] != zlib.crc32(body, _start(data[4:8], seed)):
        return None
    _, kind, flags, _, sequence, length, payload_crc = _BLOCK.unpack(body)
    return BlockHeader(kind, flags, sequence, length, payload_crc)


def pack_signature(minor: int = 0) -> bytes:
    """Return the 16 bytes that every file begins with; `minor` is the lowest version that describes its content."""
    body = _SIGNATURE.pack(SIGNATURE, MAJOR_VERSION, minor, 0)
    return body + _CRC.pack(zlib.crc32(body))


def check_signature(data: bytes, name: str) -> int:
    """Refuse what is not an ``.eegz`` file of a version that this reader knows; return its minor version.

    Parameters
    ----------
    data : bytes
        The first 16 bytes of the file.
    name : str
        The file, for the error's sentence.

    Raises
    ------
    ContainerError
        The signature is absent, damaged, or of a newer major version.
    """
    if not data:
        raise ContainerError(f"{name} is empty (0 bytes): it is not an .eegz file; fetch or compress it again.")
    if data[:9] != SIGNATURE[: len(data)]:
        # The name is still there, perhaps pushed on by a high byte that became two or three in UTF-8.
        if SIGNATURE[1:5] in data[:8]:
            raise ContainerError(
                f"{name} began as an .eegz file, but bytes 0 to 8 were changed, as a transfer in text mode does: "
                "copy the original again in binary mode."
            )
        raise ContainerError(f"{name} is not an .eegz file: byte 0 does not begin the eegzip signature.")
    if len(data) < SIGNATURE_BYTES:
        raise ContainerError(f"{name} ends inside its signature, at byte {len(data)}: fetch it again.")
    if _CRC.unpack_from(data, 12)[0] != zlib.crc32(data[:12]):
        raise ContainerError(f"{name} has a damaged signature (bytes 0 to 15): restore it from a copy.")
    major = data[9]
    if major != MAJOR_VERSION:
        raise ContainerError(
            f"{name} is written in version {major} of the format, and this eegzip reads version {MAJOR_VERSION}: "
            "install a newer eegzip."
        )
    return data[10]


def pack_trailer(index_offset: int) -> bytes:
    """Return the last 16 bytes of a complete file, which say where its index begins."""
    body = _TRAILER.pack(index_offset, TRAILER_MAGIC)
    return body + _CRC.pack(zlib.crc32(body))


def unpack_trailer(data: bytes) -> int | None:
    """Return the offset of the index block, or ``None`` where the bytes are not a trailer."""
    if len(data) != TRAILER_BYTES or data[8:12] != TRAILER_MAGIC:
        return None
    if _CRC.unpack_from(data, 12)[0] != zlib.crc32(data[:12]):
        return None
    offset: int = _TRAILER.unpack(data[:12])[0]
    return offset
