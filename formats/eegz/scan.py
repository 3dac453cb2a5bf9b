"""Finds the blocks of a file, by its index or, where that is gone, by searching for them (SPEC.md, 3 and 8)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.index import BlockPlace, unpack_index
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.positioned import PositionedFile
from eegzip.formats.eegz.sealed_file import SealedFile, sealed_head
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES

_FIRST_WINDOW, _WINDOW = 1 << 10, 1 << 18
# Header blocks may claim payloads that overlap: a search reads the file twice, and what is little anyway, but no more.
_SEARCHED = 64 << 20


@dataclass(frozen=True)
class BlockMap:
    """The blocks of a file.

    Parameters
    ----------
    places : list of BlockPlace
        In the order of the file, the index itself left out.
    complete : bool
        Whether an intact index vouches for the list.
    problems : list of str
        What is wrong with the file's structure, in words for a person.
    head : BlockPlace
        The first intact header block.
    seed : int
        Checksum of its payload, by which the other blocks know their file.
    """

    places: list[BlockPlace]
    complete: bool
    problems: list[str]
    head: BlockPlace
    seed: int


def map_blocks(file: PositionedFile, size: int) -> BlockMap:
    """List the blocks of a file of `size` bytes whose signature was checked already."""
    file = file.with_holes() if isinstance(file, SealedFile) else file
    head, seed = find_head(file, size)
    places = _from_index(file, size, head, seed)
    if places is not None:
        return BlockMap(places, True, [], head, seed)
    found = scan_file(file, size)
    note = "the index at the end is missing or damaged; the file was scanned"
    return BlockMap(found.places, False, [note, *found.problems], head, seed)


def scan_file(file: PositionedFile, size: int) -> BlockMap:
    """List the blocks of a file of `size` bytes as they lie there, whatever its signature and its index say."""
    file = file.with_holes() if isinstance(file, SealedFile) else file
    head, seed = find_head(file, size)
    places, problems = _scan_blocks(file, size, seed)
    return BlockMap(places, False, problems, head, seed)


def unsealed(file: PositionedFile, key: AnyKey | None) -> PositionedFile:
    """The file, or what is within where all of it is sealed; its signature was checked already.

    Raises
    ------
    SealedError
        It is sealed, and there is no key, or not the right one.
    ContainerError
        Its lock is damaged.
    """
    header = layout.unpack_block_header(file.read_at(layout.SIGNATURE_BYTES, layout.BLOCK_HEADER_BYTES), 0)
    if header is not None and header.type == layout.HEAD and not header.flags & layout.SEALED:
        return file
    head, _ = find_head(file, file.size)
    return SealedFile(file, head, key) if sealed_head(file, head) else file


def find_head(file: PositionedFile, size: int) -> tuple[BlockPlace, int]:
    """The first intact header block and its payload's checksum.

    Raises
    ------
    ContainerError
        There is none.
    """
    found = _find_head(file, size)
    if found is None:
        raise ContainerError("the header block is missing or damaged, so nothing can be decoded.")
    return found


def _find_head(file: PositionedFile, size: int) -> tuple[BlockPlace, int] | None:
    """The header block and its payload's checksum: the first block, or the copy at the end of a long file."""
    left = 2 * size + _SEARCHED
    for offset in _marks(file, layout.SYNC + layout.HEAD, layout.SIGNATURE_BYTES, size):
        header = layout.unpack_block_header(file.read_at(offset, layout.BLOCK_HEADER_BYTES), 0)
        if header is not None and header.length <= MAX_HEADER_BYTES:
            left -= min(header.length, size - offset)
            if left < 0:
                break
            payload = file.read_at(offset + layout.BLOCK_HEADER_BYTES, header.length)
            if len(payload) == header.length and zlib.crc32(payload) == header.payload_crc:
                return BlockPlace(header.type, offset, header.length), header.payload_crc
    return None


def _from_index(file: PositionedFile, size: int, head: BlockPlace, seed: int) -> list[BlockPlace] | None:
    """Blocks as the index lists them, or ``None`` when there is no intact index that fits the file."""
    trailer_offset = size - layout.TRAILER_BYTES
    if trailer_offset < layout.SIGNATURE_BYTES:
        return None
    offset = layout.unpack_trailer(file.read_at(trailer_offset, layout.TRAILER_BYTES))
    if offset is None or offset > trailer_offset - layout.BLOCK_HEADER_BYTES:
        return None
    header = layout.unpack_block_header(file.read_at(offset, layout.BLOCK_HEADER_BYTES), seed)
    if header is None or header.type != layout.INDEX or header.length > MAX_HEADER_BYTES:
        return None
    if offset + layout.BLOCK_HEADER_BYTES + header.length != trailer_offset:
        return None
    payload = file.read_at(offset + layout.BLOCK_HEADER_BYTES, header.length)
    if zlib.crc32(payload) != header.payload_crc:
        return None
    places = unpack_index(payload, offset)
    if not places or places[0].offset != layout.SIGNATURE_BYTES or head not in places:
        raise ContainerError("the index does not begin with the first block, or leaves the header block out.")
    return places


def _scan_blocks(file: PositionedFile, size: int, seed: int) -> tuple[list[BlockPlace], list[str]]:
    """Find blocks one after another, and search for the next sync mark wherever one is damaged.

    Returns
    -------
    places : list of BlockPlace
        Every block of this file whose header is intact and whose payload is all there; the index left out.
    problems : list of str
        The stretches of bytes that belong to no block.
    """
    places: list[BlockPlace] = []
    problems: list[str] = []
    offset = layout.SIGNATURE_BYTES
    while offset < size:
        place = _block_at(file, offset, size, seed)
        if place is None:
            following = _next_block(file, offset + 1, size, seed)
            end = size if following is None else following
            if not _is_trailer(file, offset, size):
                problems.append(f"bytes {offset} to {end - 1} belong to no intact block")
            if following is None:
                break
            offset = following
            continue
        if place.type != layout.INDEX:
            places.append(place)
        offset = place.payload_offset + place.length
    return places, problems


def _is_trailer(file: PositionedFile, offset: int, size: int) -> bool:
    data = file.read_at(offset, layout.TRAILER_BYTES + 1)
    return size - offset == layout.TRAILER_BYTES and layout.unpack_trailer(data) is not None


def _block_at(file: PositionedFile, offset: int, size: int, seed: int) -> BlockPlace | None:
    header = layout.unpack_block_header(file.read_at(offset, layout.BLOCK_HEADER_BYTES), seed)
    if header is None or header.length > MAX_PAYLOAD_BYTES:
        return None
    if header.type == layout.HEAD and header.payload_crc != seed:
        return None  # of another file
    place = BlockPlace(header.type, offset, header.length)
    return place if place.payload_offset + place.length <= size else None


def _next_block(file: PositionedFile, offset: int, size: int, seed: int) -> int | None:
    """Offset of the next intact block at or after `offset`."""
    marks = _marks(file, layout.SYNC, offset, size)
    return next((mark for mark in marks if _block_at(file, mark, size, seed) is not None), None)


def _marks(file: PositionedFile, mark: bytes, offset: int, size: int) -> Iterator[int]:
    """Offsets at which some bytes stand, from `offset` on."""
    # Small at first, as the next one is mostly near.
    length = _FIRST_WINDOW
    while offset < size:
        window = file.read_at(offset, length + len(mark) - 1)
        found = window.find(mark)
        while found >= 0:
            yield offset + found
            found = window.find(mark, found + 1)
        offset += length
        length = min(2 * length, _WINDOW)
