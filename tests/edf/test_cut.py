"""Cuts of real and of built recordings, read back with other people's readers."""

from __future__ import annotations

import logging
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from edf_builder import SHARED, SHIPPED, Builder, Signal, annotated

from eegzip.formats.edf import (
    Annotation,
    EdfFile,
    EdfWriter,
    Timeline,
    decode_signal,
    parse_header,
    read_timeline,
    scan_records,
)
from eegzip.formats.edf.cut import Cut, plan_cut
from eegzip.formats.errors import UsageError

REAL = [
    SHARED / "eeg" / "eegmat" / "Subject00_1.edf",
    SHARED / "formats" / "test_edf_overlapping_annotations.edf",
    SHIPPED / "nihon_kohden_discontinuous.edf",
    SHIPPED / "test_bdf_stim_channel.bdf",
    SHIPPED / "test_subsecond.bdf",
    SHIPPED / "subsecond_starttime.edf",
    SHIPPED / "test_utf8_annotations.edf",
    SHIPPED / "test_uneven_samp.edf",
    SHIPPED / "short_psg.bdf",
]
real = pytest.mark.parametrize("path", REAL, ids=[p.name for p in REAL])


def cut_file(source: Path, target: Path, first: int, stop: int, chosen: list[int], step: int = 7) -> Cut:
    """Cut a file, a few records at a time."""
    with EdfFile.open(source) as file, target.open("wb") as stream:
        cut = plan_cut(file.header, read_timeline(file), first_record=first, stop_record=stop, signals=chosen)
        writer = EdfWriter(stream)
        writer.write_header(cut.header.raw)
        for begin in range(first, stop, step):
            block = file.read_records(begin, min(begin + step, stop))
            values = {i: decode_signal(block, file.header, i) for i in cut.signals}
            writer.write_records(cut.records(begin, values, count=len(block)))
    return cut


def opened(path: Path) -> tuple[EdfFile, Timeline]:
    with EdfFile.open(path) as file:
        return file, read_timeline(file)


def ordinary(file: EdfFile) -> list[int]:
    return [s.index for s in file.header.signals if not s.is_annotations]


def digital(path: Path, index: int, first: int, stop: int) -> np.ndarray:
    with EdfFile.open(path) as file:
        size = file.header.signals[index].samples_per_record
        return file.read_signal(index, first * size, stop * size)


def expected(file: EdfFile, timeline: Timeline, first: int, stop: int) -> list[tuple[float, float | None, str]]:
    """Annotations of the cut in seconds since its start, computed in another way than the module does."""
    length = file.header.record_duration
    begin = timeline.onsets[first]
    end = timeline.onsets[stop - 1] + length
    out = []
    for a in timeline.annotations:
        if a.onset >= begin and (a.onset < end or stop == file.n_records):
            out.append((a.onset, a.duration, a.text))
        elif a.onset < begin and (first == 0 or a.onset + (a.duration or 0) > begin + 1e-9):
            out.append((begin, a.onset + a.duration - begin, a.text) if first else (a.onset, a.duration, a.text))
    shift = np.floor(begin + 1e-8)
    return sorted(((onset - shift, duration, text) for onset, duration, text in out), key=lambda x: (x[0], x[2]))


def assert_same(found: list[tuple[float, float | None, str]], wanted: list[tuple[float, float | None, str]]) -> None:
    found = sorted(found, key=lambda x: (round(x[0], 6), x[2]))
    wanted = sorted(wanted, key=lambda x: (round(x[0], 6), x[2]))
    assert [x[2] for x in found] == [x[2] for x in wanted]
    assert [x[1] is None for x in found] == [x[1] is None for x in wanted]
    np.testing.assert_allclose([x[0] for x in found], [x[0] for x in wanted], atol=2e-7)
    np.testing.assert_allclose([x[1] or 0 for x in found], [x[1] or 0 for x in wanted], atol=2e-7)


def triples(timeline: Timeline) -> list[tuple[float, float | None, str]]:
    return [(a.onset, a.duration, a.text) for a in timeline.annotations]


