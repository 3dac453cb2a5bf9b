"""The table of the paper's experiment is made from the logs of two runs."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples" / "paper" / "table1a.py"


def run_with(folder, losses):
    """A run's folder with validations of these spectrogram losses, by step."""
    folder.mkdir()
    lines = [{"kind": "validation", "step": s, "spectrogram": v, "prd": 10 * v, "snr": 1.0} for s, v in losses.items()]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder)


def table(*runs):
    return subprocess.run([sys.executable, "-I", SCRIPT, *runs], capture_output=True, text=True, check=False)


def test_rows_are_of_the_last_step_that_both_runs_have(tmp_path):
    scratch = run_with(tmp_path / "scratch", {0: 9, 50: 4, 100: 2, 150: 1})
    transfer = run_with(tmp_path / "transfer", {0: 5, 50: 3, 100: 1})
    printed = table(scratch, transfer).stdout
    assert "step 100" in printed
    for row in ("| Audio-pretrained | 5.00 | 50.00 |", "| Scratch | 2.00 | 20.00 |", "| Audio-to-EEG | 1.00 | 10.00 |"):
        assert row in printed
    assert "Audio-to-EEG over Scratch: 0.500" in printed


def test_untrained_runs_are_not_compared(tmp_path):
    done = table(run_with(tmp_path / "scratch", {0: 9, 50: 4}), run_with(tmp_path / "transfer", {0: 5}))
    assert done.returncode == 1
    assert "no validation after step 0" in done.stderr
    assert done.stdout == ""
