"""Find, load and import models.

Models are named by a bundled name, a folder, or the digest that a file carries. Nothing here imports torch
until weights are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eegzip.codecs.checkpoint import CONFIG, Checkpoint, load_checkpoint
from eegzip.codecs.official import OFFICIAL, cache_dir, download_official, import_descript
from eegzip.formats.errors import ModelError

__all__ = [
    "DEFAULT_MODEL",
    "OFFICIAL",
    "Checkpoint",
    "available",
    "cache_dir",
    "download_official",
    "import_descript",
    "load",
    "resolve",
]

DEFAULT_MODEL = "dac-sc-compact-1"
_BUNDLED = Path(__file__).parent / "checkpoints"
# Fewer hexadecimal digits than these could name two models by chance.
_MIN_DIGEST_DIGITS = 12


def _folders(parent: Path) -> Iterator[Path]:
    """Yield the checkpoint folders within a folder, by name."""
    if parent.is_dir():
        yield from (p for p in sorted(parent.iterdir()) if (p / CONFIG).is_file())


def available() -> dict[str, Path]:
    """Return the models at hand, bundled ones first, by name."""
    models: dict[str, Path] = {}
    for parent in (_BUNDLED, cache_dir() / "models"):
        for folder in _folders(parent):
            models.setdefault(folder.name, folder)
    return models


def resolve(model: str | Path) -> Path:
    """Return the folder of a model.

    Parameters
    ----------
    model
        A bundled or cached name, a path to a folder, or a digest (its first 12 or more digits).

    Raises
    ------
    ModelError
        Nothing of that name or digest is at hand.
    """
    models = available()
    if isinstance(model, str) and model in models:
        return models[model]
    path = Path(model)
    if (path / CONFIG).is_file():
        return path
    wanted = str(model).lower()
    if len(wanted) >= _MIN_DIGEST_DIGITS and not set(wanted) - set("0123456789abcdef"):
        for folder in models.values():
            if load_checkpoint(folder).digest.startswith(wanted):
                return folder
        raise ModelError(
            f"The model with the digest {wanted[:16]}... is not here; put its folder into "
            f"{cache_dir() / 'models'} or name the folder."
        )
    if path.exists():
        raise ModelError(f"{path} is no model folder: it has no {CONFIG}.")
    raise ModelError(f"There is no model {str(model)!r}; at hand are: {', '.join(models) or 'none'}.")


def load(model: str | Path = DEFAULT_MODEL) -> Checkpoint:
    """Return a model, checked; its weights are read when they are first used.

    Parameters
    ----------
    model
        As for :func:`resolve`.
    """
    return load_checkpoint(resolve(model))
