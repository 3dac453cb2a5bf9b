"""TALs and record onsets (EDF+ section 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edf_builder import Builder, Signal, annotated
from hypothesis import given
from hypothesis import strategies as st

from eegzip.formats.edf import Annotation, EdfFile, Tal, parse_tals, read_annotations, read_timeline, record_onsets

Opened = Callable[[Builder | bytes], EdfFile]


@pytest.mark.parametrize(
    ("data", "tals"),
    [
        (b"+0\x14\x14\0", [Tal(0.0, None, ("",))]),
        (b"+1.5\x1525.5\x14a\x14b\x14\0\0\0", [Tal(1.5, 25.5, ("a", "b"))]),
        (b"-0.065\x14Pre\x14\0+3\x14\x14\0", [Tal(-0.065, None, ("Pre",)), Tal(3.0, None, ("",))]),
        ("+2\x14仰卧\x14\0".encode(), [Tal(2.0, None, ("仰卧",))]),
        (b"\0\0\0\0", []),
        (b"", []),
    ],
)
def test_tals_to_the_letter(data: bytes, tals: list[Tal]) -> None:
    assert parse_tals(data) == (tals, [])


@pytest.mark.parametrize(
    ("data", "tals", "message"),
    [
        (b"junk\0+1\x14a\x14\0", [Tal(1.0, None, ("a",))], "no annotation list"),
        (b"1\x14a\x14\0", [Tal(1.0, None, ("a",))], "without a sign"),
        (b"+1,5\x14a\x14\0", [Tal(1.5, None, ("a",))], "comma"),
        (b"+1\x14a\0", [Tal(1.0, None, ("a",))], "not closed by a byte 0x14"),
        (b"+1\x14a\x14", [Tal(1.0, None, ("a",))], "not end with a NUL"),
        (b"+1\x14\xb5V\x14\0", [Tal(1.0, None, ("µV",))], "Latin-1"),
        (b"+" + b"9" * 400 + b"\x14a\x14\0", [], "no annotation list"),
        (b"+4.5\x15-1\x14a\x14\0", [Tal(4.5, None, ("a",))], "a duration below 0"),
        (b"+5.5\x15+1.0\x14a\x14\0", [Tal(5.5, 1.0, ("a",))], "a duration with a sign"),
        (b"+6.5e0\x14a\x14\0", [Tal(6.5, None, ("a",))], "an exponent"),
        (b" +7.5\x14a\x14\0", [Tal(7.5, None, ("a",))], "blanks"),
        (b"+.75\x14a\x14\0", [Tal(0.75, None, ("a",))], "without a digit before its decimal point"),
        (b"+1e99\x14a\x14\0", [], "beyond any recording"),
        (b"+1\x151e999\x14a\x14\0", [], "beyond any recording"),
    ],
)
def test_odd_tals_are_reported(data: bytes, tals: list[Tal], message: str) -> None:
    found, problems = parse_tals(data)
    assert found == tals
    assert [message in text for _, text in problems] == [True]


@given(st.binary(max_size=60))
def test_any_bytes_are_read(data: bytes) -> None:
    parse_tals(data)


@pytest.mark.parametrize("variant", ["EDF+D", "BDF+D"])
def test_gaps(opened: Opened, variant: str) -> None:
    tals = [b"+0\x14\x14\0", b"+1\x14\x14\0+1.25\x150.5\x14spike\x14\0", b"+77.5\x14\x14\0"]
    with opened(annotated(tals, variant=variant)) as file:
        timeline = read_timeline(file)
        assert timeline.onsets.tolist() == [0.0, 1.0, 77.5]
        assert timeline.annotations == (Annotation(1.25, 0.5, "spike", 1),)
        assert timeline.deviations == ()
        assert record_onsets(file).tolist() == [0.0, 1.0, 77.5]
        assert read_annotations(file) == list(timeline.annotations)


def test_records_out_of_step_are_noted(opened: Opened) -> None:
    onsets = [b"+0\x14\x14\0", b"+1.001\x14\x14\0", b"+5\x14\x14\0", b"+5.5\x14\x14\0"]
    with opened(annotated(onsets)) as file:
        gap, overlap = read_timeline(file).deviations
        assert gap.message == "the annotations show a gap before a data record of a file that is EDF+C; records 2"
        assert overlap.message == "the annotations let a data record begin before the end of the one before; records 3"
        assert record_onsets(file).tolist() == [0.0, 1.001, 5.0, 5.5]
    with opened(annotated(onsets[:3], variant="EDF+D")) as file:
        assert read_timeline(file).deviations == ()


def test_text_may_follow_the_time_keeping(opened: Opened) -> None:  # EDF+ 2.2.4
    with opened(annotated([b"+0.5\x14\x14start\x14\0"])) as file:
        assert record_onsets(file).tolist() == [0.5]
        assert read_annotations(file) == [Annotation(0.5, None, "start", 0)]


def test_a_missing_onset_follows_the_record_before(opened: Opened) -> None:
    with opened(annotated([b"+5\x14\x14\0", b"rubbish", b"", b"+9\x14\x14\0"], variant="EDF+D")) as file:
        timeline = read_timeline(file)
        assert timeline.onsets.tolist() == [5.0, 6.0, 7.0, 9.0]
        assert len(timeline.deviations) == 2
        first = min(timeline.deviations, key=lambda d: d.offset)
        assert "lack the onset of a data record" in first.message
        assert first.message.endswith("records 1, 2")
        assert first.offset == 768 + file.header.record_bytes


def test_plain_edf_counts_on_the_duration(opened: Opened) -> None:
    with opened(Builder(duration="0.5")) as file:
        assert record_onsets(file).tolist() == [0.0, 0.5, 1.0]
    with opened(Builder(duration="")) as file:
        assert record_onsets(file).tolist() == [0.0, 0.0, 0.0]


def test_several_annotation_signals(opened: Opened) -> None:
    builder = annotated([b"+0\x14\x14\0+1\x14a\x14\0"])
    builder.signals.append(Signal("EDF Annotations", "", 20, (-1, 1)))
    with opened(builder) as file:
        assert [a.text for a in read_annotations(file)] == ["a", "a"]


def test_all_texts_of_a_file_that_people_wrote(shipped: Path) -> None:
    with EdfFile.open(shipped / "annotation_texts.edf") as file:
        timeline = read_timeline(file)
        texts = {annotation.text: (annotation.onset, annotation.duration) for annotation in timeline.annotations}
        assert len(timeline.annotations) == len(texts) == 14
        assert texts["Café yeux fermés"] == (0.5, None)
        assert texts["negative duration"] == (4.5, None)
        assert texts["signed duration"] == (5.5, 1.0)
        assert texts["exponent onset"] == (6.5, None)
        assert texts["leading blank"] == (11.5, None)
        assert texts["no digit before the point"] == (0.75, None)


def test_what_is_not_read_is_shown(opened: Opened) -> None:
    with opened(annotated([b"+0\x14\x14\0\x1b[31mred\x14\0"])) as file:
        (deviation,) = read_timeline(file).deviations
        assert "kept but not read" in deviation.message
        assert r"'\x1b[31mred\x14'" in deviation.message  # nothing that steers a terminal
        assert deviation.offset == len(file.header.raw) + 8 + 5


def test_annotation_signals_without_samples(shipped: Path) -> None:
    with EdfFile.open(shipped / "annotations_of_0_samples.edf") as file:
        timeline = read_timeline(file)
        assert timeline.onsets.tolist() == [float(i) for i in range(20)]
        assert (timeline.annotations, timeline.deviations) == ((), ())
        assert [deviation.field for deviation in file.deviations] == ["samples per record"]


def test_the_first_annotation_signal_with_samples_keeps_time(opened: Opened) -> None:
    builder = annotated([b"+5\x14\x14\0", b"+9\x14\x14\0+9.5\x14a\x14\0"], variant="EDF+D")
    builder.signals.insert(1, Signal("EDF Annotations", "", 0, (-1, 1)))
    builder.tals = [b"", b""]
    raw = builder.header()
    builder.signals.pop(1)
    builder.tals = [b"+5\x14\x14\0", b"+9\x14\x14\0+9.5\x14a\x14\0"]
    with opened(raw + builder.data()) as file:
        timeline = read_timeline(file)
        assert timeline.onsets.tolist() == [5.0, 9.0]
        assert [annotation.text for annotation in timeline.annotations] == ["a"]
