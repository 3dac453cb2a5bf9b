"""Read the official Descript Audio Codec weights, without running anything that is in the file."""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.codecs.checkpoints.weights import MAX_WEIGHT_BYTES
from eegzip.formats.errors import ModelError
from eegzip.formats.files import sha256_of

# The paper runs the audio network at EEG rates: 60 frames of 512 samples are two of its 30 s windows at 512 Hz.
_WINDOW_FRAMES = 60


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

    from eegzip.codecs.networks.dac import EegDac

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
        f"`{path.name}`, SHA-256 {sha256_of(path)}.\nTrained on audio; not yet fine-tuned on EEG.\n"
    )
    return save_checkpoint(out_dir, config, network.state_dict(), card)


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
