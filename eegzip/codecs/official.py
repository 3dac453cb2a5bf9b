"""Read the official Descript Audio Codec weights, without running anything that is in the file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from eegzip.codecs.checkpoint import MAX_WEIGHT_BYTES, Checkpoint, save_checkpoint
from eegzip.codecs.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.formats.errors import ModelError, OutputError

RELEASES = "https://github.com/descriptinc/descript-audio-codec/releases/download"
# The releases whose strides are all even; 16 and 24 kHz use a stride of 5, which loses samples.
OFFICIAL = {
    "44khz-8kbps": "0.0.1/weights.pth",
    "44khz-16kbps": "1.0.0/weights_44khz_16kbps.pth",
}
# The paper runs the audio network at EEG rates: 60 frames of 512 samples are two of its 30 s windows at 512 Hz.
_WINDOW_FRAMES = 60
_CHUNK = 1 << 20


def import_descript(path: str | Path, out_dir: str | Path, rate: float = 256.0) -> Checkpoint:
    """Turn an official ``.pth`` file into an eegzip checkpoint folder.

    The file is read with torch's ``weights_only`` reader, which builds tensors and plain values and nothing
    else; its keys and shapes must be exactly those of the network that its own metadata describe.

    Parameters
    ----------
    path
        The ``.pth`` file: ``{"state_dict": ..., "metadata": {"kwargs": ...}}``.
    out_dir
        Folder to write.
    rate
        Sampling rate in Hz at which EEG is to be fed to it (the paper: 256 or 512).
    """
    import torch

    from eegzip.codecs.network import EegDac

    path = Path(path)
    kwargs, state = _read_pth(path)
    shape = _network_config(kwargs, path)
    config = ModelConfig(
        name=path.stem,
        rate=rate,
        network=shape,
        scaling=ScalingConfig(kind="fixed"),
        window_frames=_WINDOW_FRAMES,
    )
    config.check()
    with torch.device("meta"):
        network = EegDac(shape, config.rate)
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{path} does not hold the weights of the network it describes: {reason}") from error
    card = (
        f"# {config.name}\n\nDescript Audio Codec weights (MIT licence, Descript Inc.), imported from "
        f"`{path.name}`, SHA-256 {_sha256(path)}.\nTrained on audio; not yet fine-tuned on EEG.\n"
    )
    return save_checkpoint(out_dir, config, network.state_dict(), card)


def download_official(sha256: str, release: str = "44khz-8kbps", folder: str | Path | None = None) -> Path:
    """Download official weights into the cache and return the file; an interrupted download is resumed.

    Descript publishes no digests, and eegzip's authors could not fetch the files to record them. Trusting
    whatever arrives first would be no check at all, so the caller has to say what is expected.

    Parameters
    ----------
    sha256
        SHA-256 of the file in hexadecimal, from a source that you trust.
    release
        One of :data:`OFFICIAL`.
    folder
        Where to keep it; by default the cache folder (``EEGZIP_CACHE``).
    """
    expected = sha256.lower()
    if len(expected) != 64 or set(expected) - set("0123456789abcdef"):
        raise ModelError("The expected SHA-256 of the official weights must be 64 hexadecimal digits.")
    if release not in OFFICIAL:
        raise ModelError(f"There is no official release {release!r}; known are {', '.join(OFFICIAL)}.")
    folder = Path(folder) if folder is not None else cache_dir() / "descript"
    target = folder / f"{release}-{expected[:16]}.pth"
    if target.is_file() and _sha256(target) == expected:
        return target
    part = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(f"{RELEASES}/{OFFICIAL[release]}", part)
        _accept(part, target, expected)
    except urllib.error.URLError as error:
        raise ModelError(
            f"The official weights can't be downloaded ({error.reason}); fetch {RELEASES}/{OFFICIAL[release]} "
            "yourself and import the file."
        ) from error
    except ModelError:
        raise
    except OSError as error:
        raise OutputError(f"The official weights can't be kept in {folder}: {error}.") from error
    return target


def _accept(part: Path, target: Path, expected: str) -> None:
    """Give a finished download its name, or throw it away when it is not what was expected."""
    found = _sha256(part)
    if found != expected:
        part.unlink()
        raise ModelError(f"The downloaded weights have the SHA-256 {found}, not {expected}; they were thrown away.")
    part.replace(target)


def cache_dir() -> Path:
    """Return the folder for downloaded models: ``EEGZIP_CACHE``, else ``~/.cache/eegzip``."""
    stated = os.environ.get("EEGZIP_CACHE")
    if stated:
        return Path(stated)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eegzip"


def _fetch(url: str, part: Path) -> None:
    """Download ``url`` to ``part``, going on from what is there already."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        response = urllib.request.urlopen(request, timeout=60)  # noqa: S310 - a constant https address
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            # Nothing beyond what is there: it is complete, or wrong, as its digest will tell.
            error.close()
            return
        raise
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        while block := response.read(_CHUNK):
            file.write(block)
            if file.tell() > MAX_WEIGHT_BYTES:
                raise ModelError(f"The download is larger than {MAX_WEIGHT_BYTES} bytes; it was stopped.")


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _read_pth(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read metadata and state dict of a ``.pth`` file; tensors and plain values only."""
    import torch

    if not path.is_file():
        raise ModelError(f"There is no file {path}.")
    if path.stat().st_size > MAX_WEIGHT_BYTES:
        raise ModelError(f"{path} is larger than {MAX_WEIGHT_BYTES} bytes; that is no DAC checkpoint.")
    try:
        if zipfile.is_zipfile(path):
            _refuse_inflated(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        kwargs, state = content["metadata"]["kwargs"], content["state_dict"]
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than plain weights (a pickled object); it was not opened, nothing was run."
        ) from error
    except Exception as error:
        raise ModelError(f"{path} is no Descript Audio Codec checkpoint; download it again.") from error
    if not isinstance(kwargs, dict) or not isinstance(state, dict):
        raise ModelError(f"{path} is no Descript Audio Codec checkpoint; download it again.")
    if any(not isinstance(v, torch.Tensor) or v.dtype != torch.float32 for v in state.values()):
        raise ModelError(f"{path} holds something other than float32 tensors among its weights.")
    return kwargs, state


def _refuse_inflated(path: Path) -> None:
    """Refuse an archive whose members would unpack to more than eegzip loads."""
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_WEIGHT_BYTES:
            raise ModelError(f"{path} would unpack to more than {MAX_WEIGHT_BYTES} bytes.")


def _network_config(kwargs: dict[str, Any], path: Path) -> NetworkConfig:
    """Return the network that the constructor arguments in a checkpoint describe."""
    try:
        widths = {
            name: int(kwargs[name])
            for name in ("encoder_dim", "decoder_dim", "n_codebooks", "codebook_size", "codebook_dim")
            if name in kwargs
        }
        rates = {
            name: tuple(int(r) for r in kwargs[name]) for name in ("encoder_rates", "decoder_rates") if name in kwargs
        }
        latent = int(kwargs.get("latent_dim") or 0)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path} describes its network in a way that eegzip does not know.") from error
    return NetworkConfig(latent_dim=latent, **widths, **rates)  # type: ignore[arg-type]
