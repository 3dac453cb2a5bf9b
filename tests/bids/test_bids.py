"""A BIDS data set as a derivative one of .eegz files, and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from api.recordings import SHIPPED
from click.testing import CliRunner

import eegzip
from eegzip.cli.main import main

TINY = SHIPPED / "edf" / "SC4001EC-Hypnogram.edf"
MADE = "sub-01/ses-1/eeg/sub-01_ses-1_task-rest_run-1_desc-eegzip_eeg"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two subjects, an EDF and a BDF file, sidecars, events, and folders that are not the data set's content."""
    folder = tmp_path / "raw"
    first, second = folder / "sub-01/ses-1/eeg", folder / "sub-02/eeg"
    for place in (first, second, folder / "derivatives/other", folder / "sourcedata", folder / ".git"):
        place.mkdir(parents=True)
        (place / "notes.txt").write_text("notes")
    description = {"Name": "Test", "BIDSVersion": "1.9.0", "License": "CC0", "Authors": ["A"], "DatasetDOI": "doi:1/2"}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    (folder / ".bidsignore").write_text("*.txt\n")
    (folder / "README").write_text("A data set for tests.")
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-01\t33\nsub-02\t44\n")
    (folder / "task-rest_eeg.json").write_text('{"TaskName": "rest",   "EEGReference": "Cz"}')
    shutil.copy2(TINY, first / "sub-01_ses-1_task-rest_run-1_eeg.edf")
    (first / "sub-01_ses-1_task-rest_run-1_events.tsv").write_text("onset\tduration\n1\t2\n")
    shutil.copy2(TINY.with_suffix(".bdf"), second / "sub-02_task-rest_eeg.BDF")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """All files of a data set but those in folders that are not its own content."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    ours = [name for name in names if name.parts[0] not in ("derivatives", "sourcedata", ".git")]
    return {name.as_posix(): (folder / name).read_bytes() for name in ours}


def test_there_and_back(dataset: Path, tmp_path: Path):
    small = dataset / "derivatives" / "eegzip"
    report = eegzip.compress_bids(dataset, small, jobs=0)
    assert (report.done, report.skipped, report.errors) == (2, 0, ())
    made, raw = content(small), content(dataset)
    for name in ("README", "participants.tsv", "task-rest_eeg.json"):
        assert made[name] == raw[name]
    events = MADE.replace("desc-eegzip_eeg", "events.tsv")
    assert made[events] == raw[events]
    assert not [name for name in made if name.lower().endswith((".edf", ".bdf"))]
    description = json.loads(made["dataset_description.json"])
    assert (description["DatasetType"], description["License"]) == ("derivative", "CC0")
    assert description["GeneratedBy"][0] == {
        "Name": "eegzip",
        "Version": eegzip.__version__,
        "Description": "EEG compression",
    }
    assert "DatasetDOI" not in description  # that is of the other one
    assert (small / description["DatasetLinks"]["raw"]).resolve() == dataset.resolve()
    sidecar = json.loads(made[f"{MADE}.json"])
    assert sidecar["Sources"] == ["bids:raw:sub-01/ses-1/eeg/sub-01_ses-1_task-rest_run-1_eeg.edf"]
    assert sidecar["Eegzip"]["Checked"] == "identical"
    assert eegzip.verify(small / f"{MADE}.eegz").intact

    assert eegzip.compress_bids(dataset, small, jobs=0).skipped == 2  # all is made
    (small / f"{MADE}.eegz").write_bytes(b"damaged")
    assert eegzip.compress_bids(dataset, small, jobs=0).done == 1

    report = eegzip.restore_bids(small, tmp_path / "back", jobs=0)
    assert (report.done, report.errors) == (2, ())
    assert content(tmp_path / "back") == raw
    assert eegzip.restore_bids(small, tmp_path / "back", jobs=0).skipped == 2


def test_what_was_lost_is_said(dataset: Path, tmp_path: Path, eegmat: Path):
    shutil.copy(eegmat, dataset / "sub-02/eeg/sub-02_task-rest_eeg.BDF")
    with pytest.raises(eegzip.UsageError, match="something else"):
        eegzip.compress_bids(dataset, dataset.parent, jobs=0, max_prd=20)
    eegzip.compress_bids(dataset, tmp_path / "small", jobs=0, max_prd=20)
    stated = json.loads((tmp_path / "small/sub-02/eeg/sub-02_task-rest_desc-eegzip_eeg.json").read_bytes())["Eegzip"]
    assert (stated["Lossless"], stated["LossyChannels"], stated["Checked"]) == (False, 3, "bounds kept")
    assert 0 < stated["MedianPRDPercent"] <= stated["WorstPRDPercent"] <= 20
    assert stated["Settings"] == {"max_prd": 20}


def test_one_that_fails_costs_itself(dataset: Path, tmp_path: Path):
    (dataset / "sub-02/eeg/sub-02_task-rest_eeg.BDF").write_bytes(b"broken")
    runner = CliRunner()
    result = runner.invoke(main, ["bids", str(dataset), "-o", str(tmp_path / "small"), "-j", "0"])
    assert result.exit_code == 1
    assert "sub-02_task-rest_eeg.BDF" in result.output
    assert "1 done" in result.output
    assert (tmp_path / "small" / f"{MADE}.json").is_file()
    words = ["bids", "--restore", str(tmp_path / "small"), "-o", str(tmp_path / "back"), "-j", "0"]
    assert runner.invoke(main, words).exit_code == 0
    assert "of compressing" in runner.invoke(main, [*words, "-1"]).output


def test_a_level_is_taken_and_told(dataset: Path, tmp_path: Path):
    result = CliRunner().invoke(main, ["bids", str(dataset), "-o", str(tmp_path / "quick"), "-1", "-j", "0"])
    assert result.exit_code == 0, result.output
    made = tmp_path / "quick" / f"{MADE}.eegz"
    assert json.loads(made.with_suffix(".json").read_bytes())["Eegzip"]["Settings"] == {"lossless": True, "level": 1}
    told = json.loads(CliRunner().invoke(main, ["info", "--json", str(made)]).output)
    assert told["level"] == 1


def test_what_is_no_data_set_is_refused(dataset: Path, tmp_path: Path):
    with pytest.raises(eegzip.UsageError, match="no BIDS data set"):
        eegzip.compress_bids(tmp_path, tmp_path / "small")
    with pytest.raises(eegzip.UsageError, match="lies in the data set"):
        eegzip.compress_bids(dataset, dataset / "small")
    with pytest.raises(eegzip.UsageError, match="was not made by"):
        eegzip.restore_bids(dataset, tmp_path / "back")
    (dataset / "dataset_description.json").write_text('{"Name": "x", "DatasetType": "derivative"}')
    with pytest.raises(eegzip.UsageError, match="derivative data set already"):
        eegzip.compress_bids(dataset, tmp_path / "small")
    (dataset / "dataset_description.json").write_text("no JSON")
    with pytest.raises(eegzip.BadInputError, match=r"dataset_description\.json can't be read"):
        eegzip.compress_bids(dataset, tmp_path / "small")


def test_a_sidecar_does_not_lead_out_of_the_folder(dataset: Path, tmp_path: Path):
    eegzip.compress_bids(dataset, tmp_path / "small", jobs=0)
    path = tmp_path / "small" / f"{MADE}.json"
    sidecar = json.loads(path.read_bytes())
    sidecar["Eegzip"]["SourceName"] = "../../../../evil.edf"
    path.write_text(json.dumps(sidecar))
    with pytest.raises(eegzip.BadInputError, match="does not say"):
        eegzip.restore_bids(tmp_path / "small", tmp_path / "back", jobs=0)
    assert not list(tmp_path.rglob("evil.edf"))
