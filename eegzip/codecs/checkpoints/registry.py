"""Finds models by name, digest or folder: bundled ones, downloaded ones, any folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from eegzip.codecs.checkpoints.checkpoint import CONFIG, Checkpoint, load_checkpoint
from eegzip.codecs.checkpoints.weights import BUNDLED
from eegzip.formats.errors import ModelError

DEFAULT_MODEL = "eegz-mc-2"
# Models that were bundled for a while between two releases: digest, and what took their place.
_WITHDRAWN = {"eegz-mc-1": ("6c3ede4581f9f692711148b4a5bcc27a8ee66cea5eb1f04b22467b7500e9c2bd", "eegz-mc-2")}
# Fewer hexadecimal digits than these could name two models by chance.
_MIN_DIGEST_DIGITS = 12


Models = str | Path | Sequence[str | Path] | Mapping[str, str | Path] | None
"""Names, digests or folders of models that a caller says: one, some, some by kinds of signals, or none."""


def listed(models: Models) -> tuple[str | Path, ...]:
    """Return the models that a caller says."""
    if models is None:
        return ()
    if isinstance(models, (str, Path)):
        return (models,)
    return tuple(models.values() if isinstance(models, Mapping) else models)


def cache_dir() -> Path:
    """Return the folder for downloaded models: ``EEGZIP_CACHE``, else ``~/.cache/eegzip``."""
    stated = os.environ.get("EEGZIP_CACHE")
    if stated:
        return Path(stated)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eegzip"


def _folders(parent: Path) -> Iterator[Path]:
    """Yield the checkpoint folders within a folder, by name."""
    if parent.is_dir():
        yield from (p for p in sorted(parent.iterdir()) if (p / CONFIG).is_file())


def available() -> dict[str, Path]:
    """Return the models at hand, bundled ones first, by name."""
    models: dict[str, Path] = {}
    for parent in (BUNDLED, cache_dir() / "models"):
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
    found = _found(model)
    return found.folder if isinstance(found, Checkpoint) else found


def _found(model: str | Path) -> Path | Checkpoint:
    """Return the folder of a model, or the model where its digest was what it was found by."""
    models = available()
    if isinstance(model, str) and model in models:
        return models[model]
    path = Path(model)
    if (path / CONFIG).is_file():
        return path
    wanted = str(model).lower()
    if len(wanted) >= _MIN_DIGEST_DIGITS and not set(wanted) - set("0123456789abcdef"):
        return _with_digest(wanted, models)
    if wanted in _WITHDRAWN:
        raise _withdrawn(wanted)
    if path.exists():
        raise ModelError(f"{path} is no model folder: it has no {CONFIG}.")
    raise ModelError(f"There is no model {str(model)!r}; at hand are: {', '.join(models) or 'none'}.")


def _with_digest(wanted: str, models: dict[str, Path]) -> Checkpoint:
    """Return the model whose digest begins with some digits."""
    damaged = []
    for folder in naming_first(wanted, models.values()):
        try:
            checkpoint = load_checkpoint(folder)
            if checkpoint.digest.startswith(wanted):
                return checkpoint
        except (ModelError, OSError):
            # Another model's damage is not the asker's concern, unless this is the one.
            damaged.append(folder.name)
    for name, (digest, _) in _WITHDRAWN.items():
        if digest.startswith(wanted):
            raise _withdrawn(name)
    raise ModelError(
        f"The model with the digest {wanted[:16]}... is not here; put its folder into "
        f"{cache_dir() / 'models'} or name the folder"
        + (f" (damaged, and perhaps the one: {', '.join(damaged)})." if damaged else ".")
    )


def naming_first(wanted: str, folders: Iterable[Path]) -> list[Path]:
    """Return folders of models, those first whose config names a digest that begins with some digits.

    To make sure of a digest, files of megabytes are read, which those of the other models then need not be.
    """

    def names(folder: Path) -> bool:
        try:
            return f': "{wanted}' in (folder / CONFIG).read_text("utf-8", "replace")
        except OSError:
            return False

    return sorted(folders, key=names, reverse=True)


def _withdrawn(name: str) -> ModelError:
    return ModelError(
        f"The model {name} never was in a release of eegzip, and {_WITHDRAWN[name][1]} took its place; files that were "
        f"coded with {name} need the version of eegzip that wrote them."
    )


def load(model: str | Path = DEFAULT_MODEL) -> Checkpoint:
    """Return a model, checked; its weights are read when they are first used.

    Parameters
    ----------
    model
        As for :func:`resolve`.
    """
    found = _found(model)
    return found if isinstance(found, Checkpoint) else load_checkpoint(found)
