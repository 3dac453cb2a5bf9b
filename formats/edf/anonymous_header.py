"""The header of a recording without what tells whose it is (EDF+ section 2.1.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.edf.layout import FIXED_BYTES, SIGNAL_FIELDS, signal_field
from eegzip.formats.edf.new_header import FIRST_YEAR, LAST_YEAR
from eegzip.formats.edf.parsing import parse_header
from eegzip.formats.errors import EdfError, UsageError

KEEPABLE = ("age", "sex")
"""What of the patient may be kept."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_PATIENT = re.compile(
    r"(?P<code>\S+) +(?P<sex>[MFX]) +(?P<birth>[0-9]{1,2}-[A-Z]{3}-[0-9]{4}|X) +(?P<name>\S+)(?P<more>.*)",
    re.IGNORECASE,
)
_RECORDING = re.compile(
    r"Startdate +(?P<date>\S+) +(?P<code>\S+) +(?P<technician>\S+) +(?P<equipment>\S+)(?P<more>.*)", re.IGNORECASE
)
# As Temple's recordings state it.
_AGE = re.compile(r"(?:^|\s)Age[:_=]([0-9]{1,3})(?:\s|$)", re.IGNORECASE)
_OLDEST = 89
_VARIANT = re.compile(rb" *((?:EDF|BDF)\+[CD]?|24BIT)", re.IGNORECASE)
_CLOCK = re.compile(rb"([01][0-9]|2[0-3])\.[0-5][0-9]\.[0-5][0-9]")
# Fields that say how the file is to be read.
_KEPT_FIXED = {
    "bytes in header": (184, 8), "number of data records": (236, 8), "duration of a data record": (244, 8),
    "number of signals": (252, 4),
}  # fmt: skip
_TEXTS = {"label": "label", "transducer": "transducer", "physical dimension": "unit", "prefiltering": "prefiltering"}


@dataclass(frozen=True)
class AnonymousHeader:
    """A header, and what became of it.

    Attributes
    ----------
    header : EdfHeader
        The new one; data records lie in it as before.
    done : tuple of str
        What was removed, moved or kept.
    unjudged : tuple of str
        What was asked for and can't be done, or stays and can't be judged.
    texts : dict of str to tuple of str
        Texts that stay: those of ``label``, ``transducer``, ``physical dimension`` and ``prefiltering``, each once.
    words : frozenset of str
        Words of the removed fields, in small letters: where one turns up elsewhere, somebody should look.
    """

    header: EdfHeader
    done: tuple[str, ...]
    unjudged: tuple[str, ...]
    texts: dict[str, tuple[str, ...]]
    words: frozenset[str]


def anonymous_header(header: EdfHeader, *, shift_days: int | None, keep: Sequence[str], name: str) -> AnonymousHeader:
    """Remove from a header what tells whose the recording is.

    Patient and recording fields become EDF+'s subfields with ``X`` for what is unknown, and blanks in a file that is
    not EDF+. Whatever is no value that a reader needs goes, too: text in reserved fields and behind NUL bytes.

    Parameters
    ----------
    header : EdfHeader
    shift_days : int or None
        Days by which the start moves; ``None`` puts 1 January 1985 in its place.
    keep : sequence of {'age', 'sex'}
    name : str
        Of the file, for errors.

    Returns
    -------
    AnonymousHeader

    Raises
    ------
    EdfError
        The start is to move, but can't be read.
    UsageError
        It would leave 1985 to 2084, or `keep` names something else.
    """
    for what in keep:
        if what not in KEEPABLE:
            raise UsageError(f"'{what}' can't be kept; keep takes {' and '.join(KEEPABLE)}.")
    plus = "+" in header.variant
    day, moved = _new_day(header.start, shift_days, name)
    done: list[str] = []
    unjudged: list[str] = []
    raw = bytearray(header.raw)
    patient = _patient(header, plus, keep, done, unjudged)
    recording = f"Startdate {day.day:02d}-{_MONTHS[day.month - 1]}-{day.year:04d} X X X" if plus else ""
    _say_removed_of_recording(header, plus, done)
    done.append(moved)
    _put(raw, 8, 80, patient.encode())
    _put(raw, 88, 80, recording.encode())
    _put(raw, 168, 8, day.strftime("%d.%m.%y").encode())
    if not _CLOCK.fullmatch(bytes(raw[176:184])):
        time = header.start.strftime("%H.%M.%S") if header.start else "00.00.00"
        done.append(f"start time written anew, as {time}")
        _put(raw, 176, 8, time.encode())
    if not header.is_bdf and bytes(raw[:8]) != b"0       ":
        done.append("text in the version field removed")
        _put(raw, 0, 8, b"0")
    _clean_reserved(raw, len(header.signals), done)
    _clean_hidden(raw, len(header.signals), done)
    new = parse_header(bytes(raw), name=name)
    texts = {
        field: tuple(dict.fromkeys(text for signal in new.signals if (text := getattr(signal, attribute))))
        for field, attribute in _TEXTS.items()
    }
    return AnonymousHeader(new, tuple(done), tuple(unjudged), texts, _telling_words(header))


