"""Stage ``train``: ``eegzip train`` for some minutes, gone on with at the next call, and packed to be taken along."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from notes import ROOT, Notes, environment, machine
from pack import PART, unpack

PIECE = 15_000_000
"""Bytes of a packed file at most."""
GRACE = 90.0
"""Seconds for the last step, validation and state before the run is ended the hard way."""
NOT_PACKED = ("state", "cache", "last")
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
    notes.part("Packing", pack, folder, options, notes)


def command(options: argparse.Namespace, folder: Path, *, resume: bool) -> list[str]:
    """Return the arguments of the training."""
    arguments = ["-m", "eegzip", "train", "--out", str(folder), "--device", options.device, "-v"]
    changes = list(options.set)
    if resume:
        arguments.append("--resume")
    else:
        data = recordings(options)
        arguments += ["--data", data]
        if not options.tiny:
            config = Path(options.recipe)
            arguments += ["--config", str(config if config.is_file() else ROOT / "recipes" / f"{options.recipe}.toml")]
        else:
            arguments += ["--preset", "compact"]
            changes = [*TINY, *changes]
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
        return
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    last = lines[-12:]
    notes.results["log"] = [line for line in lines if line.get("kind") != "step"] or last
    notes.text("Last lines of the run's log", "\n".join(json.dumps(line) for line in last))
    notes.say(f"{len(lines)} lines of log; the last: {json.dumps(lines[-1])[:300]}")


def pack(folder: Path, options: argparse.Namespace, notes: Notes) -> None:
    """Pack the run without its state, the last weights and caches into pieces; put together again by ``cat run.tar.gz.* | tar xz``."""
    whole = options.out / "run.tar.gz"
    for old in options.out.glob("run.tar.gz*"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(whole, "w:gz", compresslevel=1) as tar:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder)
            if any(part.startswith(NOT_PACKED) for part in name.parts):
                continue
            if options.half and path.suffix == ".safetensors":
                path = rounded(path, Path(scratch) / path.name)
            tar.add(path, f"run/{name}")
    content = io.BytesIO(whole.read_bytes())
    size = whole.stat().st_size
    if size > PIECE:
        whole.unlink()
        for number in range(-(-size // PIECE)):
            with (options.out / f"run.tar.gz.{number:02}").open("wb") as piece:
                piece.write(content.read(PIECE))
    names = sorted(p.name for p in options.out.glob("run.tar.gz*"))
    notes.results["packed"] = names
    notes.say(f"packed {size / 1e6:.1f} MB: {', '.join(names)}")
    if notes.log.stat().st_size > PIECE:
        shutil.copyfile(notes.log, folder / "stage.log")
        notes.log.write_text(last_lines(folder / "stage.log", 2000), encoding="utf-8")


def rounded(path: Path, target: Path) -> Path:
    """Return a copy of weights in float16, its own metadata kept."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    save_file({k: v.half() if v.dtype == torch.float32 else v for k, v in state.items()}, target, metadata)
    return target


def last_lines(path: Path, count: int = 3) -> str:
    """Return the end of a text."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
