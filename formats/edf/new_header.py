"""The header of a recording that begins here: EDF+C or BDF+C, with an annotation signal behind the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from eegzip.formats.edf.calibration import Calibration, text_of
from eegzip.formats.edf.header import EdfHeader
from eegzip.formats.edf.layout import FIXED_BYTES, SIGNAL_FIELDS, signal_field
from eegzip.formats.edf.parsing import parse_header
from eegzip.formats.edf.record_length import RecordLength

FIRST_YEAR, LAST_YEAR = 1985, 2084
"""What the two digits of a year stand for (EDF+ section 2.1.3.2)."""

MAX_SIGNALS = 9998
"""What fits into the four characters of the number of signals, less the annotations."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# Room for a handful of annotations a record; more make all records longer.
_ANNOTATION_BYTES = 120


def new_header(
    labels: Sequence[str],
    calibrations: Sequence[Calibration],
    record: RecordLength,
    n_records: int,
    start: datetime | None,
    *,
    bits: int,
) -> EdfHeader:
    """Make a header.

    Parameters
    ----------
    labels : sequence of str
        Of ordinary signals: at most `MAX_SIGNALS`, each of at most 16 printable ASCII characters.
    calibrations : sequence of Calibration
        One each.
    record : RecordLength
    n_records : int
    start : datetime or None
        Within `FIRST_YEAR` and `LAST_YEAR`, fractions of a second ignored; None where it is not known.
    bits : {16, 24}
        EDF or BDF.

    Returns
    -------
    EdfHeader
    """
    count = len(labels) + 1
    family, version = ("EDF", b"0") if bits == 16 else ("BDF", b"\xffBIOSEMI")
    day = "X" if start is None else f"{start.day:02d}-{_MONTHS[start.month - 1]}-{start.year:04d}"
    begin = start or datetime(FIRST_YEAR, 1, 1)
    fixed = (
        (version, 8),
        ("X X X X", 80),
        (f"Startdate {day} X X X", 80),
        (f"{begin.day:02d}.{begin.month:02d}.{begin.year % 100:02d}", 8),
        (f"{begin.hour:02d}.{begin.minute:02d}.{begin.second:02d}", 8),
        (str(FIXED_BYTES * (count + 1)), 8),
        (f"{family}+C", 44),
        (str(n_records), 8),
        (text_of(record.duration), 8),
        (str(count), 4),
    )
    raw = b"".join((value if isinstance(value, bytes) else value.encode()).ljust(width) for value, width in fixed)
    return parse_header(raw + b"".join(_signal_fields(labels, calibrations, record, family, bits)), name="the new file")


def _signal_fields(
    labels: Sequence[str], calibrations: Sequence[Calibration], record: RecordLength, family: str, bits: int
) -> Iterator[bytes]:
    limit = 1 << (bits - 1)
    columns = {
        "label": [*labels, f"{family} Annotations"],
        "physical dimension": [*(c.unit for c in calibrations), ""],
        "physical minimum": [*(text_of(c.physical[0]) for c in calibrations), "-1"],
        "physical maximum": [*(text_of(c.physical[1]) for c in calibrations), "1"],
        "digital minimum": [*(str(c.digital[0]) for c in calibrations), str(-limit)],
        "digital maximum": [*(str(c.digital[1]) for c in calibrations), str(limit - 1)],
        "samples per record": [*(str(record.samples) for _ in labels), str(8 * _ANNOTATION_BYTES // bits)],
    }
    blank = [""] * (len(labels) + 1)
    for name in SIGNAL_FIELDS:
        _, width = signal_field(name, 0, 1)
        yield from (text.encode().ljust(width) for text in columns.get(name, blank))
