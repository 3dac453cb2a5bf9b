"""Read published weights, Descript's and BioCodec's, without running anything that is in the file."""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from eegzip.codecs.checkpoints.checkpoint import Checkpoint, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.codecs.checkpoints.weights import MAX_WEIGHT_BYTES
from eegzip.codecs.extra import require_torch
from eegzip.codecs.networks import biocodec_weights
from eegzip.codecs.networks.hugging_face import is_hugging_face, network_of, read_weights, safetensors_of
from eegzip.formats.errors import ModelError
from eegzip.formats.files import sha256_of

# The paper runs the audio network at EEG rates: 60 frames of 512 samples are two of its 30 s windows at 512 Hz.
_WINDOW_FRAMES = 60
_PICKLED = (".pth", ".pt")


def is_descript(path: str | Path) -> bool:
    """Whether a path looks like weights for :func:`import_descript`, and not like an eegzip model.

    Parameters
    ----------
    path
        Of a file or a folder; it need not exist.
    """
    path = Path(path)
    return path.suffix.lower() in _PICKLED or is_hugging_face(path)


def weights_of(path: str | Path) -> Path:
    """Return the file that holds the weights which :func:`import_descript` reads from a path.

    Raises
    ------
    ModelError
        There is none.
    """
    path = Path(path)
    file = safetensors_of(path) if is_hugging_face(path) else path
    if not file.is_file():
        raise ModelError(f"There is no file {file}.")
    return file


def import_descript(path: str | Path, out_dir: str | Path, rate: float | None = None) -> Checkpoint:
    """Turn weights of the Descript Audio Codec, or of BioCodec, into an eegzip checkpoint folder.

    Descript's may be in its own layout or in that of Hugging Face's transformers. Nothing in them is run: a ``.pth``
    file is read with torch's ``weights_only`` reader, which builds tensors and plain values and nothing else. Names and
    shapes must be exactly those of the network that metadata or config describe.

    Parameters
    ----------
    path
        Descript's ``.pth`` file, ``{"state_dict": ..., "metadata": {"kwargs": ...}}``; or what
        ``transformers.DacModel.save_pretrained`` writes, its weights plain or weight-normed: the folder, or the
        ``.safetensors`` file with ``config.json`` beside it; or BioCodec's ``.pt`` file, ``{"model_state_dict": ...}``.
    out_dir
        Folder to write.
    rate
        Sampling rate in Hz at which EEG is to be fed to it (the paper on DAC: 256, which is the default, or 512);
        BioCodec knows its own.

    Raises
    ------
    ModelError
        The weights are missing, damaged, of another network, or more than plain numbers.
    OutputExistsError
        There is a model in the folder already.
    UsageError
        PyTorch or DAC's network is not installed.
    """
    require_torch("importing weights")
    import torch

    from eegzip.codecs.networks.dac import EegDac

    path = Path(path)
    file, renamed = weights_of(path), is_hugging_face(path)
    state: dict[str, torch.Tensor] = {}
    if renamed:
        shape = network_of(path)
    else:
        content = _read_pth(file)
        if biocodec_weights.published(content):
            return _import_biocodec(content[biocodec_weights.STATE], file, out_dir, rate)
        kwargs, state = _descript(content, file)
        shape = _network_config(kwargs, file)
    config = ModelConfig(
        name=file.resolve().parent.name if renamed else file.stem,
        rate=256.0 if rate is None else rate,
        network=shape,
        scaling=ScalingConfig(kind="fixed"),
        window_frames=_WINDOW_FRAMES,
    )
    config.check()
    with torch.device("meta"):
        network = EegDac(shape, config.rate)
    if renamed:
        state = read_weights(file, shape, {name: value.shape for name, value in network.state_dict().items()})
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{file} does not hold the weights of the network it describes: {reason}") from error
    whose = "in the layout of Hugging Face's transformers" if renamed else "(MIT licence, Descript Inc.)"
    card = (
        f"# {config.name}\n\nDescript Audio Codec weights {whose}, imported from `{file.name}`, "
        f"SHA-256 {sha256_of(file)}.\nTrained on audio; not yet fine-tuned on EEG.\n"
    )
    return save_checkpoint(out_dir, config, network.state_dict(), card)


def _import_biocodec(state: dict[str, Any], file: Path, out_dir: str | Path, rate: float | None) -> Checkpoint:
    """Turn BioCodec's weights into a checkpoint folder."""
    from eegzip.codecs.networks.build import build

    _check_tensors(state, file)
    config, weights = biocodec_weights.imported(state, file.stem)
    config = config if rate is None else replace(config, rate=rate)
    network = build(config)
    try:
        network.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{file} does not hold the weights of a BioCodec: {reason}") from error
    card = (
        f"# {config.name}\n\nBioCodec's published weights, imported from `{file.name}`, SHA-256 {sha256_of(file)}.\n"
        "Its codewords are what the file holds; see the paper, arXiv 2510.09095, for what it was trained on.\n"
    )
    return save_checkpoint(out_dir, config, network.state_dict(), card)


def _read_pth(path: Path) -> dict[str, Any]:
    """Read a ``.pth`` file; tensors and plain values only."""
    import torch

    if path.stat().st_size > MAX_WEIGHT_BYTES:
        raise ModelError(f"{path} is larger than {MAX_WEIGHT_BYTES} bytes; that is no DAC checkpoint.")
    try:
        if zipfile.is_zipfile(path):
            _refuse_inflated(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than plain weights (a pickled object); it was not opened, nothing was run."
        ) from error
    except Exception as error:
        raise ModelError(f"{path} is no Descript Audio Codec checkpoint; download it again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is no Descript Audio Codec checkpoint; download it again.")
    return content


def _descript(content: dict[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return constructor arguments and weights of what Descript's file holds."""
    try:
        kwargs, state = content["metadata"]["kwargs"], content["state_dict"]
    except (KeyError, TypeError, IndexError):
        kwargs = state = None
    if not isinstance(kwargs, dict) or not isinstance(state, dict):
        raise ModelError(f"{path} is no Descript Audio Codec checkpoint; download it again.")
    _check_tensors(state, path)
    return kwargs, state


def _check_tensors(state: dict[str, Any], path: Path) -> None:
    import torch

    if any(not isinstance(v, torch.Tensor) or v.dtype != torch.float32 for v in state.values()):
        raise ModelError(f"{path} holds something other than float32 tensors among its weights.")


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
