"""Checks a file: every checksum, every stream decoded, and on demand every waveform synthesised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.recording_decoder import Restorer, restored_sha256
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.layer_reader import LayerReader
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError, ContainerError, ModelError
from eegzip.progress import Progress
from eegzip.reports import Verification


def verify(
    source: str | Path,
    *,
    deep: bool = False,
    model: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Verification:
    """Check an ``.eegz`` file.

    Parameters
    ----------
    source : path-like
    deep : bool
        Also synthesise every waveform, which needs the model; where everything is kept exactly, also compare the
        restored file's SHA-256 with that of the original.
    model : path-like, optional
        As for :func:`eegzip.decompress`; used when `deep`, and for tokens that are coded with a model's prior.
    device : str
    progress : callable, optional

    Returns
    -------
    Verification
        All problems found, not only the first; and what could not be checked for want of a model.

    Raises
    ------
    ContainerError
        The file is not an ``.eegz`` file, or its header is damaged, so that nothing can be checked.
    """
    report = progress or (lambda *_: None)
    with EegzReader(source, priors(model)) as reader:
        header = reader.header
        problems = list(reader.problems)
        if reader.summary is None:
            problems.append("the summary of what was lost is missing")
        try:
            stored_edf_header(header)
        except BadInputError as error:
            problems.append(str(error))
        blocks = 0
        for _, problem in reader.verify_blocks():
            blocks += 1
            if problem is not None:
                problems.append(problem)
        tokens = exact = layered = 0
        unchecked: list[str] = []
        for chunk in reader.chunks:
            for kind, count, problem in _check_chunk(reader, chunk, unchecked):
                tokens += count if kind == "tokens" else 0
                exact += count if kind == "exact" else 0
                layered += count if kind == "layers" else 0
                if problem is not None and problem not in problems:
                    problems.append(problem)
            report("verifying", header.records_of_chunk(chunk)[1], header.n_records)
        try:
            for _ in reader.trailing():
                pass
        except ContainerError as error:
            problems.append(str(error))
        if deep and not problems:
            problems += _check_waveforms(reader, model, device, report)
        return Verification(
            source=str(source),
            intact=not problems,
            deep=deep,
            blocks=blocks,
            chunks=len(reader.chunks),
            tokens=tokens,
            exact_samples=exact,
            layered_samples=layered,
            problems=tuple(problems),
            unchecked=tuple(unchecked),
            deviations=header.deviations,
        )


def _check_chunk(
    reader: EegzReader, chunk: int, unchecked: list[str]
) -> Iterator[tuple[str, int, str | None]]:
    """Decode every stream of a chunk; yield its kind, how much it holds, and what is wrong with it.

    What can't be checked for want of a model is added to `unchecked`, once.
    """
    header = reader.header
    try:
        reader.directory(chunk)
    except ContainerError as error:
        yield "directory", 0, str(error)
        return
    for group in range(len(header.groups)):
        try:
            yield "tokens", int(reader.chunk_tokens(chunk, group).size), None
        except ContainerError as error:
            yield "tokens", 0, str(error)
        except ModelError as error:
            if str(error) not in unchecked:
                unchecked.append(str(error))
    for signal in header.exact_signals():
        try:
            yield "exact", int(reader.chunk_exact(chunk, signal).size), None
        except ContainerError as error:
            yield "exact", 0, str(error)
    with_tokens = {index for group in header.groups for index in group.signals}
    for number, entry in enumerate(header.layer_sets):
        first, stop = header.records_of_chunk(chunk)
        count = (stop - first) * header.signals[entry.signals[0]].samples_per_record
        try:
            # Whatever the tokens give, the streams on top of them decode alike.
            silent = {index: np.zeros(count) for index in with_tokens.intersection(entry.signals)}
            restored = LayerReader(reader, chunk, number, silent).restore(entry.signals)
            yield "layers", sum(values.size for values in restored.values()), None
        except ContainerError as error:
            yield "layers", 0, str(error)
    if reader.knot_owners():
        try:
            reader.chunk_knots(chunk)
        except ContainerError as error:
            yield "knots", 0, str(error)


def _check_waveforms(reader: EegzReader, model: str | Path | None, device: str, progress: Progress) -> list[str]:
    digest = restored_sha256(Restorer(reader, None, model, device), progress)
    if not reader.header.groups and not reader.header.layer_sets and digest != reader.header.source_sha256:
        sentence = (
            f"{reader.path}: everything is kept exactly, but the restored file's SHA-256 {digest[:16]}... is not the "
            f"original's {reader.header.source_sha256[:16]}...; keep the original and report this."
        )
        return [sentence]
    return []
