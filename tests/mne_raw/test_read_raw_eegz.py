"""MNE sees in an .eegz file what it sees in the restored one; but gaps are where they were."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from api.recordings import SHIPPED

import eegzip
from eegzip.formats.edf import EdfFile

mne = pytest.importorskip("mne")

# Annotations in UTF-8; two rates; 24 bits with a trigger channel; labels that say types.
RECORDINGS = ("test_utf8_annotations.edf", "test_uneven_samp.edf", "test.bdf", "chtypes_edf.edf")
GAP = 2.5


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with mne.utils.use_log_level("error"):
        yield


def plain(path: Path, **options):
    reader = mne.io.read_raw_bdf if path.suffix == ".bdf" else mne.io.read_raw_edf
    return reader(path, **options)


def assert_same(one, other) -> None:
    assert one.ch_names == other.ch_names
    assert one.get_channel_types() == other.get_channel_types()
    assert one.annotations == other.annotations
    assert one._orig_units == other._orig_units
    for key in ("sfreq", "meas_date", "highpass", "lowpass", "subject_info"):
        assert one.info[key] == other.info[key]
    np.testing.assert_array_equal(one.get_data(), other.get_data())


@pytest.mark.parametrize("name", RECORDINGS)
def test_all_is_as_mne_reads_the_recording(compressed: Callable[..., Path], name: str) -> None:
    path = SHIPPED / "edf" / name
    packed = compressed(path, lossless=True)
    raw = eegzip.mne.read_raw_eegz(packed)
    assert not raw.preload
    assert packed.name in repr(raw)
    assert_same(raw, plain(path))
    assert_same(pickle.loads(pickle.dumps(raw)), raw.copy().load_data())


def test_options_mean_what_they_mean_to_mne(compressed: Callable[..., Path]) -> None:
    path = SHIPPED / "edf" / "chtypes_edf.edf"
    names = plain(path).ch_names
    for options in (
        {"infer_types": True},
        {"include": names[1:4], "preload": True},
        {"exclude": names[:2], "eog": names[3:4], "misc": names[4:5], "stim_channel": names[5]},
    ):
        raw = eegzip.mne.read_raw_eegz(compressed(path, lossless=True), **options)
        assert_same(raw, plain(path, **options))
        assert_same(raw, eegzip.mne.read_raw_eegz(**raw._init_kwargs))


def test_threads_read_different_channels_at_once(compressed: Callable[..., Path]) -> None:
    path = SHIPPED / "edf" / "test_utf8_annotations.edf"
    raw = eegzip.mne.read_raw_eegz(compressed(path, lossless=True))
    whole = plain(path).get_data()
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda index: raw.get_data([index], 100 * index, 100 * index + 900)[0], range(8)))
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(row, whole[index, 100 * index : 100 * index + 900])


def discontinuous(source: Path, target: Path, onsets: list[float]) -> None:
    """Write a continuous recording as EDF+D, with other times of its data records; nothing else of it changes."""
    with EdfFile.open(source) as file:
        header, records = file.header, file.read_records(0, len(onsets)).copy()
    where = header.signal_slices[header.annotation_indices[0]]
    for record, onset in zip(records, onsets, strict=True):
        lists = f"+{onset:g}\x14\x14\0+{onset:g}\x14began\x14\0".encode()
        record[where] = np.frombuffer(lists.ljust(where.stop - where.start, b"\0"), np.uint8)
    start = header.raw[:192] + b"EDF+D".ljust(44) + str(len(onsets)).ljust(8).encode() + header.raw[244:]
    target.write_bytes(start + records.tobytes())


def test_gaps_are_where_they_were(tmp_path: Path) -> None:
    source = SHIPPED / "edf" / "test_utf8_annotations.edf"
    with EdfFile.open(source) as file:
        duration = file.header.record_duration
    assert duration == 1
    # Two records, a gap that is no whole number of samples, two records, a long gap, one record.
    onsets = [0.5, 1.5, 2.5 + GAP + 0.0022, 3.5 + GAP + 0.0022, 60.5]
    discontinuous(source, tmp_path / "gaps.edf", onsets)
    eegzip.compress(tmp_path / "gaps.edf", tmp_path / "gaps.eegz", lossless=True)
    raw = eegzip.mne.read_raw_eegz(tmp_path / "gaps.eegz")
    rate = raw.info["sfreq"]
    assert raw.n_times == 61 * rate
    joined = plain(tmp_path / "gaps.edf").get_data().reshape(len(raw.ch_names), 5, -1)
    expected = np.zeros((len(raw.ch_names), raw.n_times))
    for record, onset in enumerate(onsets):
        first = round((onset - onsets[0]) * rate)
        expected[:, first : first + int(rate)] = joined[:, record]
    np.testing.assert_array_equal(raw.get_data(), expected)
    np.testing.assert_array_equal(raw.get_data([3, 1], 150, 1500), expected[[3, 1], 150:1500])
    gaps = raw.annotations[raw.annotations.description == "BAD_ACQ_SKIP"]
    np.testing.assert_allclose(gaps.onset, [2, 4 + GAP], atol=1 / rate)
    np.testing.assert_allclose(gaps.duration, [GAP, 60 - 4 - GAP], atol=1 / rate)
    # Annotations lie at the records that hold them, as their times are true now.
    began = raw.annotations[raw.annotations.description == "began"]
    np.testing.assert_allclose(began.onset, np.subtract(onsets, onsets[0]), atol=1e-9)
    assert raw.get_data(reject_by_annotation="omit").shape[1] == 5 * rate
    # What is written again is the same: zeros, and annotations that say why.
    eegzip.mne.raw_to_eegz(raw, tmp_path / "again.eegz", lossless=True)
    again = eegzip.mne.read_raw_eegz(tmp_path / "again.eegz")
    recorded = raw.get_data(reject_by_annotation="omit")
    np.testing.assert_allclose(again.get_data(reject_by_annotation="omit"), recorded, rtol=1e-9, atol=1e-15)


def test_records_that_go_back_in_time_are_joined(compressed: Callable[..., Path]) -> None:
    path = SHIPPED / "edf" / "records_back_in_time.edf"
    with pytest.warns(RuntimeWarning, match=r"overlap or are not in order of time|outside data range") as found:
        raw = eegzip.mne.read_raw_eegz(compressed(path, lossless=True), verbose="warning")
    assert "overlap" in str(found[0].message)
    np.testing.assert_array_equal(raw.get_data(), plain(path).get_data())


def test_mnes_own_test_of_readers(compressed: Callable[..., Path]) -> None:
    """Which comes with MNE's source and not with its packages."""
    tests = pytest.importorskip("mne.io.tests.test_raw", reason="MNE is installed without its tests")
    for name in ("test_utf8_annotations.edf", "test.bdf"):
        tests._test_raw_reader(eegzip.mne.read_raw_eegz, fname=compressed(SHIPPED / "edf" / name, lossless=True))


def test_without_mne_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mne", None)
    for call in (eegzip.mne.read_raw_eegz, eegzip.mne.raw_to_eegz):
        with pytest.raises(eegzip.UsageError, match=r"install eegzip\[mne\]"):
            call("night.eegz", "other.eegz")
