"""Parses a header tolerantly: what has exactly one meaning is read, what is not to the letter is noted."""

from __future__ import annotations

import re

from eegzip.formats.edf.deviations import Notes, refusal
from eegzip.formats.edf.fields import FieldReader
from eegzip.formats.edf.header import EdfHeader, SignalHeader
from eegzip.formats.edf.layout import FIXED_BYTES, check_magic, choose_layout, signal_field
from eegzip.formats.edf.units import is_missing

MAX_RECORD_BYTES = 256 * 1024 * 1024


def parse_header(data: bytes, *, file_size: int | None = None, name: str = "the file") -> EdfHeader:
    """Parse the header of an EDF or BDF file.

    Fields with exactly one meaning are read even where they are not to the letter; each such place becomes a
    deviation. Only what decides where samples lie must be readable: version, number of signals, samples per
    record. ``parse_header(header.raw)`` gives the same header again.

    Parameters
    ----------
    data : bytes
        The start of the file, at least its whole header.
    file_size : int, optional
        Size of the file in bytes. Settles which is right where "bytes in header" and "number of signals"
        contradict each other. Without it `data` is taken to be a header and nothing else.
    name : str, optional
        Name of the file, for error messages.

    Returns
    -------
    EdfHeader
        With ``raw`` cut out of `data`.

    Raises
    ------
    EdfError
        Where the data are not EDF or BDF, are too short, or would have to be guessed at; the sentence names
        byte offset and field.
    """
    is_bdf = check_magic(data, name)
    n_signals, header_bytes = choose_layout(data, 3 if is_bdf else 2, file_size, name)
    notes = Notes()
    reader = FieldReader(data[:header_bytes], notes)
    version = reader.text("version", 1 if is_bdf else 0, 7 if is_bdf else 8)
    if not is_bdf and version != "0":
        notes.add("version", 0, "is not '0', though all that follows is EDF", example=repr(version))
    patient = reader.text("patient", 8, 80)
    recording = reader.text("recording", 88, 80)
    start = reader.start(recording)
    stated_bytes = reader.integer("bytes in header", 184, 8)
    reserved = reader.text("reserved", 192, 44)
    declared = reader.integer("number of data records", 236, 8)
    duration = reader.number("duration of a data record", 244, 8)
    stated_signals = reader.integer("number of signals", 252, 4)
    if stated_bytes is not None and stated_bytes != FIXED_BYTES * (n_signals + 1):
        notes.add("bytes in header", 184, f"contradicts the {n_signals} signals", example=str(stated_bytes))
    if stated_signals is not None and stated_signals != n_signals:
        notes.add(
            "number of signals",
            252,
            f"is not {n_signals}, as the layout of the file shows",
            example=str(stated_signals),
        )
    if duration is not None and duration < 0:
        notes.add("duration of a data record", 244, "is negative")
        duration = None
    signals = tuple(_parse_signal(reader, i, n_signals, is_bdf, name) for i in range(n_signals))
    if duration == 0 and any(s.samples_per_record and not s.is_annotations for s in signals):
        notes.add("duration of a data record", 244, "is 0 although there are sampled signals")
    variant = _variant(reserved, is_bdf, any(s.is_annotations for s in signals), notes)
    header = EdfHeader(
        data[:header_bytes], is_bdf, variant, patient, recording, start, declared, duration, signals, tuple(notes)
    )
    if header.record_bytes > MAX_RECORD_BYTES:
        raise refusal(
            name,
            signal_field("samples per record", 0, n_signals)[0],
            "samples per record",
            f"a data record would have {header.record_bytes} bytes, more than the "
            f"{MAX_RECORD_BYTES} that eegzip takes into memory at once",
        )
    return header


def _parse_signal(reader: FieldReader, index: int, n_signals: int, is_bdf: bool, name: str) -> SignalHeader:
    def at(field_name: str) -> tuple[str, int, int, int]:
        return (field_name, *signal_field(field_name, index, n_signals), index)

    label = reader.text(*at("label"))
    transducer = reader.text(*at("transducer"))
    unit = reader.text(*at("physical dimension"))
    low = reader.number(*at("physical minimum"))
    high = reader.number(*at("physical maximum"))
    digital_low = reader.integer(*at("digital minimum"))
    digital_high = reader.integer(*at("digital maximum"))
    prefiltering = reader.text(*at("prefiltering"))
    samples = reader.integer(*at("samples per record"))
    if samples is None or samples < 0:
        offset, _ = signal_field("samples per record", index, n_signals)
        raise refusal(
            name, offset, "samples per record", f"signal {index} must have a whole number of samples, 0 or more"
        )
    signal = SignalHeader(
        index=index,
        label=label,
        transducer=transducer,
        unit=unit,
        physical_minimum=None if low is None else float(low),
        physical_maximum=None if high is None else float(high),
        digital_minimum=digital_low,
        digital_maximum=digital_high,
        prefiltering=prefiltering,
        samples_per_record=samples,
    )
    _check_calibration(signal, n_signals, is_bdf, reader.notes)
    return signal


def _check_calibration(signal: SignalHeader, n_signals: int, is_bdf: bool, notes: Notes) -> None:
    def note(field_name: str, message: str, example: str = "") -> None:
        offset, _ = signal_field(field_name, signal.index, n_signals)
        notes.add(field_name, offset, message, place=signal.index, example=example)

    low, high = signal.digital_minimum, signal.digital_maximum
    if signal.is_annotations:
        if not signal.samples_per_record:
            note("samples per record", "is 0 for a signal of annotations, so there are none")
        if signal.label not in ("EDF Annotations", "BDF Annotations"):
            note("label", "is not 'EDF Annotations' to the letter", repr(signal.label))
        return
    if signal.physical_minimum is not None and signal.physical_minimum == signal.physical_maximum:
        note("physical maximum", "equals the physical minimum, so there is no calibration")
    if low is not None and high is not None:
        limit = 1 << (23 if is_bdf else 15)
        if low == high:
            note("digital maximum", "equals the digital minimum, so there is no calibration")
        elif low > high:
            note("digital maximum", "is smaller than the digital minimum")
        if not (-limit <= low < limit and -limit <= high < limit):
            note("digital minimum", f"or maximum does not fit into {24 if is_bdf else 16} bits", f"{low}, {high}")
    if is_missing(signal.unit) and signal.unit:
        note("physical dimension", "states no unit", repr(signal.unit))


def _variant(reserved: str, is_bdf: bool, has_annotations: bool, notes: Notes) -> str:
    base = "BDF" if is_bdf else "EDF"
    match = re.match(r"(EDF|BDF)\+([CD])?", reserved, re.IGNORECASE)
    if match is None:
        if has_annotations:
            notes.add(
                "reserved", 192, f"does not say {base}+ although there is an annotation signal", example=repr(reserved)
            )
        return base
    if not has_annotations:
        notes.add("reserved", 192, f"says {base}+ although there is no annotation signal", example=repr(reserved))
    if not reserved.startswith((f"{base}+C", f"{base}+D")):
        notes.add("reserved", 192, f"is not '{base}+C' or '{base}+D' to the letter", example=repr(reserved))
    # With the letter missing nothing promises that the records follow each other, so gaps stay possible.
    return f"{base}+{(match[2] or 'D').upper()}"
