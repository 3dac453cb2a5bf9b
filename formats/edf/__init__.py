"""The exact envelope around an EDF or BDF recording: digital integers and original header bytes.

`EdfFile` reads records in constant memory, `EdfWriter` writes them again; `parse_header` works on bytes alone. What
is not to the letter of the specification but has one meaning is read, and listed as a `Deviation`.
"""

from __future__ import annotations

from .annotations import (
    Annotation,
    Tal,
    Timeline,
    parse_tals,
    read_annotations,
    read_timeline,
    record_onsets,
    scan_records,
)
from .classify import SignalKind, classify_signals
from .counting import count_records
from .deviations import Deviation
from .electrodes import normalise_channel_name
from .header import EdfHeader, SignalHeader
from .parsing import parse_header
from .recording import EdfFile
from .samples import assemble_records, decode_signal, encode_signal
from .units import microvolts_per_unit
from .writer import EdfWriter

__all__ = [
    "Annotation",
    "Deviation",
    "EdfFile",
    "EdfHeader",
    "EdfWriter",
    "SignalHeader",
    "SignalKind",
    "Tal",
    "Timeline",
    "assemble_records",
    "classify_signals",
    "count_records",
    "decode_signal",
    "encode_signal",
    "microvolts_per_unit",
    "normalise_channel_name",
    "parse_header",
    "parse_tals",
    "read_annotations",
    "read_timeline",
    "record_onsets",
    "scan_records",
]
