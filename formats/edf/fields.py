"""The fields of a header, each read by a tiny decoder that notes what is not to the letter.

EDF and EDF+ (section 2.1) want left-justified, space-padded, printable US-ASCII (32..126); numbers with a
decimal point; dates ``dd.mm.yy``. Whatever else has exactly one meaning is read and noted; the rest is None.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction

from eegzip.formats.edf.deviations import Notes

_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?0?[0-9]{1,2})?")
_DATE = re.compile(r"([0-9]{1,2})[^0-9]+([0-9]{1,2})[^0-9]+([0-9]{4}|[0-9]{2}|yy)", re.IGNORECASE)
_TIME = re.compile(r"([0-9]{1,2})[^0-9]+([0-9]{1,2})[^0-9]+([0-9]{1,2})")
_STARTDATE = re.compile(r"Startdate +([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\b", re.IGNORECASE)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")


class FieldReader:
    """Reads fields out of header bytes.

    Parameters
    ----------
    data : bytes
        The header, from byte 0 of the file.
    notes : Notes
        Receives the deviations.
    """

    def __init__(self, data: bytes, notes: Notes) -> None:
        self._data = data
        self.notes = notes

    def text(self, name: str, offset: int, width: int, signal: int | None = None) -> str:
        """Read a text field.

        A field ends at its first NUL byte, as in the C programs that write such fields. Text that isn't ASCII is
        UTF-8 where it is valid UTF-8, else Latin-1. Control characters become U+FFFD, so that a label can't
        steer a terminal.

        Parameters
        ----------
        name : str
            Name of the field, for the deviation.
        offset, width : int
            Where it stands, in bytes.
        signal : int, optional
            Number of the signal that it belongs to.

        Returns
        -------
        str
            The text without its padding.
        """
        raw = self._data[offset : offset + width]

        def note(message: str) -> None:
            self.notes.add(name, offset, message, place=signal, example=repr(raw.rstrip(b" \0"))[1:])

        before, nul, after = raw.partition(b"\0")
        if nul:
            if after.strip(b" \0"):
                note("holds bytes after a NUL byte, which are no part of the text")
            else:
                self.notes.add(name, offset, "is padded with NUL bytes instead of spaces", place=signal)
        try:
            text = before.decode("ascii")
        except UnicodeDecodeError:
            try:
                text = before.decode("utf-8")
                note("is not ASCII and was read as UTF-8")
            except UnicodeDecodeError:
                text = before.decode("latin-1")
                note("is not ASCII and was read as Latin-1")
        clean = text.translate(_CONTROL)
        if clean != text:
            note("holds control characters")
        if clean.startswith(" ") and clean.strip():
            self.notes.add(name, offset, "is not left-justified", place=signal)
        return clean.strip()

    def number(self, name: str, offset: int, width: int, signal: int | None = None) -> Fraction | None:
        """Read a number.

        Parameters
        ----------
        name, offset, width, signal
            As in `text`.

        Returns
        -------
        Fraction or None
            Its exact value, or None where the field is blank or holds no number.
        """
        text = self.text(name, offset, width, signal)
        if not text:
            self.notes.add(name, offset, "is blank", place=signal)
            return None
        if not _NUMBER.fullmatch(text):
            self.notes.add(name, offset, "is not a number", place=signal, example=repr(text))
            return None
        if "," in text:
            self.notes.add(name, offset, "has a comma for its decimal point", place=signal, example=repr(text))
        return Fraction(Decimal(text.replace(",", ".")))

    def integer(self, name: str, offset: int, width: int, signal: int | None = None) -> int | None:
        """Read a whole number.

        Parameters
        ----------
        name, offset, width, signal
            As in `text`.

        Returns
        -------
        int or None
            Its value, or None where the field is blank or holds no whole number. ``128.0`` is 128.
        """
        value = self.number(name, offset, width, signal)
        if value is None:
            return None
        text = self._data[offset : offset + width].partition(b"\0")[0].strip()
        if value.denominator != 1:
            self.notes.add(name, offset, "is not a whole number", place=signal, example=repr(text)[1:])
            return None
        if not text.lstrip(b"+-").isdigit():
            self.notes.add(name, offset, "is not written as a whole number", place=signal, example=repr(text)[1:])
        return int(value)

    def start(self, recording: str) -> datetime | None:
        """Read start date and time (EDF: ``dd.mm.yy`` and ``hh.mm.ss`` at bytes 168 and 176).

        Two-digit years from 85 are 1985 to 1999, others 2000 to 2084; EDF+ writes ``yy`` for later years and
        states them, like any unreadable date, in ``Startdate dd-MMM-yyyy`` of the recording field (2.1.3 item 2).

        Parameters
        ----------
        recording : str
            The local recording identification.

        Returns
        -------
        datetime or None
            None where either can't be read.
        """
        day = self._date(recording)
        clock = self._clock()
        return datetime.combine(day, clock) if day is not None and clock is not None else None

    def _date(self, recording: str) -> date | None:
        text = self.text("start date", 168, 8)
        stated = _stated_date(recording)
        found: date | None = None
        match = _DATE.fullmatch(text)
        if match and match[3].lower() != "yy":
            year = int(match[3])
            if len(match[3]) == 2:
                year += 1900 if year >= 85 else 2000
            found = _valid_date(year, int(match[2]), int(match[1]))
        if found is None:
            if match is None or match[3].lower() != "yy" or stated is None:
                self.notes.add("start date", 168, "is not a date of the form dd.mm.yy", example=repr(text))
            return stated
        if not re.fullmatch(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}", text):
            self.notes.add("start date", 168, "is not written as dd.mm.yy", example=repr(text))
        if stated is not None and stated != found:
            self.notes.add(
                "start date", 168, f"differs from the date in the recording field, {stated}", example=repr(text)
            )
        return found

    def _clock(self) -> time | None:
        text = self.text("start time", 176, 8)
        match = _TIME.fullmatch(text)
        try:
            clock = time(int(match[1]), int(match[2]), int(match[3])) if match else None
        except ValueError:
            clock = None
        if clock is None:
            self.notes.add("start time", 176, "is not a time of the form hh.mm.ss", example=repr(text))
            return None
        if not re.fullmatch(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}", text):
            self.notes.add("start time", 176, "is not written as hh.mm.ss", example=repr(text))
        return clock


def _valid_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _stated_date(recording: str) -> date | None:
    match = _STARTDATE.search(recording)
    if match is None or match[2].upper() not in _MONTHS:
        return None
    return _valid_date(int(match[3]), _MONTHS.index(match[2].upper()) + 1, int(match[1]))
