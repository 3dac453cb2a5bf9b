"""Layout of a header: the magic bytes, the signal fields, and its length."""

from __future__ import annotations

import re
from typing import NamedTuple

from eegzip.formats.edf.deviations import Notes, refusal
from eegzip.formats.edf.fields import FieldReader
from eegzip.formats.errors import EdfError

FIXED_BYTES = 256
MAX_SIGNALS = 10_000
MAX_HEADER_BYTES = FIXED_BYTES * (MAX_SIGNALS + 1)

_SIGNAL_WIDTHS = {
    "label": 16, "transducer": 80, "physical dimension": 8, "physical minimum": 8, "physical maximum": 8,
    "digital minimum": 8, "digital maximum": 8, "prefiltering": 80, "samples per record": 8, "reserved": 32,
}  # fmt: skip
SIGNAL_FIELDS = tuple(_SIGNAL_WIDTHS)
"""Names of the fields of a signal, in the order of the header."""

_OTHER_FORMATS = (
    (b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
)  # fmt: skip


class Layout(NamedTuple):
    """Number of signals and length of the header in bytes."""

    n_signals: int
    header_bytes: int


def signal_field(name: str, index: int, n_signals: int) -> tuple[int, int]:
    """Return byte offset and width of a field of one signal (EDF: field by field, all signals of each).

    Parameters
    ----------
    name : str
        Name of the field.
    index : int
        Position of the signal.
    n_signals : int
        Number of signals in the header.

    Returns
    -------
    tuple of int
        Offset from the start of the file, and width, in bytes.
    """
    before = 0
    for other, width in _SIGNAL_WIDTHS.items():
        if other == name:
            return FIXED_BYTES + n_signals * before + index * width, width
        before += width
    raise KeyError(name)


def begins_as_recording(start: bytes) -> bool:
    """Whether a file begins as an EDF or BDF recording does.

    Parameters
    ----------
    start : bytes
        Its first 256 bytes.
    """
    try:
        check_magic(start, "the file")
    except EdfError:
        return False
    return True


def check_magic(data: bytes, name: str) -> bool:
    """Tell EDF from BDF by the version field.

    Some programs write another version into EDF's (Emotiv's a date). That is EDF all the same where the other fields of
    the fixed header are what only EDF has.

    Parameters
    ----------
    data : bytes
        The start of the file.
    name : str
        Name of the file, for the error.

    Returns
    -------
    bool
        True for BDF (``0xFF BIOSEMI``), False for EDF (``0``).

    Raises
    ------
    EdfError
        For anything else.
    """
    version = data[:8]
    if version[:1] == b"\xff" and version[1:].rstrip(b" \0").upper() == b"BIOSEMI":
        is_bdf = True
    elif version.strip(b" \0") == b"0" or _is_edf_but_for_version(data):
        is_bdf = False
    elif not data:
        raise refusal(name, 0, "version", "is not an EDF or BDF file: it is empty")
    else:
        hint = next(
            (f"; it is a {kind} archive, unpack it first" for magic, kind in _OTHER_FORMATS if data.startswith(magic)),
            "",
        )
        raise refusal(
            name,
            0,
            "version",
            f"is not an EDF or BDF file: it starts with {version!r} instead of '0' or 0xFF 'BIOSEMI'" + hint,
        )
    if len(data) < FIXED_BYTES:
        raise refusal(name, len(data), "header", f"the file ends within the {FIXED_BYTES} bytes of its fixed header")
    return is_bdf


def _is_edf_but_for_version(data: bytes) -> bool:
    """Whether a fixed header of another version is EDF: text, the header's length that of its signals, numbers."""
    if len(data) < FIXED_BYTES or not all(32 <= byte < 127 for byte in data[:8]):
        return False
    reader = FieldReader(data, Notes())
    signals = reader.integer("number of signals", 252, 4)
    return (
        signals is not None
        and 0 < signals <= MAX_SIGNALS
        and reader.integer("bytes in header", 184, 8) == FIXED_BYTES * (signals + 1)
        and reader.integer("number of data records", 236, 8) is not None
        and reader.number("duration of a data record", 244, 8) is not None
        and re.fullmatch(rb"[0-9]{2}[.:-][0-9]{2}[.:-][0-9]{2}", data[176:184]) is not None
    )


def candidate_layouts(data: bytes, name: str) -> list[Layout]:
    """List the layouts that the fixed header allows: one, unless its fields contradict each other.

    Parameters
    ----------
    data : bytes
        At least the first 256 bytes of the file.
    name : str
        Name of the file, for the error.

    Returns
    -------
    list of Layout
        Never empty. Where "bytes in header" contradicts "number of signals" n: n signals and 256*(n+1) bytes;
        n signals and a longer header; as many signals as the bytes in the header say.

    Raises
    ------
    EdfError
        Where neither field can be read, or both are out of bounds.
    """
    reader = FieldReader(data, Notes())
    signals = reader.integer("number of signals", 252, 4)
    stated = reader.integer("bytes in header", 184, 8)
    candidates = []
    if signals is not None and signals >= 0:
        regular = FIXED_BYTES * (signals + 1)
        candidates.append(Layout(signals, regular))
        if stated == regular or stated is None:
            return candidates
        if regular < stated <= MAX_HEADER_BYTES:
            candidates.append(Layout(signals, stated))
    if stated is not None and FIXED_BYTES <= stated <= MAX_HEADER_BYTES and stated % FIXED_BYTES == 0:
        candidates.append(Layout(stated // FIXED_BYTES - 1, stated))
    if not candidates:
        raise refusal(
            name, 252, "number of signals", "can't be read, and 'bytes in header' at byte 184 doesn't tell it either"
        )
    return candidates


def choose_layout(data: bytes, sample_bytes: int, file_size: int | None, name: str) -> Layout:
    """Find how many signals there are and where the data records begin.

    Where the fields contradict each other, a layout is chosen only if all others are impossible: their
    "samples per record" or calibrations are no numbers where another layout's are, or they don't fit the size
    of the file.

    Parameters
    ----------
    data : bytes
        The start of the file, at least its header.
    sample_bytes : int
        2 for EDF, 3 for BDF.
    file_size : int or None
        Size of the file in bytes; None if `data` is a header and nothing else.
    name : str
        Name of the file, for the error.

    Returns
    -------
    Layout
        The one possible layout.

    Raises
    ------
    EdfError
        Where the file is too short or more than one layout is possible.
    """
    candidates = candidate_layouts(data, name)
    fitting = [layout for layout in candidates if layout.header_bytes <= len(data)]
    if not fitting:
        need = min(layout.header_bytes for layout in candidates)
        raise refusal(name, len(data), "header", f"the file ends within its header of {need} bytes")
    if len(candidates) == 1:
        return candidates[0]
    record_bytes = {layout: _record_bytes(data, layout, sample_bytes) for layout in fitting}
    possible = [layout for layout in fitting if record_bytes[layout] is not None]
    possible = [layout for layout in possible if _is_plausible(data, layout)] or possible
    if len({layout.header_bytes for layout in possible}) == len(possible) > 1:
        possible = _settle(possible, record_bytes, data, file_size)
    if len(possible) != 1:
        raise refusal(
            name,
            184,
            "bytes in header",
            "contradicts the number of signals at byte 252, and the file does not show which is "
            "right; correct one of the two fields",
        )
    return possible[0]


def _settle(
    possible: list[Layout], record_bytes: dict[Layout, int | None], data: bytes, file_size: int | None
) -> list[Layout]:
    if file_size is None:
        return [layout for layout in possible if layout.header_bytes == len(data)]
    declared = FieldReader(data, Notes()).integer("number of data records", 236, 8)
    whole, matching = [], []
    for layout in possible:
        count, rest = divmod(file_size - layout.header_bytes, record_bytes[layout] or file_size + 1)
        if rest == 0:
            whole.append(layout)
            if count == declared:
                matching.append(layout)
    return matching or whole


def _is_plausible(data: bytes, layout: Layout) -> bool:
    """Tell whether all calibrations are numbers where a layout puts them."""
    reader = FieldReader(data, Notes())
    return all(
        reader.number(name, *signal_field(name, index, layout.n_signals)) is not None
        for name in ("physical minimum", "physical maximum", "digital minimum", "digital maximum")
        for index in range(layout.n_signals)
    )


def _record_bytes(data: bytes, layout: Layout, sample_bytes: int) -> int | None:
    reader = FieldReader(data, Notes())
    total = 0
    for index in range(layout.n_signals):
        offset, width = signal_field("samples per record", index, layout.n_signals)
        samples = reader.integer("samples per record", offset, width)
        if samples is None or samples < 0:
            return None
        total += samples * sample_bytes
    return total
