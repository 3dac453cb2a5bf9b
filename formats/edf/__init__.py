"""The exact envelope around an EDF or BDF recording: digital integers and original header bytes.

`EdfFile` reads records in constant memory, `EdfWriter` writes them again; `parse_header` works on bytes alone. What
is not to the letter of the specification but has one meaning is read, and listed as a `Deviation`.
"""

from __future__ import annotations

from eegzip.formats.edf.annotations import (
    Annotation,
    Tal,
    Timeline,
    parse_tals,
    read_annotations,
    read_timeline,
    record_onsets,
    scan_records,
)
from eegzip.formats.edf.classify import SignalKind, Verdict, classify_signals, judge_signals
from eegzip.formats.edf.counting import count_records
from eegzip.formats.edf.deviations import Deviation
from eegzip.formats.edf.electrodes import normalise_channel_name
from eegzip.formats.edf.header import EdfHeader, SignalHeader
from eegzip.formats.edf.kinds import judge_as_told
from eegzip.formats.edf.parsing import parse_header
from eegzip.formats.edf.recording import EdfFile
from eegzip.formats.edf.samples import assemble_records, decode_signal, encode_signal
from eegzip.formats.edf.units import microvolts_per_unit
from eegzip.formats.edf.writer import EdfWriter

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
    "Verdict",
    "assemble_records",
    "classify_signals",
    "count_records",
    "decode_signal",
    "encode_signal",
    "judge_as_told",
    "judge_signals",
    "microvolts_per_unit",
    "normalise_channel_name",
    "parse_header",
    "parse_tals",
    "read_annotations",
    "read_timeline",
    "record_onsets",
    "scan_records",
]
