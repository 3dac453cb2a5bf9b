"""A recording without what tells whose it is, and a report of what was done and what only a person can judge."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eegzip.formats.edf import EdfFile, EdfWriter
from eegzip.formats.edf.annotations import text_signals
from eegzip.formats.edf.anonymous_header import AnonymousHeader, anonymous_header
from eegzip.formats.edf.anonymous_texts import TextSurvey, rewrite_texts
from eegzip.formats.errors import UsageError
from eegzip.formats.files import atomic_output, is_eegz, refuse_own_source
from eegzip.formats.remote.spooled import Source, Target, local_source, local_target, name_of, named_as

ANNOTATIONS = ("list", "remove", "hash", "keep")
"""What may become of the texts of annotations."""

_SHOWN = 8
_NAMED = "the name of the output"


@dataclass(frozen=True)
class AnonymizationReport:
    """What :func:`eegzip.anonymize` did. It holds nothing of what was removed.

    Parameters
    ----------
    source, target : str
        The files.
    done : tuple of str
        What was removed, moved, or kept because it was asked for.
    unjudged : tuple of str
        What stays, or could not be done, and a person should look at.
    annotations : str
        ``'list'``, ``'remove'``, ``'hash'`` or ``'keep'``.
    annotation_texts : dict of str to int
        The texts that stay, and how often each occurs; with ``'list'`` only.
    header_texts : dict of str to tuple of str
        Texts of signals that stay: ``label``, ``transducer``, ``physical dimension`` and ``prefiltering``.
    """

    source: str
    target: str
    done: tuple[str, ...]
    unjudged: tuple[str, ...]
    annotations: str
    annotation_texts: dict[str, int]
    header_texts: dict[str, tuple[str, ...]]

    def sentence(self) -> str:
        """One line for a person."""
        look = f"{len(self.unjudged)} to look at" if self.unjudged else "nothing left to look at"
        return f"{self.source} -> {self.target}: {len(self.done)} things done, {look}"

    def notes(self) -> tuple[str, ...]:
        """What was done and what is to be looked at, for a report that is about something else."""
        return (*self.done, *(f"look at this: {what}" for what in self.unjudged))

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def anonymize(
    source: Source,
    target: Target,
    *,
    shift_days: int | None = None,
    keep: Sequence[str] = (),
    annotations: str = "list",
    overwrite: bool = False,
) -> AnonymizationReport:
    """Write a recording without what tells whose it is.

    Name, code and birth date of the patient, identifiers of the recording, technician and equipment become ``X`` (EDF+
    section 2.1.3.3 and 2.1.3.4), or blanks in a file that is not EDF+; text in reserved fields, behind NUL bytes and
    after the last data record goes. Labels of channels and all samples stay as they are. The file does not keep the
    source's time of modification.

    Parameters
    ----------
    source : path-like, URL, bytes or binary file
        The recording: EDF, EDF+C, EDF+D, BDF or BDF+.
    target : path-like, URL or binary file
        The recording to make, of the same kind. It appears when it is complete, or not at all.
    shift_days : int, optional
        Days by which the start moves, the same for all recordings of a subject. By default 1 January 1985 takes its
        place. The time of day is kept either way.
    keep : sequence of {'age', 'sex'}
        What of the patient is kept, where the fields of EDF+ state it. The age, at the start and in whole years, is a
        further field ``Age:42``; beyond 89 it is ``Age:90+``.
    annotations : {'list', 'remove', 'hash', 'keep'}
        The texts of annotations stay and are listed in the report; are removed with their times; become codes, the same
        for the same text, under a key that nobody keeps; or stay and are not listed.
    overwrite : bool
        Replace an existing target.

    Returns
    -------
    AnonymizationReport

    Raises
    ------
    EdfError
        The source can't be read without guessing, changed while it was read, or has no start that could be moved.
    OutputExistsError, OutputError
        The target exists, or can't be written.
    UsageError
        An option makes no sense, the source is an ``.eegz`` file, or codes find no room.
    """
    if annotations not in ANNOTATIONS:
        raise UsageError(f"'{annotations}' is nothing to do with annotations; choose one of {', '.join(ANNOTATIONS)}.")
    refuse_own_source(source, target)
    with local_target(target, overwrite=overwrite) as write, local_source(source) as read:
        if is_eegz(read):
            raise UsageError(
                f"{name_of(source)} is an .eegz file, whose digest and coded annotations would still tell whose it is: "
                "decompress it, anonymize the recording, and compress that."
            )
        with EdfFile.open(read) as file:
            new = anonymous_header(file.header, shift_days=shift_days, keep=keep, name=name_of(source))
            survey = TextSurvey(file.header)
            for _, block in file.blocks() if text_signals(file.header) else ():
                survey.add(block)
            replace = _replacements(survey, annotations, name_of(source))
            with atomic_output(write, overwrite=overwrite, source=read) as output:
                writer = EdfWriter(output)
                writer.write_header(new.header.raw)
                for _, block in file.blocks():
                    writer.write_records(
                        block if replace is None else rewrite_texts(block, file.header, replace.__getitem__)
                    )
                file.refuse_changed()
        os.utime(write)  # that of the source may tell the day
        done, unjudged = list(new.done), list(new.unjudged)
        if file.trailing_size:
            done.append(f"{file.trailing_size} bytes after the last data record removed")
    texts = {_text(raw): count for raw, count in survey.counts.items()}
    _say_annotations(survey, annotations, done, unjudged)
    said = texts if replace is None else {}
    unjudged += to_look_at(new, {"annotations": said, _NAMED: (Path(name_of(target)).name,)})
    return AnonymizationReport(
        source=name_of(source),
        target=name_of(target),
        done=tuple(done),
        unjudged=tuple(unjudged),
        annotations=annotations,
        annotation_texts=texts if annotations == "list" else {},
        header_texts=new.texts,
    )


@contextmanager
def anonymous_copy(source: Path) -> Iterator[tuple[Path, AnonymizationReport]]:
    """Yield an anonymised copy of a recording, which goes at the end of the block, and the report on it."""
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        copy = Path(folder) / "anonymous"
        report = anonymize(source, copy)
        with named_as(copy, str(source)):
            yield copy, report


def _replacements(survey: TextSurvey, annotations: str, name: str) -> Mapping[bytes, bytes] | None:
    """New texts by old ones; None where they stay."""
    if annotations == "remove":
        return dict.fromkeys(survey.counts, b"")
    if annotations == "hash":
        codes = survey.codes(secrets.token_bytes(32))
        if codes is None:
            raise UsageError(f"{name}: the annotation signals have no room for codes; remove the annotations instead.")
        return codes
    return None


def _say_annotations(survey: TextSurvey, annotations: str, done: list[str], unjudged: list[str]) -> None:
    total, different = sum(survey.counts.values()), len(survey.counts)
    counted = f"{total} annotations of {different} different texts" if total != 1 else "1 annotation"
    if annotations in ("remove", "hash"):
        if total:
            done.append(f"{counted} {'removed' if annotations == 'remove' else 'replaced by codes'}")
        if survey.strange:
            done.append(f"{survey.strange} pieces of annotation signals that are no annotation lists removed")
        return
    if total:
        unjudged.append(f"{counted} kept as written")
    if survey.strange:
        unjudged.append(f"{survey.strange} pieces of annotation signals that are no annotation lists kept as they are")


def to_look_at(new: AnonymousHeader, others: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield what stays and may tell something after all: texts of signals, and others by where they are."""
    for field in ("transducer", "prefiltering"):
        if texts := new.texts[field]:
            more = ", ..." if len(texts) > _SHOWN else ""
            yield f"{field} of signals kept as written: {', '.join(map(repr, texts[:_SHOWN]))}{more}"
    places: dict[str, Iterable[str]] = {**others}
    places |= {f"{field} of signals": texts for field, texts in new.texts.items()}
    for place, found in places.items():
        if any(not new.words.isdisjoint(re.findall(r"[^\W_]{3,}", text.casefold())) for text in found):
            yield f"words of the removed fields occur again in {place}"


def _text(raw: bytes) -> str:
    """The text of an annotation, read as `parse_tals` reads it."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
