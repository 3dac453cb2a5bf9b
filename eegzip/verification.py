"""Checks a file: every checksum, every stream decoded, and on demand every waveform synthesised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eegzip.coding import Progress
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import BadInputError, ContainerError, ModelError
from eegzip.priors import priors
from eegzip.reports import Verification
from eegzip.restoring import Restorer, restored_sha256, stored_edf_header


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
        tokens = exact = 0
        unchecked: list[str] = []
        for chunk in reader.chunks:
            for kind, count, problem in _check_chunk(reader, chunk, unchecked):
                tokens += count if kind == "tokens" else 0
                exact += count if kind == "exact" else 0
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
    if reader.knot_owners():
        try:
            reader.chunk_knots(chunk)
        except ContainerError as error:
            yield "knots", 0, str(error)


def _check_waveforms(reader: EegzReader, model: str | Path | None, device: str, progress: Progress) -> list[str]:
    digest = restored_sha256(Restorer(reader, None, model, device), progress)
    if not reader.header.groups and digest != reader.header.source_sha256:
        sentence = (
            f"{reader.path}: everything is kept exactly, but the restored file's SHA-256 {digest[:16]}... is not the "
            f"original's {reader.header.source_sha256[:16]}...; keep the original and report this."
        )
        return [sentence]
    return []
