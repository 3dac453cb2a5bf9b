"""``eegzip evaluate``: a table for people, JSON for programs, exit codes as everywhere."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_table_a_sentence_and_a_tier(run: Run, eegmat: Path, compressed: Callable[..., Path]) -> None:
    coded = compressed(eegmat)
    done = run("evaluate", eegmat, coded)
    assert done.returncode == 0
    channels, bands, peaks, end = (part.splitlines() for part in done.stdout.split("\n\n"))
    head, *rows = channels
    sentence, tier = end
    assert all(word in head for word in ("PRD", "worst s", "delta", "gamma", "spectr."))
    assert len(rows) == 4
    assert [row.split()[0] for row in bands] == ["band", "delta", "theta", "alpha", "beta", "gamma", "all"]
    assert len(peaks) == 4
    assert "flattened" in peaks[0]
    assert "3 EEG channels" in sentence
    assert "all other channels are exact" in sentence
    assert tier.startswith("OpenECS-style tier: ")
    ecg = next(row for row in rows if row.startswith("ECG"))
    assert "0 uV" in ecg


def test_json(run: Run, eegmat: Path, exact_file: Path) -> None:
    done = run("evaluate", "--json", eegmat, exact_file)
    content = json.loads(done.stdout)
    assert content["tier"]["letter"] == "L"
    assert [channel["measures"]["prd"] for channel in content["channels"]] == [0, 0, 0, 0]
    assert content["coded_bytes"] < content["compressed_bytes"]


def test_quiet_says_nothing(run: Run, eegmat: Path) -> None:
    done = run("evaluate", "-q", eegmat, eegmat)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_compared(refused: Callable[..., str], eegmat: Path, exact_file: Path, tmp_path: Path) -> None:
    assert "own original" in refused(
        1, "evaluate", eegmat.parents[1] / "edf" / "short_psg.edf", exact_file, folder=tmp_path
    )
    assert refused(1, "evaluate", tmp_path / "none.edf", exact_file, folder=tmp_path)
    assert refused(2, "evaluate", eegmat, folder=tmp_path)
    assert refused(2, "evaluate", "--nothing", eegmat, eegmat, folder=tmp_path)


def test_csv_has_a_line_a_channel_and_the_figures_of_json(run: Run, eegmat: Path, exact_file: Path) -> None:
    rows = list(csv.DictReader(run("evaluate", "--csv", eegmat, exact_file).stdout.splitlines()))
    channels = json.loads(run("evaluate", "--json", eegmat, exact_file).stdout)["channels"]
    assert [row["label"] for row in rows] == [channel["label"] for channel in channels]
    for row, channel in zip(rows, channels, strict=True):
        assert float(row["spikes_count"]) == channel["measures"]["spikes"]["count"]
        assert float(row["coherence_alpha"]) == channel["measures"]["coherence"]["alpha"] == pytest.approx(1)


def test_either_side_may_be_compressed(run: Run, eegmat: Path, exact_file: Path) -> None:
    assert "tier: L" in run("evaluate", exact_file, eegmat).stdout


def test_a_file_alone_says_what_it_says_of_itself(
    run: Run, refused: Callable[..., str], eegmat: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    coded = compressed(eegmat)
    done = run("evaluate", coded)
    first, head, *rows = done.stdout.splitlines()
    assert "measured when it was written" in first
    said = json.loads(run("evaluate", "--json", coded).stdout)
    assert said == json.loads(run("info", "--json", coded).stdout)
    worst = max(signal["prd"] for signal in said["signals"] if signal.get("prd"))
    assert any(f"{worst:.2f}" in row for row in rows)
    assert "PRD" in head
    assert refused(2, "evaluate", "--csv", coded, folder=tmp_path)
    assert refused(2, "evaluate", "--csv", "--json", eegmat, coded, folder=tmp_path)
    assert "no .eegz file" in refused(2, "evaluate", eegmat, folder=tmp_path)


def test_report_writes_a_page(
    run: Run, refused: Callable[..., str], eegmat: Path, exact_file: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    done = run("report", eegmat, exact_file, "-o", page)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 EEG channels" in done.stdout
    assert page.read_text("utf-8").startswith("<!doctype html>")
    refused(2, "report", eegmat, exact_file, "-o", page, folder=tmp_path)
    refused(2, "report", eegmat, exact_file, folder=tmp_path)
