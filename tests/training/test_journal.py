"""What a run writes down, and what is left of it when the run is killed, resumed or diverges."""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from eegzip.formats.errors import BadInputError, OutputError
from eegzip.training.reporting.journal import Journal, read_log


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard would show, read by its own reader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder / "tensorboard"))
        events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_entry_is_a_line_that_is_there_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "run", tensorboard=False) as journal:
        journal.record("start", 0, name="modèle", sizes=(1, 2))
        journal.record("step", 1, loss={"total": 2.5})
        # Before anything is closed: a killed process would leave this.
        lines = (tmp_path / "run" / "log.jsonl").read_text("ascii").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["start", "step"]
    first, second = read_log(tmp_path / "run" / "log.jsonl")
    assert (first["name"], first["sizes"], first["step"]) == ("modèle", [1, 2], 0)
    assert second["loss"] == {"total": 2.5}
    assert 0 <= first["seconds"] <= second["seconds"] < 60


def test_what_is_no_number_of_json_is_null_and_arrays_are_lists(tmp_path: Path) -> None:
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.record(
            "step", 3, nan=math.nan, deep={"inf": [math.inf, -math.inf, 1.0]}, array=np.arange(3), path=tmp_path,
            scalar=np.float32("nan"), tensor=torch.tensor([0.5, math.nan]), whole=np.int64(7),
        )  # fmt: skip

    def strict(text: str) -> float:
        raise AssertionError(f"{text} is no JSON")

    entry = json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=strict)
    assert entry["nan"] is None
    assert entry["scalar"] is None
    assert entry["deep"] == {"inf": [None, None, 1.0]}
    assert entry["array"] == [0, 1, 2]
    assert entry["tensor"] == [0.5, None]
    assert (entry["whole"], entry["path"]) == (7, str(tmp_path))


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for step in range(1, 11):
            journal.record("step", step, seconds=10.0 * step, loss={"total": 100.0 + step})
        journal.record("validation", 10, prd=50.0)
    with Journal(tmp_path) as journal:
        journal.truncate_after(6)
        journal.record("resume", 6)
        for step in range(7, 13):
            journal.record("step", step, loss={"total": 200.0 + step})
    entries = read_log(tmp_path / "log.jsonl")
    steps = {e["step"]: e["loss"]["total"] for e in entries if e["kind"] == "step"}
    assert steps == {s: 100.0 + s if s <= 6 else 200.0 + s for s in range(1, 13)}
    assert len([e for e in entries if e["kind"] == "step"]) == 12
    assert not [e for e in entries if e["kind"] == "validation"]
    assert [e["kind"] for e in entries][6] == "resume"
    # The clock goes on from what is kept, not from what is forgotten nor from nothing.
    seconds = [e["seconds"] for e in entries]
    assert seconds == sorted(seconds)
    assert 60.0 <= seconds[-1] < 100.0
    # TensorBoard's own reader sees each step once, too.
    assert scalars(tmp_path)["step/loss/total"] == sorted(steps.items())


def test_a_run_begun_anew_forgets_all(tmp_path: Path) -> None:
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.record("start", 0, seconds=1000.0)
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.truncate_after(-1)
        journal.record("start", 0)
    (entry,) = read_log(tmp_path / "log.jsonl")
    assert entry["seconds"] < 60


def test_a_half_written_last_line_is_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.record("step", 1, loss={"total": 1.0})
    path.write_bytes(path.read_bytes() + b'{"kind": "step", "step": 2, "lo')
    assert [e["step"] for e in read_log(path)] == [1]
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.record("step", 2)
    assert [e["step"] for e in read_log(path)] == [1, 2]


@pytest.mark.parametrize("line", ["nonsense", "[1, 2]", "7"])
def test_damage_in_the_middle_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"kind": "step", "step": 1}\n' + line + '\n{"kind": "step", "step": 2}\n')
    with pytest.raises(BadInputError, match=r"log\.jsonl, line 2, is no JSON"):
        read_log(path)


def test_what_cannot_be_read_or_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="can't be read"):
        read_log(tmp_path / "none.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        Journal(tmp_path / "file")
    with pytest.raises(ValueError, match="kind"), Journal(tmp_path / "run", tensorboard=False) as journal:
        journal.record("stepp", 1)


def test_tensorboard_gets_the_numbers_of_steps_and_validations(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.record("start", 0, name="x", number=1)
        journal.record("step", 1, loss={"total": 2.0, "bad": math.nan}, usage=[0.5, 0.25], note="text", done=True)
        journal.record("validation", 1, prd=42.0, r={"alpha": 0.75})
    found = scalars(tmp_path)
    expected = {
        "step/loss/total": 2.0, "step/usage/0": 0.5, "step/usage/1": 0.25, "validation/prd": 42.0,
        "validation/r/alpha": 0.75,
    }  # fmt: skip
    assert {k: v for k, v in found.items() if not k.endswith("seconds")} == {k: [(1, v)] for k, v in expected.items()}


def test_without_tensorboard_it_goes_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if it were not installed
    with caplog.at_level(logging.WARNING), Journal(tmp_path) as journal:
        for step in (1, 2, 3):
            journal.record("step", step, loss={"total": 1.0})
    assert len([r for r in caplog.records if "TensorBoard" in r.getMessage()]) == 1
    assert [e["step"] for e in read_log(tmp_path / "log.jsonl")] == [1, 2, 3]
    assert not (tmp_path / "tensorboard").exists()
