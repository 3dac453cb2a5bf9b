"""``eegzip evaluate``: a table for people, JSON for programs, exit codes as everywhere."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_table_a_sentence_and_a_tier(run: Run, eegmat: Path, compressed: Callable[..., Path]) -> None:
    coded = compressed(eegmat)
    done = run("evaluate", eegmat, coded)
    assert done.returncode == 0
    head, *rows, sentence, tier = done.stdout.splitlines()
    assert all(word in head for word in ("PRD", "worst s", "delta", "gamma", "spectr."))
    assert len(rows) == 4
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
