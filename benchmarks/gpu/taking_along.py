"""A run's model and logs in files that travel, and the model made of them again."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from pathlib import Path

from notes import Notes

PIECE = 15_000_000
"""Bytes of a packed file at most."""
NOT_PACKED = ("state", "cache", "last")


def pack(folder: Path, out: Path, half: bool, notes: Notes) -> None:
    """Pack the run without its state, the last weights and caches into pieces; ``stages.py join`` puts it together."""
    whole = out / "run.tar.gz"
    for old in out.glob("run.tar.gz*"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(whole, "w:gz", compresslevel=1) as tar:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder)
            if any(part.startswith(NOT_PACKED) for part in name.parts):
                continue
            if half and name == Path("model.safetensors"):
                path = rounded(path, Path(scratch) / path.name)
            tar.add(path, f"run/{name}")
    size = whole.stat().st_size
    if size > PIECE:
        with whole.open("rb") as content:
            for number in range(-(-size // PIECE)):
                (out / f"run.tar.gz.{number:02}").write_bytes(content.read(PIECE))
        whole.unlink()
    names = sorted(p.name for p in out.glob("run.tar.gz*"))
    notes.results["packed"] = names
    notes.say(f"packed {size / 1e6:.1f} MB: {', '.join(names)}")


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


def join(results: Path, target: Path) -> Path:
    """Put a packed run together and return its folder; weights of 16 bits become the float32 that eegzip reads."""
    pieces = sorted(results.glob("run.tar.gz*"))
    if not pieces:
        raise SystemExit(f"{results} holds no run.tar.gz; the stage train makes it.")
    with tempfile.TemporaryFile() as whole:
        for piece in pieces:
            with piece.open("rb") as file:
                shutil.copyfileobj(file, whole)
        whole.seek(0)
        with tarfile.open(fileobj=whole, mode="r:gz") as tar:
            tar.extractall(target, filter="data")
    folder = target / "run"
    if (folder / "model.safetensors").is_file():
        widened(folder)
    return folder


def widened(folder: Path) -> None:
    """Make weights of 16 bits float32, and the model's digest that of the rounded weights; a prior is left out."""
    from safetensors.torch import load_file

    from eegzip.codecs.checkpoints.checkpoint import save_checkpoint
    from eegzip.codecs.checkpoints.config import ModelConfig

    state = load_file(folder / "model.safetensors")
    if all(values.element_size() == 4 for values in state.values()):
        return
    config = ModelConfig.from_json(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    save_checkpoint(folder, config, state, overwrite=True)
