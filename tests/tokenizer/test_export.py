"""Tokens exported for machine learning, by the library and by the command."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from api.plain_edf import PlainEdf, build
from api.recordings import SHIPPED
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main
from eegzip.token_data.labels import Labels

LABELS = ["Fp1", "T3", "ECG"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of two subjects, 6 s of real EEG each, and a table of them."""
    plain = PlainEdf.read(next((SHIPPED / "eegmat").glob("*.edf")))
    place = tmp_path_factory.mktemp("recordings")
    for number, name in enumerate(("sub-01_task-rest", "sub-01_task-sums", "sub-02_task-rest")):
        data = np.stack([plain.digital(index)[4000 * number : 4000 * number + 3000] / 100 for index in range(3)])
        eegzip.compress_array(data, 500, LABELS, place / f"{name}.eegz", model="eegz-sc-1", codebooks=3)
    (place / "participants.tsv").write_text("participant_id\tage\tgroup\nsub-01\t30\tcontrol\nsub-02\t41\tpatient\n")
    (place / "tasks.csv").write_text("file,label\n" + "".join(
        f"some/where/{path.stem}.edf,{path.stem.rpartition('-')[2]}\n" for path in sorted(place.glob("*.eegz"))
    ))  # fmt: skip
    return place


def stored(path: Path) -> np.ndarray:
    with eegzip.open(path) as recording:
        return np.stack([stream.codes for stream in recording.tokens()])


def test_npz_holds_what_files_hold(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "tokens.npz"
    report = eegzip.export_tokens(folder, target, labels=folder / "participants.tsv", label="group")
    assert (report.recordings, report.subjects, report.rows) == (3, 2, 6)
    assert report.labels == {"control": 2, "patient": 1}
    with np.load(target) as tokens:
        files = sorted(folder.glob("*.eegz"))
        assert tokens["files"].tolist() == [str(path) for path in files]
        assert tokens["subjects"].tolist() == ["sub-01", "sub-01", "sub-02"]
        assert tokens["labels"].tolist() == ["control", "control", "patient"]
        assert tokens["digest"] == eegzip.models.describe("eegz-sc-1").digest
        assert (tokens["frame_rate"], tokens["vocabulary_size"]) == (2.0, 256)
        for number, path in enumerate(files):
            np.testing.assert_array_equal(tokens[f"{number}/codes"], stored(path))
            assert tokens[f"{number}/channels"].tolist() == ["Fp1", "T3"]
            np.testing.assert_allclose(tokens[f"{number}/times"], np.arange(13) / 2)
        assert report.tokens == sum(tokens[f"{number}/codes"].size for number in range(3))
    again = tmp_path / "again.npz"
    eegzip.export_tokens(sorted(folder.glob("*.eegz")), again, labels=folder / "participants.tsv", label="group")
    assert again.read_bytes() == target.read_bytes()


def test_gaps_count_in_times(tmp_path: Path) -> None:
    values = np.rint(200 * np.random.default_rng(1).normal(size=(4, 128))).astype(int)
    signal = {"label": "EEG C3", "unit": "uV", "pmin": -3276.8, "pmax": 3276.7, "dmin": -32768, "dmax": 32767}
    onsets = ["+0", "+1", "+10.5", "+11.5"]
    build(tmp_path / "S001.edf", [{**signal, "values": values}], onsets=onsets, reserved="EDF+D")
    report = eegzip.export_tokens(tmp_path, tmp_path / "a.npz", model="eegz-sc-1", codebooks=1)
    with np.load(tmp_path / "a.npz") as tokens:
        assert tokens["0/times"].tolist() == [0, 0.5, 1, 1.5, 10.5, 11, 11.5, 12, 12.5]
        assert tokens["starts"].tolist() == ["2004-03-02T05:06:07"]
        assert tokens["subjects"].tolist() == ["S001"]
    assert report.seconds == 4


def test_the_command(folder: Path, tmp_path: Path) -> None:
    """EDF in, coded for the occasion; a whole file or none; -f before one is replaced."""
    eegzip.decompress(next(folder.glob("*02*.eegz")), tmp_path / "sub-07_night.edf")
    target = tmp_path / "out.npz"
    run = CliRunner()
    arguments = ["tokens", str(tmp_path), "-o", str(target), "-k", "2", "--json"]
    done = run.invoke(main, arguments, catch_exceptions=False)
    content = json.loads(done.stdout)
    assert (content["recordings"], content["model"], content["kind"]) == (1, "eegz-sc-1", "npz")
    with np.load(target) as tokens:
        assert tokens["0/codes"].shape == (2, 2, 13)
        assert tokens["subjects"].tolist() == ["sub-07"]
    before = target.read_bytes()
    with pytest.raises(eegzip.OutputExistsError):
        run.invoke(main, arguments, catch_exceptions=False)
    assert run.invoke(main, [*arguments, "-f"], catch_exceptions=False).exit_code == 0
    assert target.read_bytes() == before
    said = run.invoke(main, ["tokens", str(folder), "-o", str(tmp_path / "b.npz")], catch_exceptions=False).stdout
    assert "3 recordings, 2 subjects" in said
    assert "Examples:" in run.invoke(main, ["tokens", "--help"]).stdout


def test_what_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    shutil.copytree(folder, inputs)
    lossless = tmp_path / "exact.eegz"
    eegzip.compress_array(np.eye(2, 512), 256, ["C3", "C4"], lossless, lossless=True)
    whole = (inputs / "sub-02_task-rest.eegz").read_bytes()
    (inputs / "sub-02_task-rest.eegz").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    out.mkdir()
    for sources, error in (
        ([inputs], eegzip.ContainerError),
        ([folder, lossless], eegzip.UsageError),
        ([folder, tmp_path / "missing.eegz"], eegzip.BadInputError),
        ([out], eegzip.UsageError),
    ):
        with pytest.raises(error):
            eegzip.export_tokens(sources, out / "a.npz")
        assert list(out.iterdir()) == []
    with pytest.raises(eegzip.UsageError, match="'h5' is no kind"):
        eegzip.export_tokens(folder, out / "a.h5")


def test_models_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "sub-03.eegz"
    data = np.random.default_rng(0).normal(0, 20, (1, 512))
    eegzip.compress_array(data, 256, ["C3"], other, model="dac-sc-compact-1", codebooks=1)
    with pytest.raises(eegzip.UsageError, match="they share no vocabulary"):
        eegzip.export_tokens([folder, other], tmp_path / "a.npz")


def test_parquet_and_zarr(folder: Path, tmp_path: Path) -> None:
    parquet, zarr = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("zarr")
    path = next(folder.glob("*02*.eegz"))
    options = {"labels": folder / "tasks.csv"}
    eegzip.export_tokens(folder, tmp_path / "a.parquet", **options)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert json.loads(table.schema.metadata[b"eegzip-tokens"])["model"] == "eegz-sc-1"
    rows = [row for row in table.to_pylist() if row["file"] == str(path) and row["channel"] == "T3"]
    np.testing.assert_array_equal(np.array([row["codes"] for row in rows]).T, stored(path)[1])
    assert {(row["subject"], row["label"]) for row in rows} == {("sub-02", "rest")}
    assert rows[3]["time"] == 1.5
    for overwrite in (False, True):
        eegzip.export_tokens(folder, tmp_path / "a.zarr", overwrite=overwrite, **options)
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="r")
    assert (root.attrs["recordings"], root.attrs["frame_rate"]) == (3, 2.0)
    np.testing.assert_array_equal(root["2/codes"][...], stored(path))
    assert (root["2"].attrs["channels"], root["2"].attrs["label"]) == (["Fp1", "T3"], "rest")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.parquet", "a.zarr"]
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(eegzip.UsageError, match="is not replaced"):
        eegzip.export_tokens(folder, tmp_path / "mine.zarr", overwrite=True)


