"""Annotations and record onsets: the time-stamped annotation lists (TALs) of EDF+ section 2.2.

A TAL is ``onset [0x15 duration] 0x14 text 0x14 [text 0x14 ...] 0x00``. The first TAL of the first annotation
signal of each record keeps time: its first text is empty and its onset is that of the record (section 2.2.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eegzip.formats.edf.deviations import Deviation, Notes
from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.edf.recording import EdfFile

_NUMBER = rb" *[+-]?(?:[0-9]{1,15}(?:[.,][0-9]*)?|[.,][0-9]{1,15})(?:[eE][+-]?[0-9]{1,3})? *"
_TO_THE_LETTER, _LENGTH_TO_THE_LETTER = re.compile(rb"[+-]\d+(?:\.\d*)?"), re.compile(rb"(?:\d+(?:\.\d*)?)?")
_TAL = re.compile(rb"(%s)(?:\x15(%s)?)?\x14(.*)" % (_NUMBER, _NUMBER), re.DOTALL)
_ROUNDING = 0.0011
_MAX_SECONDS = 1e15
_SHOWN_BYTES = 60


class Tal(NamedTuple):
    """One time-stamped annotation list.

    Attributes
    ----------
    onset : float
        Seconds from the start of the file.
    duration : float or None
        Seconds; None where not stated.
    texts : tuple of str
        Its annotations; a time-keeping TAL begins with an empty one.
    """

    onset: float
    duration: float | None
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Annotation:
    """One annotation.

    Attributes
    ----------
    onset : float
        Seconds from the start of the file; may lie outside its record.
    duration : float or None
        Seconds; None where not stated.
    text : str
        Never empty.
    record : int
        Number of the data record that holds it.
    """

    onset: float
    duration: float | None
    text: str
    record: int


@dataclass(frozen=True)
class Timeline:
    """What the annotation signals of a file say.

    Attributes
    ----------
    onsets : numpy.ndarray of float64, shape (n_records,)
        Start of each record in seconds from the start of the file.
    annotations : tuple of Annotation
        In file order.
    deviations : tuple of Deviation
        Bytes that are no TALs, missing record onsets.
    """

    onsets: npt.NDArray[np.float64]
    annotations: tuple[Annotation, ...]
    deviations: tuple[Deviation, ...]


def parse_tals(data: bytes) -> tuple[list[Tal], list[tuple[int, str]]]:
    """Parse what an annotation signal holds in one record.

    Text is UTF-8; where it isn't valid, Latin-1. Numbers with one meaning are read and reported where they are not to
    the letter (no sign, a decimal comma, an exponent, blanks); what is no TAL is skipped and reported.

    Parameters
    ----------
    data : bytes
        The bytes of the annotation signal.

    Returns
    -------
    tals : list of Tal
        In order.
    problems : list of (int, str)
        Byte position within `data`, and what is wrong, as a predicate of "the annotations".
    """
    tals: list[Tal] = []
    problems: list[tuple[int, str]] = []
    position = 0
    for chunk in data.split(b"\0"):
        if chunk:
            tal = _parse_tal(chunk, position, problems)
            if tal is not None:
                tals.append(tal)
        position += len(chunk) + 1
    if data and data[-1]:
        problems.append((len(data) - 1, "do not end with a NUL byte"))
    return tals, problems


def _parse_tal(chunk: bytes, position: int, problems: list[tuple[int, str]]) -> Tal | None:
    match = _TAL.fullmatch(chunk)
    if match is None:
        problems.append((position, "hold bytes that are no annotation list; they are kept but not read"))
        return None
    onset, duration, rest = match.groups()
    begin, length = _seconds(onset), None if duration is None else _seconds(duration)
    if not abs(begin) < _MAX_SECONDS or not abs(length or 0.0) < _MAX_SECONDS:
        problems.append((position, "hold an onset or duration beyond any recording; it is kept but not read"))
        return None
    for message in _unusual(onset, duration or b""):
        problems.append((position, message))
    if length is not None and length < 0:
        problems.append((position, "hold a duration below 0, which is taken for none"))
        length = None
    if not rest.endswith(b"\x14"):
        problems.append((position, "hold an annotation that is not closed by a byte 0x14"))
    texts = []
    for raw in rest.removesuffix(b"\x14").split(b"\x14"):
        try:
            texts.append(raw.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append(raw.decode("latin-1"))
            problems.append((position, "hold an annotation that is not UTF-8 and was read as Latin-1"))
    return Tal(begin, length, tuple(texts))


def _unusual(onset: bytes, duration: bytes) -> Iterator[str]:
    """What is not to the letter of EDF+ (section 2.2.2) in two numbers that can be read all the same."""
    if _TO_THE_LETTER.fullmatch(onset) and _LENGTH_TO_THE_LETTER.fullmatch(duration):
        return  # nearly all, of which there may be a million
    both = (onset, duration)
    if not onset.lstrip().startswith((b"+", b"-")):
        yield "hold an onset without a sign"
    if duration.lstrip().startswith(b"+"):
        yield "hold a duration with a sign"
    if any(b"," in number for number in both):
        yield "hold an onset or duration with a comma for its decimal point"
    if any(b" " in number for number in both):
        yield "hold an onset or duration with blanks around it"
    if any(b"e" in number.lower() for number in both):
        yield "hold an onset or duration with an exponent"
    if any(number.lstrip(b" +-").startswith((b".", b",")) for number in both):
        yield "hold an onset or duration without a digit before its decimal point"


def _seconds(raw: bytes) -> float:
    return float(raw.replace(b",", b"."))


def split_tal(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """Take an annotation list apart, as bytes: onset with duration, and its texts; None where it is no list.

    Parameters
    ----------
    data : bytes
        What stands between two NUL bytes.
    """
    match = _TAL.fullmatch(data)
    if match is None:
        return None
    return data[: match.start(3) - 1], match[3].removesuffix(b"\x14").split(b"\x14")


def text_signals(header: EdfHeader) -> tuple[int, ...]:
    """Positions of the annotation signals that hold anything: some have no samples."""
    return tuple(index for index in header.annotation_indices if header.signals[index].samples_per_record)


def read_timeline(file: EdfFile) -> Timeline:
    """Read record onsets and annotations of a file.

    Parameters
    ----------
    file : EdfFile
        The file; it is read once, in bounded blocks, and not at all if it has no annotation signal.

    Returns
    -------
    Timeline
        See `scan_records`.
    """
    if not text_signals(file.header):
        return scan_records(file.header, [], n_records=file.n_records)
    return scan_records(file.header, (block for _, block in file.blocks()), n_records=file.n_records)


def scan_records(header: EdfHeader, blocks: Iterable[npt.NDArray[np.uint8]], *, n_records: int) -> Timeline:
    """Read record onsets and annotations from all data records of a file.

    A record's onset is that of its time-keeping TAL, also in a file that does not call itself EDF+. Where
    that is missing it is the onset of the record before plus the record duration; so a file without annotation
    signals (or with none that has samples) has the onsets 0, 1, 2... times the record duration. An unknown record
    duration counts as 0.

    Parameters
    ----------
    header : EdfHeader
        The header.
    blocks : iterable of numpy.ndarray of uint8, shape (n, record_bytes)
        All records in order; may be empty where there is no annotation signal.
    n_records : int
        Number of records.

    Returns
    -------
    Timeline
        Onsets, annotations and deviations.
    """
    duration = header.record_duration or 0.0
    if not text_signals(header):
        return Timeline(np.arange(n_records, dtype=np.float64) * np.float64(duration), (), ())
    onsets = np.zeros(n_records)
    annotations: list[Annotation] = []
    notes = Notes("records", "the {}")
    record = 0
    for block in blocks:
        for row in block:
            start = len(header.raw) + record * header.record_bytes
            onset = _scan_record(header, row, record, start, annotations, notes)
            if onset is None:
                onset = float(onsets[record - 1]) + duration if record else 0.0
                notes.add(
                    "annotations",
                    start,
                    "lack the onset of a data record, so it is taken to follow the one before",
                    place=record,
                )
            elif record and duration:
                _check_order(header, onset - float(onsets[record - 1]) - duration, record, start, notes)
            onsets[record] = onset
            record += 1
    return Timeline(onsets, tuple(annotations), tuple(notes))


def _check_order(header: EdfHeader, gap: float, record: int, start: int, notes: Notes) -> None:
    """Note where a record does not begin at the end of the one before; onsets may be rounded to 1 ms."""
    if gap < -_ROUNDING:
        notes.add("annotations", start, "let a data record begin before the end of the one before", place=record)
    elif gap > _ROUNDING and not header.is_discontinuous:
        notes.add(
            "annotations",
            start,
            f"show a gap before a data record of a file that is {header.variant}",
            place=record,
        )


def _scan_record(
    header: EdfHeader, row: npt.NDArray[np.uint8], record: int, start: int, annotations: list[Annotation], notes: Notes
) -> float | None:
    onset: float | None = None
    signals = text_signals(header)
    for index in signals:
        where = header.signal_slices[index]
        tals, problems = parse_tals(row[where].tobytes())
        for position, message in problems:
            example = repr(_list_at(row[where], position))[1:] if "not read" in message else ""
            notes.add("annotations", start + where.start + position, message, place=record, example=example)
        for number, tal in enumerate(tals):
            if index == signals[0] and number == 0 and not tal.texts[0]:
                onset = tal.onset
            annotations.extend(Annotation(tal.onset, tal.duration, text, record) for text in tal.texts if text)
    return onset


def _list_at(row: npt.NDArray[np.uint8], position: int) -> bytes:
    """The bytes of the annotation list that begins at a position, as many as a person wants to see."""
    return row[position : position + _SHOWN_BYTES].tobytes().partition(b"\0")[0]


def read_annotations(file: EdfFile) -> list[Annotation]:
    """Read the annotations of a file.

    Parameters
    ----------
    file : EdfFile
        The file.

    Returns
    -------
    list of Annotation
        In file order, without the time-keeping ones.
    """
    return list(read_timeline(file).annotations)


def record_onsets(file: EdfFile) -> npt.NDArray[np.float64]:
    """Read when each data record starts.

    Parameters
    ----------
    file : EdfFile
        The file.

    Returns
    -------
    numpy.ndarray of float64, shape (n_records,)
        Seconds from the start of the file (see `scan_records`); in EDF+D they have gaps.
    """
    return read_timeline(file).onsets
