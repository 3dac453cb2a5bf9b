"""Checks a file: every checksum, every stream decoded, and on demand every waveform synthesised."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from eegzip.codecs.checkpoints.embedded import embedded_checkpoint
from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.lines import StoredLines
from eegzip.decoding.memory import refuse_more_memory
from eegzip.decoding.recording_decoder import RecordingDecoder, restored_sha256, stages_of
from eegzip.decoding.stage import Check, Stage
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.embedded import PRIOR, embedded_file
from eegzip.formats.eegz.header import FileHeader
from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError, ContainerError, ModelError, OutOfMemoryError, naming_memory
from eegzip.formats.remote.spooled import Source, local_source, name_of
from eegzip.progress import Progress
from eegzip.reports import Verification


def verify(
    source: Source,
    *,
    deep: bool = False,
    model: str | Path | None = None,
    device: str = "cpu",
    max_memory: int | None = None,
    key: AnyKey | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check an ``.eegz`` file.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
    deep : bool
        Also synthesise every waveform, which needs the model; where everything is kept exactly, also compare the
        restored file's SHA-256 with that of the original.
    model : path-like, optional
        As for :func:`eegzip.decompress`; used when `deep`, and for tokens that are coded with a model's prior.
    device : str
    max_memory : int, optional
        As for :func:`eegzip.decompress`.
    key : str, bytes or path-like, optional
        Likewise. Without it, sealed parts are compared with their checksums, which finds accidents only.
    progress : callable, optional

    Returns
    -------
    Verification
        All problems found, not only the first; and what could not be checked for want of a model.

    Raises
    ------
    ContainerError
        The file is not an ``.eegz`` file, or its header is damaged, so that nothing can be checked.
    SealedError
        The file is sealed as a whole and there is no key, or the key does not open it.
    OutOfMemoryError
        There is not enough memory, or `max_memory` is not.
    """
    report = progress or (lambda *_: None)
    # All of it is read, so one at a URL is fetched in one piece.
    with (
        local_source(source) as place,
        naming_memory(name_of(source)),
        EegzReader(place, priors(model), key) as reader,
    ):
        header = reader.header
        reader.max_memory = max_memory
        refuse_more_memory(reader)
        problems = dict.fromkeys(reader.problems)
        if reader.summary is None:
            problems["the summary of what was lost is missing"] = None
        for check in (lambda: stored_edf_header(header), reader.require_records):
            try:
                check()
            except BadInputError as error:
                problems[str(error)] = None
        blocks = 0
        for _, problem in reader.verify_blocks():
            blocks += 1
            if problem is not None:
                problems[problem] = None
        network = StoredNetwork(reader, model, device)
        counts = Counter[str]()
        unchecked: dict[str, None] = {}
        missing = _check_models(network, header, problems)
        problems.update(dict.fromkeys(_check_embedded(reader)))
        stages, lines = stages_of(reader, network), StoredLines(reader)
        for chunk in reader.chunks:
            for found in _check_chunk(reader, chunk, stages, lines):
                counts[found.kind] += found.size
                if found.problem is not None:
                    problems[found.problem] = None
                if found.unchecked is not None:
                    unchecked[found.unchecked] = None
            report("verifying", header.records_of_chunk(chunk)[1], header.n_records)
        try:
            for _ in reader.trailing():
                pass
        except ContainerError as error:
            problems[str(error)] = None
        if missing and not unchecked:
            unchecked[missing] = None
        if reader.locked:
            unchecked["the sealed identity, as there is no key"] = None
        elif key is not None and reader.sealed is None:
            unchecked["who made the file: nothing of it is sealed, so the key says nothing"] = None
        if deep and not problems:
            problems.update(dict.fromkeys(_check_waveforms(RecordingDecoder(reader, network), report)))
        return Verification(
            source=name_of(source),
            intact=not problems,
            deep=deep,
            blocks=blocks,
            chunks=len(reader.chunks),
            tokens=counts["tokens"],
            exact_samples=counts["exact"],
            layered_samples=counts["layers"],
            problems=tuple(problems),
            unchecked=tuple(unchecked),
            deviations=header.deviations,
        )


def _check_models(network: StoredNetwork, header: FileHeader, problems: dict[str, None]) -> str | None:
    """Hold what the file says of its models against them, no torch loaded; say so where one is not at hand."""
    missing = None
    for number in sorted({group.codec for group in header.groups}):
        try:
            checkpoint = network.checkpoint(number)
        except ModelError as error:
            missing = str(error)
            continue
        except ContainerError as error:  # the file carries it, damaged
            problems[str(error)] = None
            continue
        try:
            network.refuse_contradiction(number, checkpoint)
        except ModelError as error:
            problems[str(error)] = None
    return missing


def _check_embedded(reader: EegzReader) -> Iterator[str]:
    """Hold the model that a file carries against what the file says of it, though another may be at hand."""
    codecs = reader.header.codecs
    try:
        checkpoint = embedded_checkpoint(reader)
        prior = embedded_file(reader, PRIOR)
    except (ContainerError, ModelError) as error:
        yield str(error)
        return
    if checkpoint is not None and checkpoint.digest not in {codec.digest for codec in codecs}:
        yield f"{reader.path} carries another model than the one that it names"
    if prior is not None and hashlib.sha256(prior).hexdigest() not in {codec.prior for codec in codecs}:
        yield f"{reader.path} carries another prior than the one that it names"


def _check_chunk(reader: EegzReader, chunk: int, stages: Sequence[Stage], lines: StoredLines) -> Iterator[Check]:
    """Decode every stream of a chunk."""
    try:
        reader.directory(chunk)
    except ContainerError as error:
        yield Check("directory", 0, str(error))
        return
    for stage in stages:
        yield from stage.verify(chunk)
    yield from lines.verify(chunk)


def _check_waveforms(decoder: RecordingDecoder, progress: Progress) -> list[str]:
    reader, header = decoder.reader, decoder.reader.header
    try:
        digest = restored_sha256(decoder, progress)
    except BadInputError as error:
        if isinstance(error, (ModelError, OutOfMemoryError)):
            raise
        return [str(error)]
    if not header.groups and not header.layer_sets and digest != header.source_sha256:
        sentence = (
            f"{reader.path}: everything is kept exactly, but the restored file's SHA-256 {digest[:16]}... is not the "
            f"original's {header.source_sha256[:16]}...; keep the original and report this."
        )
        return [sentence]
    return []