@pytest.mark.parametrize("kind", ["parquet", "zarr"])
def test_a_missing_package_is_named(kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow" if kind == "parquet" else "zarr", None)
    with pytest.raises(eegzip.UsageError, match=rf"install eegzip\[{kind}\]"):
        eegzip.export_tokens(folder, tmp_path / f"a.{kind}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("table", "options", "sentence"),
    [
        ("name,label\na,b\n", {}, "no column of files or subjects"),
        ("file,x,y\na,1,2\n", {}, "several columns that may be labels"),
        ("file,x,y\na,1,2\n", {"column": "z"}, "no column 'z'; there are: x, y"),
        ("subject,label\na,1\na,2\n", {}, "two labels for 'a'"),
        ("subject,label\n", {}, "no rows"),
    ],
)
def test_tables_that_make_no_sense(table: str, options: dict[str, str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(eegzip.UsageError, match=sentence):
        Labels(tmp_path / "t.csv", **options)


def test_labels_of_files_and_subjects(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("recording,person,label\nb/x.edf,P7,up\na/x.edf,P8,down\n")
    table = Labels(tmp_path / "t.csv")
    path = Path("/data/a/x.edf.eegz")
    assert (table.subject_of(path), table.of(path, "P8")) == ("P8", "down")
    with pytest.raises(eegzip.UsageError, match="has no label for /data/c/x"):
        table.of(Path("/data/c/x.eegz"), "P9")
