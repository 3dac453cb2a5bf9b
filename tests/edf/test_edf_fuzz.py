"""Nothing but an `EdfError` comes out of damaged files, and what parses can be read to its end."""

from __future__ import annotations

import io
from pathlib import Path

from edf_builder import FIXED, PER_SIGNAL, Builder, Signal, annotated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eegzip.formats.edf import (
    EdfFile,
    EdfWriter,
    classify_signals,
    decode_signal,
    normalise_channel_name,
    parse_header,
    read_timeline,
)
from eegzip.formats.errors import EdfError

WORDS = st.sampled_from(
    [b"", b"\0", b"-1", b"0", b"1", b"2", b"512", b"768", b"1024", b"1,5", b"1e9", b"99999999", b"-32768", b"nan",
     b"inf", b"\xb5V", b"\xff\xfe", b"01-01-85", b"EDF+C", b"EDF+D", b"EDF Annotations", b"Status", b"\x1b[2J",
     b"1_0", b"\xd9\xa1"]
)  # fmt: skip
FIELD = st.one_of(WORDS, st.binary(max_size=10), st.from_regex(rb"[ 0-9+,.eE-]{1,8}", fullmatch=True))


def read_everything(path: Path) -> None:
    data = path.read_bytes()
    try:
        file = EdfFile.open(path)
    except EdfError:
        return
    with file:
        header = file.header
        assert parse_header(header.raw) == header
        assert all(d.offset <= len(data) and d.message for d in file.deviations)
        assert len(classify_signals(header)) == len(header.signals)
        timeline = read_timeline(file)
        assert len(timeline.onsets) == file.n_records
        out = io.BytesIO()
        writer = EdfWriter(out)
        writer.write_header(header.raw)
        for _, block in file.blocks():
            writer.write_records(block)
            for signal in header.signals:
                assert decode_signal(block, header, signal.index).shape == (len(block), signal.samples_per_record)
                assert signal.gain is None or signal.offset is not None
        writer.write_trailing(file.read_trailing())
        assert out.getvalue() == data


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fixed=st.dictionaries(st.sampled_from(list(FIXED)[1:]), FIELD, max_size=4),
    damage=st.dictionaries(st.tuples(st.sampled_from(list(PER_SIGNAL)), st.integers(0, 2)), FIELD, max_size=6),
    bdf=st.booleans(),
    trailing=st.binary(max_size=40),
)
def test_damaged_fields(
    tmp_path: Path, fixed: dict[str, bytes], damage: dict[tuple[str, int], bytes], bdf: bool, trailing: bytes
) -> None:
    builder = annotated([b"+0\x14\x14\0", b"+1\x14\x14\0"], variant="BDF+D" if bdf else "EDF+D", trailing=trailing)
    builder.signals.append(Signal("EEG Fp2"))
    builder.fixed, builder.damage = fixed, damage
    path = tmp_path / "damaged.edf"
    path.write_bytes(builder.build())
    read_everything(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_in_a_real_file(tmp_path: Path, shipped: Path, data: st.DataObject) -> None:
    original = bytearray((shipped / "subsecond_starttime.edf").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.one_of(st.integers(160, 255), st.integers(0, len(original) - 1)))
        original[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.edf"
    path.write_bytes(original[: data.draw(st.integers(256, len(original)))])
    read_everything(path)


@given(st.binary(max_size=2000), st.sampled_from([b"", b"0       ", b"\xffBIOSEMI"]))
def test_arbitrary_bytes(data: bytes, magic: bytes) -> None:
    try:
        parse_header(magic + data)
    except EdfError:
        return


@given(st.text(max_size=20))
def test_any_label_has_a_name(label: str) -> None:
    normalise_channel_name(label)


def test_a_thousand_signals(tmp_path: Path) -> None:
    path = tmp_path / "wide.edf"
    path.write_bytes(Builder([Signal(f"EEG {i}") for i in range(1000)], n_records=2).build())
    read_everything(path)
