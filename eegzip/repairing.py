"""Makes a sound container of a damaged one: signature, both headers, order, index and trailer; no stream is decoded."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eegzip.formats.eegz import layout
from eegzip.formats.eegz.chunk import PREFIX_BYTES, directory_size, unpack_directory
from eegzip.formats.eegz.header_checks import unpack_header
from eegzip.formats.eegz.index import BlockPlace, pack_index
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.positioned import PositionedFile
from eegzip.formats.eegz.scan import BlockMap, map_blocks, scan_file, unsealed
from eegzip.formats.eegz.sealed_file import SealedFile, SealingWriter
from eegzip.formats.eegz.seals import Seals
from eegzip.formats.eegz.writer import Writable
from eegzip.formats.errors import ContainerError, naming_memory
from eegzip.formats.files import atomic_output, refuse_own_source
from eegzip.formats.shared_file import SharedFile


@dataclass(frozen=True)
class RepairReport:
    """What became of a file.

    Attributes
    ----------
    source, target : str
    repaired : tuple of str
        What was wrong with the container, and is not any more.
    remaining : tuple of str
        What can't be mended: chunks that are lost or damaged, a summary that is gone.
    chunks, missing : int
        Chunks in the new file, and those that it lacks.
    """

    source: str
    target: str
    repaired: tuple[str, ...]
    remaining: tuple[str, ...]
    chunks: int
    missing: int

    def sentence(self) -> str:
        """One line for a person."""
        state = "sound" if not self.remaining else f"{len(self.remaining)} things can't be mended"
        return f"{self.target}: {self.chunks} of {self.chunks + self.missing} chunks, {state}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def repair(
    source: str | Path, target: str | Path, *, overwrite: bool = False, key: AnyKey | None = None
) -> RepairReport:
    """Write a damaged ``.eegz`` file anew, with whatever can be made of the rest.

    Signature, index and trailer are made again; a header block that was damaged is replaced by its copy; chunks that
    were out of order are put in order. Chunks whose content is damaged stay as they are, as other streams of theirs may
    be intact; what is lost stays lost. No model is needed, and tokens stay the same bits.

    Parameters
    ----------
    source : path-like
        The damaged file; it is not changed.
    target : path-like
        The file to make.
    overwrite : bool
        Replace an existing target.
    key : str, bytes or path-like, optional
        What opens a file that is sealed as a whole; it opens the new one, too. Where the identity alone is sealed it
        stays so, and needs no key.

    Returns
    -------
    RepairReport

    Raises
    ------
    ContainerError
        No header block is intact, so that nothing can be made of the rest.
    SealedError
        The file is sealed as a whole and there is no key, or the key does not open it.
    OutputExistsError, OutputError
        The target exists, or can't be written.
    """
    refuse_own_source(source, target)
    with naming_memory(source):
        file: PositionedFile = SharedFile(source)
        try:
            file = unsealed(file, key)
            seals = None
            if isinstance(file, SealedFile) and key is not None:
                # What can't be opened is zeros, and so damaged as other chunks are.
                file, seals = file.with_holes(), Seals.new(key)
            return _repair(file, Path(source), Path(target), seals, overwrite=overwrite)
        except ContainerError as error:
            text = str(error)
            raise ContainerError(text if text.startswith(str(source)) else f"{source}: {text}") from error
        finally:
            file.close()


def _repair(file: PositionedFile, source: Path, target: Path, seals: Seals | None, *, overwrite: bool) -> RepairReport:
    repaired, remaining = list(file.problems) if isinstance(file, SealedFile) else [], []
    try:
        layout.check_signature(file.read_at(0, layout.SIGNATURE_BYTES), str(source))
    except ContainerError as error:
        repaired.append(str(error))
    # What an index says is not asked: it may be what is wrong.
    found = scan_file(file, file.size)
    if found.head.offset != layout.SIGNATURE_BYTES:
        repaired.append("the first header block was missing or damaged; another one was taken")
    if not _has_index(file):
        repaired.append("the index at the end was missing or damaged")
    _refuse_unknown(file, found)
    header = unpack_header(file.read_at(found.head.payload_offset, found.head.length))
    chunks: dict[int, BlockPlace] = {}
    others: list[BlockPlace] = []
    for place in found.places:
        if place.type == layout.CHUNK:
            number = _chunk_number(file, place, found.seed)
            if number is None or number >= header.n_chunks:
                remaining.append(f"the chunk at byte {place.offset} has a damaged directory and is left out")
            elif number not in chunks or not _intact(file, chunks[number], found.seed):
                chunks[number] = place
        elif place.type != layout.HEAD:
            others.append(place)
    order = sorted(chunks)
    missing = header.n_chunks - len(chunks)
    if missing:
        remaining.append(f"{missing} of {header.n_chunks} chunks are missing")
    remaining += [
        f"the content of chunk {number} is damaged" for number in order if not _intact(file, chunks[number], found.seed)
    ]
    if not any(place.type == layout.SUMMARY and _intact(file, place, found.seed) for place in others):
        remaining.append("the summary of what was lost is missing")
    others = [place for place in others if place.type != layout.SUMMARY or _intact(file, place, found.seed)]
    places = [found.head, *(chunks[number] for number in order), *others]
    with atomic_output(target, overwrite=overwrite, source=source) as sealed:
        output: Writable = sealed if seals is None else SealingWriter(sealed, seals)
        carries = any(place.type == layout.MODEL for place in others)
        output.write(layout.pack_signature(max(header.minor_version, layout.MODEL_MINOR_VERSION if carries else 0)))
        written: list[BlockPlace] = []
        offset = layout.SIGNATURE_BYTES
        # The copy of the header stands before the summary, as a writer puts it.
        before_summary = next((i for i, p in enumerate(places) if p.type == layout.SUMMARY), len(places))
        for place in [*places[:before_summary], found.head, *places[before_summary:]]:
            old = layout.unpack_block_header(file.read_at(place.offset, layout.BLOCK_HEADER_BYTES), found.seed)
            if old is None:  # it was a moment ago
                raise ContainerError(f"the block at byte {place.offset} changed while it was read.")
            new = layout.BlockHeader(old.type, old.flags, len(written), old.length, old.payload_crc)
            written.append(BlockPlace(old.type, offset, old.length))
            offset += layout.BLOCK_HEADER_BYTES + old.length
            output.write(new.pack(found.seed) + file.read_at(place.payload_offset, place.length))
        if order == list(range(len(order))):
            index = pack_index(written, header.small)
            block = layout.BlockHeader(layout.INDEX, 0, len(written), len(index), zlib.crc32(index))
            output.write(block.pack(found.seed) + index + layout.pack_trailer(offset))
        else:
            remaining.append("an index would give the chunks wrong numbers, so there is none")
        if isinstance(output, SealingWriter):
            output.finish()
    repaired += found.problems
    return RepairReport(str(source), str(target), tuple(repaired), tuple(remaining), len(chunks), missing)


def _has_index(file: PositionedFile) -> bool:
    try:
        return map_blocks(file, file.size).complete
    except ContainerError:
        return False


def _refuse_unknown(file: PositionedFile, found: BlockMap) -> None:
    for place in found.places:
        header = layout.unpack_block_header(file.read_at(place.offset, layout.BLOCK_HEADER_BYTES), found.seed)
        if header is not None and (
            layout.unknown_critical_flags(header)
            or (place.type not in layout.KNOWN_TYPES and header.flags & layout.CRITICAL)
        ):
            raise ContainerError(f"the block at byte {place.offset} is of a later version: install a newer eegzip.")


def _chunk_number(file: PositionedFile, place: BlockPlace, seed: int) -> int | None:
    prefix = file.read_at(place.payload_offset, PREFIX_BYTES)
    try:
        if len(prefix) < PREFIX_BYTES:
            return None
        directory = file.read_at(place.payload_offset + PREFIX_BYTES, directory_size(prefix))
        return unpack_directory(prefix, directory, place.length, seed).number
    except ContainerError:
        return None


def _intact(file: PositionedFile, place: BlockPlace, seed: int) -> bool:
    header = layout.unpack_block_header(file.read_at(place.offset, layout.BLOCK_HEADER_BYTES), seed)
    return header is not None and zlib.crc32(file.read_at(place.payload_offset, place.length)) == header.payload_crc
