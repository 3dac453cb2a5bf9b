"""Whose a file is, and who is held out."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegzip.formats.errors import UsageError
from eegzip.training.data.subjects import held_out_subjects, subject_of

SUBJECTS = st.sets(st.text("abcdefgh0123456789", min_size=1, max_size=6), min_size=2, max_size=30)
SHARE = st.floats(0.01, 0.9)


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("d/sub-07/ses-1/eeg/sub-07_ses-1_task-rest_eeg.edf", "sub-07"),
        ("d/sub-AB3/eeg/part1.edf", "sub-AB3"),
        ("edf/train/01_tcp_ar/002/00000254/s005/00000254_s005_t000.edf", "00000254"),
        ("edf/train/aaaaaajy/s001_2003/02_tcp_le/aaaaaajy_s001_t000.edf", "aaaaaajy"),
        ("Subject00_1.edf", "Subject00"),
        ("Subject00_2.edf", "Subject00"),
        ("sub01_record-_2012.07.06-19.02.16_.edf", "sub01"),
        ("ADHD_v10p.edf", "ADHD_v10p"),
        ("ADHD_v10p.edf.eegz", "ADHD_v10p"),
        ("co2a0000364.edf", "co2a0000364"),
        ("neonatal_demo.edf", "neonatal_demo"),
        ("S001R04.edf", "S001"),
        ("S001R04.edf.eegz", "S001"),
    ],
)
def test_layouts_that_are_common_name_the_subject(path, subject):
    assert subject_of(PurePosixPath(path)) == subject


def test_a_pattern_of_ones_own():
    assert subject_of(PurePosixPath("clinic/p17/night.edf"), r"/(p\d+)/") == "p17"
    for pattern in (r"(", r"/p\d+/", r"/(q\d+)/"):
        with pytest.raises(UsageError):
            subject_of(PurePosixPath("clinic/p17/night.edf"), pattern)


@given(SUBJECTS, SHARE, st.integers(0, 9))
def test_a_share_leaves_someone_on_either_side_and_is_the_same_each_time(subjects, share, seed):
    chosen = held_out_subjects(subjects, str(share), seed)
    assert chosen == held_out_subjects(sorted(subjects, reverse=True), str(share), seed)
    assert chosen < subjects
    assert len(chosen) >= 1
    assert abs(len(chosen) - share * len(subjects)) <= 1


@given(SUBJECTS, SHARE, st.integers(0, 9), st.text("xyz", min_size=1, max_size=4))
def test_someone_new_moves_one_other_at_most(subjects, share, seed, new):
    before = held_out_subjects(subjects, str(share), seed)
    after = held_out_subjects(subjects | {new}, str(share), seed)
    assert len((before ^ after) - {new}) <= 1


def test_names_and_patterns_are_taken_literally():
    subjects = ["a1", "a2", "b1"]
    assert held_out_subjects(subjects, "a*", 0) == {"a1", "a2"}
    assert held_out_subjects(subjects, "b1, a2", 0) == {"b1", "a2"}
    assert held_out_subjects(subjects, "0", 0) == set()
    for wish in ("c1", "*", "1.5", "nan", "-0.1"):
        with pytest.raises(UsageError):
            held_out_subjects(subjects, wish, 0)