@real
@pytest.mark.parametrize("part", ["third", "whole"])
def test_real_file_reads_back_with_pyedflib(path: Path, part: str, tmp_path: Path) -> None:
    if not path.exists():
        pytest.skip("the development recordings are not here")
    pyedflib = pytest.importorskip("pyedflib")
    before, timeline = opened(path)
    n = before.n_records
    first, stop = (n // 3, 2 * n // 3) if part == "third" else (0, n)
    chosen = ordinary(before)[-3:] if part == "third" else ordinary(before)
    target = tmp_path / path.name
    cut = cut_file(path, target, first, stop, chosen)
    after, lines = opened(target)
    assert after.header == cut.header
    assert not after.trailing_size
    assert after.n_records == after.header.declared_records == stop - first
    assert after.header.annotation_indices == ((len(chosen),) if before.header.annotation_indices else ())
    known = {d.field for d in before.header.deviations}
    assert {d.field for d in after.header.deviations} <= known
    wanted = expected(before, timeline, first, stop)
    assert_same(triples(lines), wanted)
    shift = int(np.floor(timeline.onsets[first] + 1e-8))
    assert after.header.start == before.header.start + timedelta(seconds=shift)

    reader = pyedflib.EdfReader(str(target))
    try:
        assert reader.signals_in_file == len(chosen)
        for new, old in enumerate(chosen):
            np.testing.assert_array_equal(reader.readSignal(new, digital=True), digital(path, old, first, stop))
            assert reader.getLabel(new) == before.header.signals[old].label
            assert reader.getPhysicalMaximum(new) == pytest.approx(before.header.signals[old].physical_maximum)
        onsets, durations, texts = reader.readAnnotations()
        got = [(a, None if b < 0 else b, c) for a, b, c in zip(onsets, durations, texts, strict=True)]
        # edflib counts from the first sample instead of from the start of the file.
        origin = float(lines.onsets[0])
        assert_same(got, [(a - origin, b, c) for a, b, c in wanted])
        assert reader.getStartdatetime().replace(microsecond=0) == after.header.start
    finally:
        reader.close()


@pytest.mark.parametrize("name", ["nihon_kohden_discontinuous.edf", "test_subsecond.bdf", "test_utf8_annotations.edf"])
def test_edfio_and_mne_read_the_cut(name: str, tmp_path: Path) -> None:
    edfio, mne = pytest.importorskip("edfio"), pytest.importorskip("mne")
    logging.getLogger("mne").setLevel("ERROR")
    target = tmp_path / name
    before, timeline = opened(SHIPPED / name)
    first, stop = 1, before.n_records // 2
    chosen = ordinary(before)[:3]
    cut_file(SHIPPED / name, target, first, stop, chosen)
    read = edfio.read_bdf if name.endswith("bdf") else edfio.read_edf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = read(target)
        raw = (mne.io.read_raw_bdf if name.endswith("bdf") else mne.io.read_raw_edf)(target, verbose="error")
    for signal, old in zip(result.signals, chosen, strict=True):
        np.testing.assert_array_equal(signal.digital, digital(SHIPPED / name, old, first, stop))
    wanted = expected(before, timeline, first, stop)
    assert [a.text for a in result.annotations] == [text for _, _, text in wanted]
    assert sorted(raw.annotations.description) == sorted(text for _, _, text in wanted)
    assert len(raw.ch_names) == len(chosen)


def test_kept_fields_are_copied_byte_for_byte(tmp_path: Path) -> None:
    source = Builder([Signal("A", transducer="t\xe9st"), Signal("B", samples=2), Signal("C", physical=("1,5", "2"))])
    (tmp_path / "in.edf").write_bytes(source.build())
    cut = cut_file(tmp_path / "in.edf", tmp_path / "out.edf", 1, 3, [2, 0, 2])
    assert cut.signals == (0, 2)
    smaller = Builder([source.signals[0], source.signals[2]], 2, fixed={"start time": b"05.06.08"})
    assert (tmp_path / "out.edf").read_bytes()[: len(cut.header.raw)] == smaller.header()


def plan(builder: Builder, first: int, stop: int, signals: tuple[int, ...] = (0,), **more: object) -> Cut:
    header = parse_header(builder.header())
    data = np.frombuffer(builder.data(), np.uint8).reshape(builder.n_records, -1)
    timeline = more.get("timeline")
    if timeline is None:
        timeline = scan_records(header, [data], n_records=builder.n_records)
    return plan_cut(header, timeline, first_record=first, stop_record=stop, signals=signals)


def test_gaps_decide_between_c_and_d() -> None:
    tals = [b"+0\x14\x14\0", b"+1\x14\x14\0", b"+5.25\x14\x14\0", b"+6.2504\x14\x14\0", b"+7.2504\x14\x14\0"]
    for name in ("EDF+D", "BDF+D"):
        builder = annotated(tals, variant=name)
        assert plan(builder, 0, 3).header.variant == name
        assert plan(builder, 0, 2).header.variant == name[:4] + "C"
        late = plan(builder, 2, 5)
        assert late.header.variant == name[:4] + "C"
        assert late.lists == (b"+0.25\x14\x14\0", b"+1.25\x14\x14\0", b"+2.25\x14\x14\0")
        assert late.header.start == datetime(2004, 3, 2, 5, 6, 12)
        assert plan(builder, 1, 3).lists == (b"+0\x14\x14\0", b"+4.25\x14\x14\0")
    assert plan(annotated(tals), 0, 3).header.variant == "EDF+D"
    assert plan(annotated(tals), 0, 2).header.raw[192:236] == b"EDF+C".ljust(44)


def test_annotations_are_clipped_dropped_and_kept_at_the_ends_of_the_file() -> None:
    first = b"+0\x14\x14\0-1\x14early\0+0.5\x151.75\x14long\x14two\x14\0+0.5\x150.5\x14over\x14\0"
    builder = annotated(
        [first, b"+1\x14\x14\0+1.3\x14here\x14\0+2\x14next\x14\0", b"+2\x14\x14\0+9.5\x14late\x14\0"], samples=40
    )
    assert plan(builder, 1, 2).lists == (
        b"+0\x14\x14\0+0\x151.25\x14long\x14\0+0\x151.25\x14two\x14\0+0.3\x14here\x14\0",
    )
    assert b"-1\x14early" in plan(builder, 0, 1).lists[0]
    assert b"late" not in b"".join(plan(builder, 0, 2).lists)
    assert plan(builder, 2, 3).lists[0].endswith(b"+0\x14next\x14\0+7.5\x14late\x14\0")


@pytest.mark.parametrize(
    ("first", "stop", "texts"),
    [
        (2, 10, ["ev3", "ev6", "ev9"]),
        (6, 7, ["ev6"]),
        (0, 8, ["ev0", "ev3", "ev6"]),  # not 7.25 s: its record is left out, though others before and after are kept
        (7, 10, ["ev9"]),
        (12, 13, ["ev12"]),  # two records begin at 102.5 s; this one stores it
        (0, 30, [f"ev{number}" for number in range(0, 30, 3)]),
    ],
)
def test_what_happens_during_kept_records_is_kept_in_whatever_order_they_come(
    first: int, stop: int, texts: list[str], shipped: Path, tmp_path: Path
) -> None:
    source = shipped / "records_back_in_time.edf"
    with EdfFile.open(source) as file:
        wanted = {a.text: a.onset for a in read_timeline(file).annotations}
        cut_file(source, tmp_path / "cut.edf", first, stop, [0])
        shift = int(read_timeline(file).onsets[first])
    with EdfFile.open(tmp_path / "cut.edf") as file:
        timeline = read_timeline(file)
        assert {a.text: a.onset + shift for a in timeline.annotations} == {text: wanted[text] for text in texts}
        for annotation in timeline.annotations:
            assert 0 <= annotation.onset - timeline.onsets[annotation.record] < 1


def test_numbers_carry_no_float_noise() -> None:
    builder = annotated([b"+%.1f\x14\x14\0" % (i / 10) for i in range(40)], duration="0.1")
    cut = plan(builder, 3, 40)
    assert cut.lists[0] == b"+0.3\x14\x14\0"
    assert cut.lists[-1] == b"+3.9\x14\x14\0"
    drift = annotated([b"+%.6f\x14\x14\0" % (i * 0.1000001) for i in range(40)], duration="0.1")
    assert plan(drift, 30, 40).header.start == datetime(2004, 3, 2, 5, 6, 10)


def test_annotations_without_record_duration_stay_with_their_records() -> None:
    builder = annotated([b"+0\x14\x14\0+70000\x14a\x14\0", b"+1\x14\x14\0+2\x14b\x14\0"], duration="0")
    builder.signals[0].samples = 0
    cut = plan(builder, 0, 1, ())
    assert cut.lists == (b"+0\x14\x14\0+70000\x14a\x14\0",)
    with pytest.raises(UsageError):
        cut.records(0, {})
    assert bytes(cut.records(0, {}, count=1)[0]).rstrip(b"\0") == cut.lists[0].rstrip(b"\0")


def test_a_burst_of_annotations_spreads_over_the_records() -> None:
    builder = annotated([b"+%d\x14\x14\0" % i for i in range(50)])
    for at in (0.0, 25.0, 49.5):
        many = tuple(Annotation(at, None, f"{i:04d}" + "x" * (i % 50), 0) for i in range(1000))
        cut = plan(builder, 0, 50, timeline=Timeline(np.arange(50.0), many, ()))
        total = sum(map(len, cut.lists))
        assert cut.header.signals[-1].samples_per_record * 2 < total / 50 + 150
        assert b"".join(cut.lists).count(b"x\x14\0") + 20 == 1000


@pytest.mark.parametrize(
    ("fixed", "stamp", "identification"),
    [
        ({}, b"03.03.0400.06.07", b"Startdate X X X X"),
        ({"recording": b"Startdate 02-mar-2004 X X X"}, b"03.03.0400.06.07", b"Startdate 03-MAR-2004 X X X"),
        (
            {"recording": b"Startdate 2-MAR-2004 X X " + b"y" * 55},
            b"03.03.0400.06.07",
            b"Startdate 03-MAR-2004 X X " + b"y" * 54,
        ),
        ({"start date": b"31.12.84"}, b"31.12.8423.06.07", b"Startdate X X X X"),
        ({"start date": b"nonsense"}, b"nonsense23.06.07", b"Startdate X X X X"),
        (
            {"start date": b"31.12.99", "recording": b"Startdate 31-DEC-1999 X X X"},
            b"01.01.0000.06.07",
            b"Startdate 01-JAN-2000 X X X",
        ),
    ],
)
def test_start_moves_over_midnight(fixed: dict[str, bytes], stamp: bytes, identification: bytes) -> None:
    builder = annotated(
        [b"+%d\x14\x14\0" % (i * 1800) for i in range(3)], duration="1800", fixed={"start time": b"23.06.07", **fixed}
    )
    raw = plan(builder, 2, 3).header.raw
    assert raw[168:184] == stamp
    assert raw[88:168] == identification.ljust(80)


def test_plain_edf_gets_no_annotations_and_old_labels_keep_their_reserved_field() -> None:
    assert plan(Builder(), 0, 2).header.annotation_indices == ()
    odd = annotated([b"+0\x14\x14\0", b"+1\x14\x14\0"], fixed={"reserved": b"whatever"})
    cut = plan(odd, 1, 2)
    assert (cut.header.variant, cut.header.raw[192:236]) == ("EDF", b"whatever".ljust(44))
    assert cut.header.annotation_indices == (1,)


@pytest.mark.parametrize(
    ("first", "stop", "signals"), [(0, 0, (0,)), (2, 1, (0,)), (-1, 1, (0,)), (0, 3, (0,)), (0, 2, (2,)), (0, 2, (1,))]
)
def test_senseless_requests_are_refused(first: int, stop: int, signals: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        plan(annotated([b"+0\x14\x14\0", b"+1\x14\x14\0"]), first, stop, signals)


def test_senseless_records_are_refused() -> None:
    with pytest.raises(UsageError):
        plan(Builder(), 0, 2, ())
    cut = plan(Builder(), 1, 2)
    one = np.zeros((1, 4), dtype=np.int32)
    assert cut.records(1, {0: one}).shape == (1, 8)
    for first, values in ((0, {0: one}), (2, {0: one}), (1, {1: one}), (1, {0: one[:, :3]}), (1, {0: one + 99999})):
        with pytest.raises(UsageError):
            cut.records(first, values)
