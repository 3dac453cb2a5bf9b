"""Recordings without what tells whose they are: header, start, annotations, and what is said about it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np
import pyedflib
import pytest
from click.testing import CliRunner
from edf_builder import SHIPPED, Builder, Signal

import eegzip
from eegzip.cli.main import main
from eegzip.formats.edf import EdfFile, read_timeline
from eegzip.formats.errors import EdfError, UsageError

PATIENT = b"MCH-0234567 F 02-MAY-1951 Jane_Example Ward7"
RECORDING = b"Startdate 02-MAR-2004 EMG561 BK/JOP Sony_MNC"
TELLING = re.compile(rb"MCH|0234567|MAY|1951|Jane|Example|Ward7|2004|EMG561|BK/JOP|Sony|02.03.04|secret|Dr_No")
TALS = [
    b"+0\x14\x14Jane yawns\x14\0+0.5\x150.25\x14Jane yawns\x14spike\x14\0",
    b"+1\x14\x14\0",
    b"+2\x14\x14rest\x14\0",
]
REAL = sorted([*SHIPPED.glob("*.edf"), *SHIPPED.glob("*.bdf")])


@pytest.fixture
def make(tmp_path: Path):
    def _make(*, plus: bool = True, bdf: bool = False, **fields: bytes) -> Path:
        kind = "BDF" if bdf else "EDF"
        signals = [Signal("EEG Fp1"), Signal(f"{kind} Annotations", unit="", samples=48, transducer="")]
        builder = Builder(
            signals=signals if plus else signals[:1],
            reserved=f"{kind}+C" if plus else "",
            bdf=bdf,
            tals=TALS if plus else [],
            fixed={"patient": PATIENT, "recording": RECORDING} | fields,
        )
        path = tmp_path / "in.edf"
        path.write_bytes(builder.build())
        return path

    return _make


def done_to(path: Path, **options) -> tuple[bytes, eegzip.AnonymizationReport]:
    target = path.with_name("out.edf")
    report = eegzip.anonymize(path, target, overwrite=True, **options)
    return target.read_bytes(), report


@pytest.mark.parametrize("bdf", [False, True])
def test_every_field_goes_and_is_named(make, bdf: bool) -> None:
    data, report = done_to(make(bdf=bdf), annotations="remove")
    assert not TELLING.search(data)
    assert data[8:88].strip() == b"X X X X"
    assert data[88:168].strip() == b"Startdate 01-JAN-1985 X X X"
    assert data[168:184] == b"01.01.8505.06.07"
    for what in (
        "patient code", "patient sex", "patient birth date", "patient name", "further patient fields",
        "recording identifier", "recording technician", "recording equipment", "start date", "4 annotations",
    ):  # fmt: skip
        assert sum(line.startswith(what) for line in report.done) == 1, what
    assert not TELLING.search(json.dumps(report.to_dict()).encode())


def test_what_is_not_edf_plus_is_blank(make) -> None:
    data, report = done_to(make(plus=False, patient=b"Jane Example, Ward7", recording=b"secret"))
    assert data[8:168].strip() == b""
    assert not TELLING.search(data)
    assert [line for line in report.done if "has not the fields of EDF+" in line] == [
        "patient field removed; it has not the fields of EDF+",
        "recording field removed; it has not the fields of EDF+",
    ]


def test_age_and_sex_are_kept_where_they_are_stated(make) -> None:
    data, report = done_to(make(), keep=["age", "sex"])
    assert data[8:88].strip() == b"X F X X Age:52"
    assert {"patient sex kept: F", "patient age kept: 52"} <= set(report.done)
    data, _ = done_to(make(patient=b"A F 02-MAR-1901 B"), keep=["age"])
    assert data[8:88].strip() == b"X X X X Age:90+"
    data, _ = done_to(make(plus=False, patient=b"aaaaaaav F X aaaaaaav Age:37"), keep=["age", "sex"])
    assert data[8:88].strip() == b"X F X X Age:37", "as Temple's recordings have it"
    data, report = done_to(make(plus=False, patient=b"Jane, 52 years"), keep=["age", "sex"])
    assert data[8:88].strip() == b""
    assert [line[:7] for line in report.unjudged[:2]] == ["the sex", "the age"]


def test_the_start_moves(make) -> None:
    data, _ = done_to(make(), shift_days=-63)
    assert data[168:184] == b"30.12.0305.06.07"
    assert data[88:168].strip() == b"Startdate 30-DEC-2003 X X X"
    with pytest.raises(UsageError, match="1985 to 2084"):
        done_to(make(), shift_days=-10000)
    with pytest.raises(UsageError, match="1985 to 2084"):
        done_to(make(), shift_days=10**9)
    hidden = {"start date": b"Dr_No", "recording": b"X"}
    with pytest.raises(EdfError, match="start at byte 168"):
        done_to(make(**hidden), shift_days=1)
    assert done_to(make(**hidden))[0][168:176] == b"01.01.85"


def test_hiding_places_are_emptied(make) -> None:
    path = make(reserved=b"EDF+C secret", **{"start time": b"Dr_No", "number of data records": b"3\0secret"})
    data = bytearray(path.read_bytes() + b"secret")
    data[256 + 16 - 6 : 256 + 16] = b"\0Dr_No"  # the end of a label
    data[256 * 3 - 6 : 256 * 3] = b"secret"  # the reserved field of a signal
    path.write_bytes(data)
    data, report = done_to(path, annotations="remove")
    assert not TELLING.search(data)
    assert data[192:236].strip() == b"EDF+C"
    assert "6 bytes after the last data record removed" in report.done
    with EdfFile.open(path.with_name("out.edf")) as file:
        assert [signal.label for signal in file.header.signals] == ["EEG Fp1", "EDF Annotations"]
        assert file.n_records == 3


def test_annotations_are_listed_removed_or_coded(make) -> None:
    path = make()
    _, report = done_to(path)
    assert report.annotation_texts == {"Jane yawns": 2, "spike": 1, "rest": 1}
    assert "words of the removed fields occur again in annotations" in report.unjudged
    assert done_to(path, annotations="keep")[1].annotation_texts == {}
    before = read_onsets(path)
    data, report = done_to(path, annotations="hash")
    with EdfFile.open(path.with_name("out.edf")) as file:
        found = read_timeline(file)
    texts = [annotation.text for annotation in found.annotations]
    assert not re.search(rb"Jane|yawns|spike|rest", data)
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3
    assert [(a.onset, a.duration) for a in found.annotations] == [(0, None), (0.5, 0.25), (0.5, 0.25), (2, None)]
    assert texts[0] not in done_to(path, annotations="hash")[0].decode("latin-1"), "the key is another each time"
    done_to(path, annotations="remove")
    np.testing.assert_array_equal(read_onsets(path.with_name("out.edf")), before)


def read_onsets(path: Path) -> np.ndarray:
    with EdfFile.open(path) as file:
        return read_timeline(file).onsets


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_recordings_keep_all_but_that(path: Path, tmp_path: Path) -> None:
    target = tmp_path / f"out{path.suffix}"
    eegzip.anonymize(path, target, annotations="remove")
    with EdfFile.open(path) as old, EdfFile.open(target) as new:
        assert new.n_records == old.n_records
        assert new.header.signals == old.header.signals
        assert new.header.variant == old.header.variant
        assert new.header.start is not None
        assert new.header.start.date() == datetime(1985, 1, 1).date()
        for index, signal in enumerate(old.header.signals):
            if not signal.is_annotations:
                samples = old.n_samples(index)
                np.testing.assert_array_equal(new.read_signal(index, 0, samples), old.read_signal(index, 0, samples))
        assert read_timeline(new).annotations == ()
        np.testing.assert_array_equal(read_timeline(new).onsets, read_timeline(old).onsets)
    again = tmp_path / f"again{path.suffix}"
    report = eegzip.anonymize(target, again, annotations="remove")
    assert again.read_bytes() == target.read_bytes()
    assert len(report.done) == 1, "nothing is left to be done but the date, which is replaced each time"


def test_others_read_it_and_nothing_tells_the_day(eegmat: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.edf"
    eegzip.anonymize(eegmat, target, keep=["sex"])
    with pyedflib.EdfReader(str(target)) as file:
        assert file.getPatientName() == "X"
        assert file.getSex() == "Male"
        assert file.getStartdatetime() == datetime(1985, 1, 1, 0, 0, 20)
    assert edfio.read_edf(target).startdate.year == 1985
    assert target.stat().st_mtime != eegmat.stat().st_mtime


def test_commands(make, tmp_path: Path) -> None:
    anonymous, packed, back = tmp_path / "anonymous.edf", tmp_path / "a.eegz", tmp_path / "back.edf"
    source = str(make())
    shown = CliRunner().invoke(main, ["anonymize", source, str(anonymous)])
    assert shown.exit_code == 0
    assert "patient name removed" in shown.output
    assert "2 x Jane yawns" in shown.output
    shown = CliRunner().invoke(main, ["compress", source, str(packed), "--lossless", "--anonymize", "--verify"])
    assert shown.exit_code == 0
    assert "patient name removed" in shown.output
    assert eegzip.decompress(packed, back).n_records == 3
    assert back.read_bytes() == anonymous.read_bytes()
    shown = CliRunner().invoke(main, ["anonymize", str(packed), str(tmp_path / "b.eegz")])
    assert isinstance(shown.exception, UsageError)
    assert "decompress it" in str(shown.exception)
    shown = CliRunner().invoke(main, ["compress", source, "-j", "1", "--anonymize"])
    assert shown.exit_code == 2
    shown = CliRunner().invoke(main, ["anonymize", source, str(tmp_path / "c.edf"), "--keep", "name"])
    assert isinstance(shown.exception, UsageError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.eegz", "anonymous.edf", "back.edf", "in.edf"]
