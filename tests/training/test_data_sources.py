"""From names to files."""

import pytest

from eegzip.formats.errors import BadInputError, UsageError
from eegzip.training.data.sources import find_sources


@pytest.fixture
def tree(tmp_path):
    for name in ("a/S1_1.edf", "a/S1_2.BDF", "a/deep/S2.edf.eegz", "a/notes.txt", "a/.hidden.edf", "a/x.flac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders_globs_and_files_give_each_file_once(tree):
    folder = find_sources([str(tree / "a")])
    assert {f.path.name for f in folder} == {"S1_1.edf", "S1_2.BDF", "S2.edf.eegz"}
    assert {f.subject for f in folder} == {"S1", "S2"}
    assert [f.path.name for f in find_sources([str(tree / "a" / "*1.edf")])] == ["S1_1.edf"]
    again = find_sources([str(tree / "a" / "S1_1.edf"), str(tree / "a"), str(tree / "a" / "**" / "*")])
    assert sorted(f.path for f in again) == sorted(f.path for f in folder)
    assert [f.path.name for f in find_sources([str(tree)], "audio")] == ["x.flac"]


def test_names_that_stand_for_nothing(tree):
    (tree / "empty.csv").write_text("path,person\n")
    for name in ("nowhere", "*.edf", "empty.csv"):
        with pytest.raises(BadInputError, match="stands for no recordings"):
            find_sources([str(tree / name)])


def test_a_manifest_says_person_and_side(tree):
    table = tree / "list.tsv"
    table.write_text("path\tperson\tsplit\na/S1_1.edf\tAnn\ttrain\na/S1_2.BDF\t\tValidation\n", encoding="utf-8-sig")
    found = find_sources([str(table)])
    assert [(f.subject, f.split) for f in found] == [("Ann", "train"), ("S1", "validation")]
    assert all(f.path.is_file() for f in found)


@pytest.mark.parametrize("text", ["file\na.edf\n", "path,split\na.edf,test\n", 'path\n""\n'])
def test_wrong_rows_are_named_by_line(tree, text):
    table = tree / "list.csv"
    table.write_text(text)
    with pytest.raises(UsageError, match="line 2"):
        find_sources([str(table)])


def test_a_manifest_that_is_no_text(tree):
    table = tree / "list.csv"
    table.write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(BadInputError, match="can't be read"):
        find_sources([str(table)])
