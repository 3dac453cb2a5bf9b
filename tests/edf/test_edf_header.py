"""Header fields: read where they have one meaning, noted where they are not to the letter, else refused."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pytest
from edf_builder import Builder, Signal, annotated, fixed_offset, signal_offset

from eegzip.formats.edf import EdfFile, microvolts_per_unit, parse_header
from eegzip.formats.errors import EdfError


def test_a_regular_header_has_no_deviations() -> None:
    header = parse_header(Builder().build())
    assert header.deviations == ()
    assert header.variant == "EDF"
    assert header.start == datetime(2004, 3, 2, 5, 6, 7)
    assert (header.sample_bytes, header.record_bytes, header.declared_records) == (2, 12, 3)
    assert header.record_duration_exact == 1
    assert header.sample_rate(0) == 4.0
    assert header.sample_rate_exact(1) == Fraction(2)
    assert header.signals[0].microvolts_per_digit == pytest.approx(0.1)
    assert header.raw == Builder().header()


@pytest.mark.parametrize(
    ("name", "raw", "attribute", "value", "message"),
    [
        ("start date", b"01-01-85", "start", datetime(1985, 1, 1, 5, 6, 7), "dd.mm.yy"),
        ("start date", b"1.2.2009", "start", datetime(2009, 2, 1, 5, 6, 7), "dd.mm.yy"),
        ("start date", b"", "start", None, "not a date"),
        ("start date", b"00.00.00", "start", None, "not a date"),
        ("start date", b"31.02.09", "start", None, "not a date"),
        ("start time", b"5:06:07", "start", datetime(2004, 3, 2, 5, 6, 7), "hh.mm.ss"),
        ("start time", b"24.00.00", "start", None, "not a time"),
        ("number of data records", b"", "declared_records", None, "blank"),
        ("number of data records", b"many", "declared_records", None, "not a number"),
        ("number of data records", b" 3", "declared_records", 3, "left-justified"),
        ("number of data records", b"3\0\0\0\0\0\0\0", "declared_records", 3, "NUL"),
        ("number of data records", b"3\0junk", "declared_records", 3, "after a NUL"),
        ("number of data records", b"3.0", "declared_records", 3, "whole number"),
        ("number of data records", b"3.5", "declared_records", None, "not a whole number"),
        ("duration of a data record", b"0,5", "record_duration", 0.5, "comma"),
        ("duration of a data record", b"-1", "record_duration", None, "negative"),
        ("duration of a data record", b"0", "record_duration", 0.0, "is 0 although"),
        ("duration of a data record", b"1e-999", "record_duration", None, "not a number"),
        ("patient", "Jörg".encode(), "patient", "Jörg", "UTF-8"),
        ("patient", "Jörg".encode("latin-1"), "patient", "Jörg", "Latin-1"),
        ("patient", b"a\x1b[2J", "patient", "a\ufffd[2J", "control characters"),
        ("bytes in header", b"", "record_bytes", 12, "blank"),
        ("bytes in header", b"0", "record_bytes", 12, "contradicts"),
        ("reserved", b"EDF+C", "variant", "EDF+C", "no annotation signal"),
        ("version", b"0\0\0\0\0\0\0\0", "is_bdf", False, "NUL"),
    ],
)
def test_odd_fields_are_read_and_noted(name: str, raw: bytes, attribute: str, value: object, message: str) -> None:
    header = parse_header(Builder(fixed={name: raw}).header())
    assert getattr(header, attribute) == value
    (deviation,) = header.deviations
    assert (deviation.field, deviation.offset) == (name, fixed_offset(name))
    assert message in deviation.message
    assert deviation.to_dict() == {"offset": deviation.offset, "field": name, "message": deviation.message}


def test_edf_plus_dates() -> None:  # EDF+ 2.1.3 item 2
    late = Builder(fixed={"start date": b"01.02.yy", "recording": b"Startdate 01-FEB-2091 X X X"})
    assert parse_header(late.header()).start == datetime(2091, 2, 1, 5, 6, 7)
    assert parse_header(late.header()).deviations == ()
    blank = Builder(fixed={"start date": b"", "recording": b"Startdate 01-FEB-2009 X X X"})
    assert parse_header(blank.header()).start == datetime(2009, 2, 1, 5, 6, 7)
    other = Builder(fixed={"recording": b"Startdate 01-FEB-2009 X X X"})
    assert "differs" in parse_header(other.header()).deviations[0].message


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (Signal(physical=(5, 5)), "equals the physical minimum"),
        (Signal(digital=(0, 0)), "equals the digital minimum"),
        (Signal(physical=("", 5)), "blank"),
        (Signal(digital=("x", 5)), "not a number"),
    ],
)
def test_without_calibration_a_signal_stays_readable(signal: Signal, message: str) -> None:
    header = parse_header(Builder([signal]).header())
    assert header.signals[0].gain is None
    assert header.signals[0].offset is None
    assert header.signals[0].microvolts_per_digit is None
    assert message in header.deviations[0].message
    assert header.signals[0].samples_per_record == 4


def test_inverted_polarity_is_no_deviation() -> None:
    header = parse_header(Builder([Signal(physical=(3276.7, -3276.8))]).header())
    assert header.signals[0].gain == pytest.approx(-0.1)
    assert header.signals[0].offset == pytest.approx(-0.1)
    assert header.deviations == ()


def test_many_equal_deviations_are_one_sentence() -> None:
    signals = [Signal(physical=("1,5", "2,5")) for _ in range(64)]
    header = parse_header(Builder(signals).header())
    assert [d.field for d in header.deviations] == ["physical minimum", "physical maximum"]
    assert header.deviations[0].offset == signal_offset("physical minimum", 0, 64)
    assert header.deviations[0].message.endswith("signals 0, 1, 2, 3 and 60 more")


@pytest.mark.parametrize(
    ("raw", "microvolts"),
    [
        (b"uV", 1.0), (b"UV", 1.0), (b"uV\0\0", 1.0), (b"\xb5V", 1.0), ("µV".encode(), 1.0), ("μV".encode(), 1.0),
        (b"\xe6V", 1.0), (b"?V", 1.0), (b"u V", 1.0), (b"[uV]", 1.0), (b"mV", 1e3), (b"V", 1e6), (b"volt", 1e6),
        (b"nV", 1e-3), (b"", None), (b"-", None), (b"DegC", None), (b"Boolean", None), (b"%", None), (b"?", None),
    ],
)  # fmt: skip
def test_units(raw: bytes, microvolts: float | None) -> None:
    (signal,) = parse_header(Builder([Signal()], damage={("physical dimension", 0): raw}).header()).signals
    if microvolts is None:
        assert signal.microvolts_per_digit is None
    else:
        assert signal.microvolts_per_digit == pytest.approx(0.1 * microvolts)


def test_units_longer_than_the_field() -> None:
    assert microvolts_per_unit("MICROVOLTS") == 1.0
    assert microvolts_per_unit("Millivolt") == 1e3
    assert microvolts_per_unit("мкВ") == microvolts_per_unit("mkV") == 1.0
    assert microvolts_per_unit("uV/cm") is None


@pytest.mark.parametrize(
    ("reserved", "bdf", "variant", "noted"),
    [
        ("EDF+C", False, "EDF+C", False), ("EDF+D", False, "EDF+D", False), ("BDF+C", True, "BDF+C", False),
        ("EDF+C", True, "BDF+C", True), ("edf+d", False, "EDF+D", True), ("EDF+", False, "EDF+D", True),
        ("", False, "EDF", True),
    ],
)  # fmt: skip
def test_variants(reserved: str, bdf: bool, variant: str, noted: bool) -> None:
    builder = annotated([b"+0\x14\x14\0"], variant="BDF+C" if bdf else "EDF+C")
    builder.reserved = reserved
    header = parse_header(builder.header())
    assert header.variant == variant
    assert [d.field for d in header.deviations] == (["reserved"] if noted else [])


def test_annotation_label_in_capitals_counts() -> None:  # as in clinical exports of the TUH corpus
    builder = annotated([b"+0\x14\x14\0"])
    builder.signals[1].label = "EDF ANNOTATIONS"
    header = parse_header(builder.header())
    assert header.annotation_indices == (1,)
    assert "to the letter" in header.deviations[0].message


def test_no_signals_and_no_samples() -> None:
    header = parse_header(Builder([]).header())
    assert (header.signals, header.record_bytes, header.sample_bytes) == ((), 0, 2)
    header = parse_header(Builder([Signal(samples=0), Signal()]).header())
    assert header.record_bytes == 8
    assert header.sample_rate(0) == 0.0


class TestContradictingLayout:
    def test_number_of_signals_unreadable(self) -> None:
        header = parse_header(Builder(fixed={"number of signals": b"??"}).header())
        assert len(header.signals) == 2
        assert header.deviations[0].field == "number of signals"

    def test_bytes_in_header_wrong_but_the_file_shows_the_truth(self) -> None:
        data = Builder(fixed={"bytes in header": b"512"}).build()
        header = parse_header(data, file_size=len(data))
        assert len(header.signals) == 2
        assert parse_header(header.raw) == header

    def test_number_of_signals_wrong_but_the_file_shows_the_truth(self) -> None:
        data = Builder([Signal()] * 5, fixed={"number of signals": b"3"}).build()
        header = parse_header(data, file_size=len(data))
        assert len(header.signals) == 5
        assert parse_header(header.raw) == header

    def test_a_longer_header_than_its_signals_need(self) -> None:
        builder = Builder(fixed={"bytes in header": b"1000"})
        data = builder.header().ljust(1000) + builder.data()
        header = parse_header(data, file_size=len(data))
        assert len(header.raw) == 1000
        assert parse_header(header.raw) == header

    def test_undecidable_is_refused(self) -> None:
        builder = Builder([Signal(samples=1)], n_records=300, fixed={"bytes in header": b"768"})
        builder.fixed["number of data records"] = b"-1"
        data = builder.build()
        with pytest.raises(EdfError, match="byte 184, bytes in header: contradicts"):
            parse_header(data, file_size=len(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x1f\x8b\x08" + bytes(300), "gzip archive, unpack it first"),
        (b"PK\x03\x04" + bytes(300), "zip archive"),
        (b"\xff\xd8\xff\xe0" + bytes(300), "byte 0, version"),
        (b"Brain Vision Data Exchange", "byte 0, version"),
        (b"0       ", "byte 8, header: the file ends"),
        (Builder().header()[:700], "byte 700, header: the file ends within its header of 768"),
        (Builder(fixed={"number of signals": b"-3", "bytes in header": b"x"}).header(), "byte 252, number of signals"),
        (Builder(damage={("samples per record", 1): b"-4"}).header(), "byte 696, samples per record: signal 1"),
        (Builder(damage={("samples per record", 0): b""}).header(), "byte 688, samples per record: signal 0"),
        (Builder(damage={("samples per record", 0): b"99999999", ("samples per record", 1): b"99999999"}).header(),
         "more than the 268435456"),
    ],
)  # fmt: skip
def test_refusals_name_place_and_field(data: bytes, message: str) -> None:
    with pytest.raises(EdfError, match=message):
        parse_header(data, name="x.edf")


def test_a_version_that_is_a_date(shipped: Path) -> None:
    """As Emotiv's recorders write; everything else is EDF, and so it is read as EDF."""
    with EdfFile.open(shipped / "version_is_a_date.edf") as file:
        assert file.header.variant == "EDF"
        (deviation,) = file.deviations
        assert (deviation.offset, deviation.field) == (0, "version")
        assert "found '20160817'" in deviation.message


@pytest.mark.parametrize(
    "fixed",
    [
        {"number of signals": b"3"},
        {"bytes in header": b"many"},
        {"number of data records": b"x"},
        {"duration of a data record": b"x"},
        {"start time": b"at noon"},
        {"version": b"\x0120160"},
    ],
)
def test_another_version_is_refused_where_anything_else_is_not_edf(fixed: dict[str, bytes]) -> None:
    with pytest.raises(EdfError, match="is not an EDF or BDF file"):
        parse_header(Builder(fixed={"version": b"20160817", **fixed}).header())
