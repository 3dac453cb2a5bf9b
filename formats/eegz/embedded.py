"""MODL payloads: a file of the model that the tokens belong to, in the ``.eegz`` file (SPEC.md, section 7.2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import zstandard

from eegzip.formats.eegz import layout
from eegzip.formats.errors import ContainerError, ModelError
from eegzip.formats.limits import MAX_EMBEDDED_BYTES
from eegzip.formats.packing import zstd_compress, zstd_decompress

if TYPE_CHECKING:
    from eegzip.formats.eegz.container import Container
    from eegzip.formats.eegz.context_tokens import PriorSource
    from eegzip.formats.eegz.header import CodecEntry
    from eegzip.formats.eegz.index import BlockPlace
    from eegzip.formats.tokens.tables import TokenPrior

CONFIG, WEIGHTS, PRIOR, JOINT = "config.json", "model.safetensors", "prior.safetensors", "joint.safetensors"
MODEL_FILES = (CONFIG, WEIGHTS, PRIOR, JOINT)
"""By the number that a payload begins with."""

_ZSTD_LEVEL = 9
_FRAME_OVERHEAD = 1 << 16
"""More than a frame can be longer than its content of that size."""


def pack_model_file(name: str, content: bytes) -> bytes:
    """Build the payload of a MODL block."""
    return bytes([MODEL_FILES.index(name)]) + zstd_compress(content, _ZSTD_LEVEL)


def embedded_names(container: Container) -> list[str]:
    """Files of a model that a file carries; of each its first byte is read, and no more."""
    found = (_name(container, place) for place in _places(container))
    return list(dict.fromkeys(name for name in found if name is not None))


def embedded_file(container: Container, name: str) -> bytes | None:
    """Content of a file of the model that a file carries; ``None`` where it does not.

    Parameters
    ----------
    container : Container
        An open file; the first block of that name counts.
    name : str
        One of :data:`MODEL_FILES`.

    Raises
    ------
    ContainerError
        It is damaged, or larger than may be.
    """
    for place in _places(container):
        if _name(container, place) == name:
            try:
                return _content(container, place, f"the model's {name} in the block at byte {place.offset}")
            except (ContainerError, zstandard.ZstdError) as error:
                raise ContainerError(f"{container.path}: {error}") from error
    return None


def _content(container: Container, place: BlockPlace, what: str) -> bytes:
    if place.length > MAX_EMBEDDED_BYTES + _FRAME_OVERHEAD:
        raise ContainerError(f"{what} is larger ({place.length} bytes) than can be.")
    data = container.payload(place)[1:]
    size = zstandard.frame_content_size(data)
    if not 0 <= size <= MAX_EMBEDDED_BYTES:
        raise ContainerError(f"{what} declares {size} bytes, more than can be.")
    return zstd_decompress(data, size, what)


def _places(container: Container) -> list[BlockPlace]:
    return [place for place in container.blocks.places if place.type == layout.MODEL]


def _name(container: Container, place: BlockPlace) -> str | None:
    first = container.read_bytes(place.payload_offset, min(place.length, 1))
    return MODEL_FILES[first[0]] if first and first[0] < len(MODEL_FILES) else None


def priors_or_embedded(container: Container, priors: PriorSource) -> PriorSource:
    """Find priors as ever and, where they are not at hand, in the file itself."""
    found: dict[str, TokenPrior] = {}

    def find(codec: CodecEntry) -> TokenPrior:
        if codec.prior in found:
            return found[codec.prior]
        try:
            return priors(codec)
        except ModelError:
            try:
                content = embedded_file(container, PRIOR)
            except ContainerError as error:  # no fault of the chunk that asks for it
                raise ModelError(str(error)) from error
            if content is None or codec.prior is None:
                raise
            # Here, as numpy's reader of safetensors takes a while to load.
            from eegzip.formats.tokens.tables import TokenPrior

            if hashlib.sha256(content).hexdigest() != codec.prior:
                raise ModelError(
                    f"{container.path} carries another prior than the one that it names; it is damaged."
                ) from None
            found[codec.prior] = TokenPrior(content)
            return found[codec.prior]

    return find