def at_midnight(header: EdfHeader) -> EdfHeader:
    """The same header with 00:00:00 for its time of day."""
    raw = bytearray(header.raw)
    _put(raw, 176, 8, b"00.00.00")
    return parse_header(bytes(raw))


def _new_day(start: datetime | None, shift: int | None, name: str) -> tuple[date, str]:
    if shift is None:
        return date(FIRST_YEAR, 1, 1), "start date replaced by 01-JAN-1985; the time of day is kept"
    if start is None:
        raise EdfError(f"{name}: the start at byte 168 can't be read, so it can't be moved; leave --shift-days out.")
    try:
        day = (start + timedelta(days=shift)).date()
    except OverflowError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(
            f"{name}: {shift} days would move the start out of {FIRST_YEAR} to {LAST_YEAR}, which is all that EDF can "
            "say; choose another number of days."
        )
    return day, f"start date moved by {shift} days; the time of day is kept"


def _patient(header: EdfHeader, plus: bool, keep: Sequence[str], done: list[str], unjudged: list[str]) -> str:
    """The new patient field."""
    found = _PATIENT.fullmatch(header.patient)
    sex = found["sex"].upper() if found else "X"
    age = _age(header, found)
    if found:
        for what, group in (("code", "code"), ("birth date", "birth"), ("name", "name")):
            if found[group].upper() != "X":
                done.append(f"patient {what} removed")
        if "sex" not in keep and sex != "X":
            done.append("patient sex removed")
        if found["more"].strip():
            done.append("further patient fields removed")
    elif header.patient:
        done.append("patient field removed; it has not the fields of EDF+")
    kept_sex = sex if "sex" in keep else "X"
    kept_age = "" if age is None or "age" not in keep else f"Age:{age if age <= _OLDEST else '90+'}"
    for what, kept in (("sex", kept_sex.replace("X", "")), ("age", kept_age[4:])):
        if kept:
            done.append(f"patient {what} kept: {kept}")
        elif what in keep:
            unjudged.append(f"the {what} that was to be kept is not stated in the fields of EDF+")
    if not plus and kept_sex == "X" and not kept_age:
        return ""
    return f"X {kept_sex} X X {kept_age}".strip()


def _age(header: EdfHeader, found: re.Match[str] | None) -> int | None:
    """Whole years at the start of the recording, where the header states them."""
    if found is None:
        return None
    if stated := _AGE.search(found["more"]):
        return int(stated[1])
    if found["birth"].upper() == "X" or header.start is None:
        return None
    day, month, year = found["birth"].split("-")
    try:
        born = date(int(year), _MONTHS.index(month.upper()) + 1, int(day))
    except ValueError:
        return None
    start = header.start.date()
    years = start.year - born.year - ((start.month, start.day) < (born.month, born.day))
    return years if years >= 0 else None


def _say_removed_of_recording(header: EdfHeader, plus: bool, done: list[str]) -> None:
    found = _RECORDING.fullmatch(header.recording)
    if found is None:
        if header.recording and not re.fullmatch(r"Startdate( +X)+", header.recording):
            done.append("recording field removed; it has not the fields of EDF+")
        return
    if not plus:
        done.append("recording field blanked, as the file is not EDF+")
    for what, group in (("identifier", "code"), ("technician", "technician"), ("equipment", "equipment")):
        if found[group] != "X":
            done.append(f"recording {what} removed")
    if found["more"].strip():
        done.append("further recording fields removed")


def _clean_reserved(raw: bytearray, n_signals: int, done: list[str]) -> None:
    """Blank reserved fields, but for the word that says which variant of EDF this is."""
    before = bytes(raw)
    variant = _VARIANT.match(before[192:236])
    _put(raw, 192, 44, variant[1] if variant else b"")
    for index in range(n_signals):
        _put(raw, *signal_field("reserved", index, n_signals), b"")
    end = FIXED_BYTES * (n_signals + 1)
    raw[end:] = b" " * (len(raw) - end)
    if bytes(raw).replace(b"\0", b" ") != before.replace(b"\0", b" "):
        done.append("text in reserved parts of the header removed")


def _clean_hidden(raw: bytearray, n_signals: int, done: list[str]) -> None:
    """Blank what stands in a field behind a NUL byte, where no reader looks."""
    places = list(_KEPT_FIXED.values())
    places += [signal_field(field, index, n_signals) for field in SIGNAL_FIELDS for index in range(n_signals)]
    hidden = False
    for offset, width in places:
        text, _, behind = bytes(raw[offset : offset + width]).partition(b"\0")
        if behind.strip(b" \0"):
            _put(raw, offset, width, text)
            hidden = True
    if hidden:
        done.append("bytes hidden behind NUL bytes removed")


def _telling_words(header: EdfHeader) -> frozenset[str]:
    found = re.findall(r"[^\W_]{3,}", f"{header.patient} {header.recording}".casefold())
    common = {"startdate", "age", "edf", "bdf", "eeg", *map(str.casefold, _MONTHS)}
    return frozenset(word for word in found if word not in common and set(word) != {"x"})


def _put(raw: bytearray, offset: int, width: int, value: bytes) -> None:
    raw[offset : offset + width] = value.ljust(width)[:width]
