"""Find, load and import models.

Models are named by a bundled name, a folder, or the digest that a file carries. Nothing here imports torch
until weights are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eegzip.codecs.checkpoints.checkpoint import CARD, CONFIG, Checkpoint, load_checkpoint
from eegzip.codecs.checkpoints.config import bits_per_second
from eegzip.codecs.checkpoints.download import OFFICIAL, download_official
from eegzip.codecs.checkpoints.registry import BUNDLED, DEFAULT_MODEL, available, cache_dir, load, resolve
from eegzip.codecs.checkpoints.weights import weights_file
from eegzip.codecs.extra import require_torch
from eegzip.codecs.networks.official_weights import import_descript, is_descript, weights_of
from eegzip.formats.errors import ModelError, OutputExistsError
from eegzip.formats.files import sha256_of

__all__ = [
    "DEFAULT_MODEL",
    "OFFICIAL",
    "Checkpoint",
    "ModelDescription",
    "available",
    "cache_dir",
    "card",
    "describe",
    "describe_all",
    "download_official",
    "fetch_official",
    "import_descript",
    "imported",
    "is_descript",
    "load",
    "resolve",
]

_MAX_CARD_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelDescription:
    """A model in figures; all but name, place and size are ``None`` for a damaged one.

    Attributes
    ----------
    name : str
        What ``--model`` takes: a bundled or cached name, else the folder.
    where : str
        ``bundled``, ``cached`` or ``folder``.
    folder : str
    size : int
        Bytes of its weights; 0 where there are none.
    problem : str or None
        Why it can't be used.
    title : str or None
        The name in its config.
    architecture : str or None
        ``dac-sc`` or ``dac-mc``.
    channels : int or None
        Channels that share a stream of tokens, at most; 1 for DAC-SC.
    rate : float or None
        Of the network's input, in Hz.
    hop, codebooks, codebook_size : int or None
    stream_bits_per_second, channel_bits_per_second : float or None
        Of a stream of tokens at full depth, and of each channel of a full group.
    scaling : str or None
        The default way, ``adaptive`` or ``fixed``.
    digest : str or None
        SHA-256 over config and weights, in hexadecimal.
    """

    name: str
    where: str
    folder: str
    size: int = 0
    problem: str | None = None
    title: str | None = None
    architecture: str | None = None
    channels: int | None = None
    rate: float | None = None
    hop: int | None = None
    codebooks: int | None = None
    codebook_size: int | None = None
    stream_bits_per_second: float | None = None
    channel_bits_per_second: float | None = None
    scaling: str | None = None
    digest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the description as JSON knows it."""
        return asdict(self)


def describe(model: str | Path = DEFAULT_MODEL) -> ModelDescription:
    """Return what a model is, in figures; reads no weights beyond their digest.

    Parameters
    ----------
    model
        As for :func:`resolve`.

    Raises
    ------
    ModelError
        There is no such model; a damaged one is described, with its ``problem``.
    """
    folder = resolve(model)
    for where, parent in (("bundled", BUNDLED), ("cached", cache_dir() / "models")):
        if folder.parent == parent:
            return _described(folder.name, where, folder)
    return _described(str(folder), "folder", folder)


def describe_all() -> list[ModelDescription]:
    """Return the models at hand, bundled ones first; damaged ones too."""
    return [describe(name) for name in available()]


def card(model: str | Path = DEFAULT_MODEL) -> str:
    """Return the text of a model's card, its front matter left out; empty where it has none.

    Parameters
    ----------
    model
        As for :func:`resolve`.
    """
    path = resolve(model) / CARD
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CARD_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ModelError(f"The card {path} can't be read: {error.strerror}.") from error
    text = text.replace("\r\n", "\n")
    # Control characters could rewrite the terminal of whoever looks at a stranger's model.
    text = "".join(c for c in text if c in "\n\t" or c.isprintable())
    if text.startswith("---\n"):
        _, found, body = text[4:].partition("\n---\n")
        text = body if found else text
    return text.strip("\n")


def fetch_official(
    sha256: str | None = None,
    release: str = "44khz-8kbps",
    folder: str | Path | None = None,
    rate: float = 256.0,
    progress: Callable[[int, int | None], None] | None = None,
) -> Checkpoint:
    """Download official audio weights and make them a model.

    Parameters
    ----------
    sha256, release, progress
        As for :func:`download_official`.
    folder
        Where to; by default into the cache, as the model ``dac-RELEASE``.
    rate
        Sampling rate in Hz at which EEG is to be fed to it (the paper: 256 or 512).

    Raises
    ------
    OutputExistsError
        There is a model in the folder already.
    """
    target = Path(folder) if folder is not None else cache_dir() / "models" / f"dac-{release}"
    if (target / CONFIG).exists():
        raise OutputExistsError(f"{target} already holds a model; choose another folder or remove it.")
    require_torch("importing weights")
    return import_descript(download_official(sha256, release, progress=progress), target, rate)


def imported(path: str | Path) -> Checkpoint:
    """Return the model that Descript's weights make, which is kept in the cache for the next time.

    Parameters
    ----------
    path
        As for :func:`import_descript`.

    Raises
    ------
    ModelError
        As :func:`import_descript` does.
    """
    file = weights_of(path)
    # By content: many files have the same name, model.safetensors above all.
    folder = cache_dir() / "imported" / sha256_of(file)
    return load(folder) if (folder / CONFIG).is_file() else import_descript(path, folder)


def _described(name: str, where: str, folder: Path) -> ModelDescription:
    """Describe the model in a folder."""
    try:
        size = weights_file(folder).stat().st_size
    except (ModelError, OSError):
        size = 0
    try:
        checkpoint = load_checkpoint(folder)
    except ModelError as error:
        return ModelDescription(name, where, str(folder), size, str(error))
    except OSError as error:
        return ModelDescription(name, where, str(folder), size, f"It can't be read: {error.strerror}.")
    config = checkpoint.config
    channels = 1 if config.adapters is None else config.adapters.max_channels
    return ModelDescription(
        name=name,
        where=where,
        folder=str(folder),
        size=size,
        title=config.name,
        architecture=config.architecture,
        channels=channels,
        rate=config.rate,
        hop=config.network.hop,
        codebooks=config.network.n_codebooks,
        codebook_size=config.network.codebook_size,
        stream_bits_per_second=bits_per_second(config),
        channel_bits_per_second=bits_per_second(config) / channels,
        scaling=config.scaling.kind,
        digest=checkpoint.digest,
    )
