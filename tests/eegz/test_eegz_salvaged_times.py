"""What is salvaged opens elsewhere: lost data records have their times, and say that they are lost."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pyedflib
import pytest

import eegzip
from eegzip.formats.edf import EdfFile, read_timeline
from eegzip.formats.eegz.reader import EegzReader

DATA = Path(__file__).parents[1] / "data"
ROOMY = DATA / "lines" / "mains_60_clipped.edf"
RECORDS = 12


@pytest.fixture
def salvage(tmp_path: Path):
    """Compress exactly with 3 s a chunk, damage some chunks, salvage."""

    def _salvage(source: Path, *lost: int, **options) -> Path:
        packed, target = tmp_path / "a.eegz", tmp_path / "rest.edf"
        eegzip.compress(source, packed, lossless=True, chunk_seconds=3, overwrite=True)
        with EegzReader(packed) as reader:
            places = [reader.chunks[number].payload_offset for number in lost]
        data = bytearray(packed.read_bytes())
        for place in places:
            data[place + 20] ^= 1
        packed.write_bytes(data)
        report = eegzip.decompress(packed, target, salvage=True, overwrite=True, **options)
        assert len(report.lost_records) == len(lost)
        return target

    return _salvage


def shortened(source: Path, target: Path, records: int) -> Path:
    with EdfFile.open(source) as file:
        raw = bytearray(file.header.raw)
        raw[236:244] = str(records).encode().ljust(8)
        target.write_bytes(bytes(raw) + file.read_records(0, records).tobytes())
    return target


@pytest.mark.parametrize(
    ("lost", "stretches"),
    [((1,), [(3, 3)]), ((0,), [(0, 3)]), ((1, 2), [(3, 6)]), ((0, 3), [(0, 3), (9, 3)])],
    ids=["middle", "first", "two", "both ends"],
)
def test_a_salvaged_recording_opens_elsewhere(salvage, tmp_path: Path, lost, stretches) -> None:
    import mne

    source = shortened(ROOMY, tmp_path / "in.edf", RECORDS)
    target = salvage(source, *lost)
    with pyedflib.EdfReader(str(target)) as file:
        onsets, durations, texts = file.readAnnotations()
        samples = [file.readSignal(index, digital=True) for index in range(file.signals_in_file)]
    assert list(zip(onsets, durations, texts, strict=True)) == [(a, b, "BAD_LOST") for a, b in stretches]
    with pyedflib.EdfReader(str(source)) as file:
        expected = [file.readSignal(index, digital=True) for index in range(file.signals_in_file)]
    for ours, theirs in zip(samples, expected, strict=True):
        rows, wanted = ours.reshape(RECORDS, -1), theirs.reshape(RECORDS, -1).copy()
        for first, length in stretches:
            wanted[first : first + length] = 0
        np.testing.assert_array_equal(rows, wanted)
    marks = mne.io.read_raw_edf(target, verbose="error").annotations
    assert [(mark["onset"], mark["duration"], mark["description"]) for mark in marks] == [
        (a, b, "BAD_LOST") for a, b in stretches
    ]
    assert [(mark.onset, mark.duration, mark.text) for mark in edfio.read_edf(target).annotations] == [
        (a, b, "BAD_LOST") for a, b in stretches
    ]


def test_without_room_there_are_times_only(salvage, eegmat: Path, tmp_path: Path) -> None:
    target = salvage(shortened(eegmat, tmp_path / "in.edf", RECORDS), 1)
    with pyedflib.EdfReader(str(target)) as file:
        assert [len(part) for part in file.readAnnotations()] == [0, 0, 0]
    with EdfFile.open(target) as file:
        found = read_timeline(file)
    assert found.deviations == ()
    np.testing.assert_array_equal(found.onsets, np.arange(RECORDS))


def test_a_cut_of_what_is_left_says_so_too(salvage, tmp_path: Path) -> None:
    target = salvage(shortened(ROOMY, tmp_path / "in.edf", RECORDS), 1, start=2, stop=8)
    with EdfFile.open(target) as file:
        found = read_timeline(file)
    assert [(mark.onset, mark.duration, mark.text) for mark in found.annotations] == [(1, 3, "BAD_LOST")]
    np.testing.assert_array_equal(found.onsets, np.arange(6))


def test_a_start_between_seconds_comes_back(salvage, tmp_path: Path) -> None:
    source = shortened(DATA / "edf" / "test_subsecond.edf", tmp_path / "in.edf", 6)
    with EdfFile.open(source) as file:
        expected = read_timeline(file).onsets
    assert expected[0] % 1
    with EdfFile.open(salvage(source, 0)) as file:
        np.testing.assert_allclose(read_timeline(file).onsets, expected, rtol=0, atol=1e-6)


def test_gaps_beside_what_is_lost_stay(salvage, tmp_path: Path) -> None:
    source = shortened(ROOMY, tmp_path / "in.edf", RECORDS)
    data = bytearray(source.read_bytes())
    with EdfFile.open(source) as file:
        header = file.header
    data[192:197] = b"EDF+D"
    for record in range(6, RECORDS):
        where = header.signal_slices[header.annotation_indices[0]]
        place = len(header.raw) + record * header.record_bytes + where.start
        data[place : place + 7] = b"+%d\x14\x14\0\0" % (record + 20)
    source.write_bytes(data)
    with EdfFile.open(source) as file:
        expected = read_timeline(file).onsets
    assert expected[6] - expected[5] == 21
    with EdfFile.open(salvage(source, 0, 3)) as file:
        found = read_timeline(file)
    np.testing.assert_array_equal(found.onsets, expected)
    assert [(mark.onset, mark.duration) for mark in found.annotations] == [(0, 3), (29, 3)]
    with EdfFile.open(salvage(source, 1, 2)) as file:
        found = read_timeline(file)
    np.testing.assert_array_equal(found.onsets, [*range(9), 29, 30, 31])
