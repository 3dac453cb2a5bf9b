"""``eegzip train``: what a person sees of it, on a terminal and in a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eegzip.cli.train_progress import TrainingWatch, clock, use_of_codebooks
from eegzip.training.settings.sections import RunSettings

Run = Callable[..., subprocess.CompletedProcess[str]]

# The command with the trainer replaced: 40 steps, a validation after every tenth, then what the test asks for.
STAND_IN = """
import sys, time
import eegzip.training.api as fine_tuning

def train(settings, out, *, progress, watch, **rest):
    for done in range(3):
        if progress: progress("preparing", done + 1, 3)
    checked = {"prd": 95.0, "snr": 0.5, "spectrogram": 2.0}
    for step in range(1, 41):
        if watch:
            time.sleep(0.02 * sys.stderr.isatty())  # a bar is drawn ten times a second
            watch({"step": step, "seconds": 3.0 * step, "loss/total": 4.0 / step, "prd": 90.0 - step,
                   "usage": [0.5, 0.75], "validation": checked})
        if step % 10 == 0:
            checked = {"prd": 95.0 - step, "snr": 1.0, "spectrogram": 1.0}
    if FAILURE: raise FAILURE
    return fine_tuning.TrainingReport(
        out, "ab" * 32, 40, 120.0, 40, {"prd": 95.0, "snr": float("nan")}, checked, ("p1", "p2"), ("p3",),
        tuple((f"{n}.edf", "is empty") for n in range(12)), SIGNAL)

fine_tuning.train = train
sys.argv = ["eegzip", "train", "--data", "synthetic", "--out", "run", *sys.argv[1:]]
from eegzip.cli.main import run
run()
"""


def stand_in(failure: str = "None", stopped_by: int = 0) -> str:
    """Program of the command with another trainer."""
    return STAND_IN.replace("FAILURE", f"({failure})").replace("SIGNAL", str(stopped_by))


@pytest.fixture
def pretended(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command with another trainer, in a pipe."""

    def call(*words: str, **what: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-c", stand_in(**what), *words],
            capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
        )  # fmt: skip

    return call


def test_a_pipe_gets_a_line_a_validation(pretended: Run) -> None:
    done = pretended("--max-steps", "40")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("step ")]
    assert [int(line.split(",")[0].split()[1]) for line in lines] == [0, 10, 20, 30]
    assert "held out 85 % (SNR 1 dB, spectrogram 1)" in lines[1]
    assert "codebook use 50-75 %" in lines[1]
    assert done.stderr.count("skipped: ") == 11
    assert "2 more (-v lists them)" in done.stderr
    assert done.stdout == (
        "run: dac-sc model, 40 steps in 2:00; PRD of 1 person held out 95 -> 55 % (best at step 40)\n"
    )
    assert "no --max-steps" not in done.stderr


def test_quiet_says_nothing_and_verbose_more(pretended: Run) -> None:
    done = pretended("-q")
    assert (done.stdout, done.stderr) == ("", "")
    done = pretended("-v")
    assert done.stderr.count("skipped: ") == 12
    assert "it trains until Ctrl-C" in done.stderr


def test_json_is_the_report(pretended: Run) -> None:
    def strict(text: str) -> float:
        raise AssertionError(f"{text} is no JSON")

    report = json.loads(pretended("--json", "-q").stdout, parse_constant=strict)
    assert report["steps"] == 40
    assert report["before"] == {"prd": 95.0, "snr": None}
    assert report["held_out"] == ["p3"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_run_says_how_to_go_on(number: int, code: int, pretended: Run) -> None:
    done = pretended("--max-steps", "99", stopped_by=int(number))
    assert done.returncode == code
    last = done.stderr.splitlines()[-1]
    assert last.endswith("stopped after step 40; the state is saved. Go on with: eegzip train --resume --out run")
    assert "40 steps" in done.stdout


@pytest.mark.parametrize(
    "failure",
    [
        "MemoryError()",
        "__import__('torch').cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')",
        "RuntimeError('[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can\\'t allocate memory: 9 bytes')",
    ],
)
def test_out_of_memory_is_advice(failure: str, pretended: Run) -> None:
    done = pretended("-q", "--batch", "6", failure=failure)
    assert done.returncode == 1
    assert done.stderr.startswith("eegzip: there is not enough memory for a step; try a --batch below 6, shorter")
    assert "--set data.window_seconds=15" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_fault_of_ours_is_not_hidden_as_advice(pretended: Run) -> None:
    done = pretended("-q", failure="RuntimeError('mat1 and mat2 shapes cannot be multiplied')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "enough memory" not in done.stderr


def on_terminal(words: list[str], folder: Path, columns: int = 100) -> str:
    """What a command draws on a terminal."""
    child, master = pty.fork()
    if child == 0:
        os.chdir(folder)
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.execv(words[0], words)
    drawn = b""
    with contextlib.suppress(OSError):  # the other side is gone
        while piece := os.read(master, 65536):
            drawn += piece
    os.waitpid(child, 0)
    os.close(master)
    return drawn.decode()


# A new process made after threads were started warns; the child here does nothing but become another program.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    drawn = on_terminal([sys.executable, "-I", "-c", stand_in(), "--max-steps", "80"], tmp_path)
    assert "preparing" in drawn
    bar = [part for part in drawn.replace("\n", "\r").split("\r") if "step " in part and "%|" in part]
    assert bar
    assert all(len(part) <= 100 for part in bar)
    assert any("loss" in part and "PRD" in part and "codebook use 50-75 %" in part for part in bar)
    assert "(SNR" not in drawn  # lines of validations are for pipes


def test_the_time_left_is_that_of_the_nearer_limit() -> None:
    def left(limits: RunSettings) -> float | None:
        watch = TrainingWatch(limits, terminal=False, lines=False)
        for step in (101, 151):  # resumed at step 100, two seconds a step
            watch({"step": step, "seconds": 2.0 * step})
        return watch.left(watch._share(151, 302.0), 302.0)

    assert left(RunSettings()) is None
    assert left(RunSettings(max_steps=201)) == pytest.approx(100.0)
    assert left(RunSettings(max_seconds=500.0)) == pytest.approx(198.0)
    assert left(RunSettings(max_steps=201, max_seconds=10_000.0)) == pytest.approx(100.0)


def test_words_for_times_and_codebooks() -> None:
    assert [clock(s) for s in (0, 59.6, 3599, 3600)] == ["0:00", "1:00", "59:59", "1:00:00"]
    assert use_of_codebooks({"usage": [1.0, 1.0]}) == "100 %"
    assert use_of_codebooks({"usage": []}) == use_of_codebooks(None) == use_of_codebooks({}) == ""
