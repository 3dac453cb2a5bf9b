"""Stage ``train``: ``eegzip train`` for some minutes, gone on with at the next call, and packed to be taken along."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from notes import ROOT, Notes, environment, machine
from pack import PART, unpack
from taking_along import PIECE, pack

GRACE = 90.0
"""Seconds for the last step, validation and state before the run is ended the hard way."""
TINY = [
    "data.window_seconds=4", "run.max_steps=4", "run.validate_every=2", "run.validation_windows=2",
    "optimiser.batch=1", "data.held_out=0.25", "quantiser.open_steps=0", "quantiser.start=random",
]  # fmt: skip


def run(options: argparse.Namespace, notes: Notes) -> None:
    """Train, then pack."""
    folder = options.run or options.out / "run"
    resume = (folder / "settings.json").is_file() and any(folder.glob("state*"))
    arguments = command(options, folder, resume=resume)
    notes.say(
        f"train will {'go on with' if resume else 'begin'} the run in {folder} on {options.device}, stop it after "
        f"{options.minutes:g} minutes (it saves its state), and pack model and logs into files below "
        f"{PIECE / 1e6:g} MB in {options.out}."
    )
    notes.table("Machine", ["what", "which"], machine(options.device))
    notes.text("Command", "python " + " ".join(arguments))
    status = trained(arguments, options.minutes * 60, notes)
    notes.results["status"] = status
    # Stopped by SIGTERM it ends with 143, the state saved.
    if status not in (0, 143):
        notes.failed = True
        notes.say(f"eegzip train ended with {status}: {last_lines(notes.log)}")
    journal(folder, notes)
    notes.part("Packing", pack, folder, options.out, options.half, notes)


def command(options: argparse.Namespace, folder: Path, *, resume: bool) -> list[str]:
    """Return the arguments of the training."""
    arguments = ["-m", "eegzip", "train", "--out", str(folder), "--device", options.device, "-v"]
    changes = list(options.set)
    if resume:
        arguments.append("--resume")
    else:
        data = recordings(options)
        arguments += ["--data", data]
        # Stopped before its first state, a run has nothing to go on with: it begins again, in the same folder.
        arguments += ["--force"] if (folder / "settings.json").is_file() else []
        if options.tiny:
            arguments += ["--preset", "compact"]
            changes = [*TINY, *changes]
        elif options.recipe:
            config = Path(options.recipe)
            arguments += ["--config", str(config if config.is_file() else ROOT / "recipes" / f"{options.recipe}.toml")]
        arguments += [part for name in options.preset for part in ("--preset", name)]
        if options.init:
            arguments += ["--init", options.init]
    return arguments + [part for change in changes for part in ("--set", change)]


def recordings(options: argparse.Namespace) -> str:
    """Return what to train on: the folder given, unpacked beside the results where it holds parts."""
    if options.data is None:
        if options.tiny:
            return "synthetic"
        raise SystemExit("name the folder of the recordings: --data FOLDER")
    if not any(options.data.glob(PART)):
        return str(options.data.resolve())
    data = options.data.resolve().with_name(options.data.name + "-recordings")
    unpack(options.data, data)
    return str(data)


def trained(arguments: list[str], seconds: float, notes: Notes) -> int:
    """Train for so long, then ask it to stop; return its exit status."""
    notes.say("$ python " + " ".join(arguments))
    with notes.log.open("a", encoding="utf-8") as log:
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
        ends = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < ends:
            time.sleep(0.2)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            return child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


def journal(folder: Path, notes: Notes) -> None:
    """Keep the figures of all validations so far."""
    log = folder / "log.jsonl"
    if not log.is_file():
        notes.say("no step was made: preparing took all the time; what is prepared is kept, so call it again")
        return
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    last = lines[-12:]
    notes.results["log"] = [line for line in lines if line.get("kind") != "step"] or last
    notes.text("Last lines of the run's log", "\n".join(json.dumps(line) for line in last))
    notes.say(f"{len(lines)} lines of log; the last: {json.dumps(lines[-1])[:300]}")


def last_lines(path: Path, count: int = 3) -> str:
    """Return the end of a text."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
