"""The INDX block: where every block begins, so that any time is one seek away (SPEC.md, section 8)."""

from __future__ import annotations

from dataclasses import dataclass

from eegzip.formats.eegz.fields import Fields
from eegzip.formats.eegz.layout import BLOCK_HEADER_BYTES
from eegzip.formats.errors import ContainerError
from eegzip.formats.limits import MAX_OBJECTS, MAX_PAYLOAD_BYTES
from eegzip.formats.packing import pack_map, unpack_map


@dataclass(frozen=True)
class BlockPlace:
    """Type, offset of the block header and length of the payload of one block."""

    type: bytes
    offset: int
    length: int

    @property
    def payload_offset(self) -> int:
        """Where the payload begins."""
        return self.offset + BLOCK_HEADER_BYTES


def pack_index(places: list[BlockPlace], small: bool = False) -> bytes:
    """Serialise the list of blocks, of a small file or another; they lie end to end, so lengths are enough."""
    return pack_map(
        {
            "types": b"".join(place.type for place in places),
            "first_offset": places[0].offset,
            "lengths": [place.length for place in places],
        },
        small,
    )


def unpack_index(payload: bytes, stop: int) -> list[BlockPlace]:
    """Read and check the payload of an INDX block that begins at the byte `stop`: the blocks end there.

    Raises
    ------
    ContainerError
        A field is missing, of the wrong type or out of range, or the blocks don't end there.
    """
    fields = Fields(unpack_map(payload, "the index"), "index")
    types = fields.binary("types")
    lengths = fields.integers("lengths", MAX_OBJECTS, 0, MAX_PAYLOAD_BYTES)
    if len(types) != 4 * len(lengths):
        raise ContainerError("the index names more or fewer block types than lengths.")
    offset = fields.integer("first_offset", 0, 1 << 62)
    # Before there is an object a block: a few bytes may name a million.
    if offset + BLOCK_HEADER_BYTES * len(lengths) + sum(lengths) != stop:
        raise ContainerError("the index lists blocks that do not fill the file.")
    places = []
    for number, length in enumerate(lengths):
        places.append(BlockPlace(types[4 * number : 4 * number + 4], offset, length))
        offset += BLOCK_HEADER_BYTES + length
    return places
