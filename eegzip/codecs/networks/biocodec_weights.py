"""BioCodec's published weights: their names, and ours.

The file is ``{"model_state_dict": ..., "epoch": ..., "optimizer_state_dict": ...}``; of these only the first counts.
Names in it may begin with ``_orig_mod.`` (a compiled module's). Encoder and decoder are numbered as here, with one more
level of names; the quantiser has linear layers where here are convolutions of one tap, and keeps with each codebook
what its moving averages were.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from eegzip.codecs.checkpoints.config import CAUSAL, ModelConfig, NetworkConfig, ScalingConfig
from eegzip.formats.errors import ModelError

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

STATE = "model_state_dict"
_COMPILED = "_orig_mod."
_LEVEL = re.compile(r"quantizer\.vq\.layers\.(\d+)\.(.+)")
# Theirs, ours.
_LEVELS = {
    "project_in.weight": "in_proj.weight",
    "project_in.bias": "in_proj.bias",
    "project_out.weight": "out_proj.weight",
    "project_out.bias": "out_proj.bias",
    "_codebook.embed": "codebook.weight",
}
_AVERAGES = ("_codebook.embed_avg", "_codebook.cluster_size", "_codebook.inited")
# Hz, by the samples of a frame: the models of EEG and of EMG.
_RATES = {12: 250.0, 18: 1000.0}
_SECONDS = 60


def published(content: Mapping[str, object]) -> bool:
    """Whether what was read from a file is in this layout."""
    return isinstance(content.get(STATE), dict)


def imported(state: Tensors, name: str) -> tuple[ModelConfig, Tensors]:
    """Return the config and the weights, under our names, that published ones stand for.

    Parameters
    ----------
    state : dict of Tensor
        Of ``model_state_dict``.
    name : str
        Of the model.

    Raises
    ------
    ModelError
        They are not those of a BioCodec of any size.
    """
    theirs = {key.removeprefix(_COMPILED): value for key, value in state.items()}
    ours: Tensors = {}
    averages = {}
    for key, value in theirs.items():
        level = _LEVEL.fullmatch(key)
        if level is None:
            ours[key.replace(".conv.conv.", ".conv.").replace(".convtr.convtr.", ".convtr.")] = value
        elif level[2] in _LEVELS:
            linear = level[2].startswith("project") and value.ndim == 2
            place = f"quantizer.quantizers.{level[1]}.{_LEVELS[level[2]]}"
            ours[place] = value[:, :, None] if linear else value
        elif level[2] in _AVERAGES:
            averages[key] = value
        else:
            raise ModelError(f"These weights are not BioCodec's: {key} has no place in it.")
    try:
        config = _config(ours, name)
    except (KeyError, IndexError, AttributeError) as error:
        what = " ".join(str(error).split())[:200]
        raise ModelError(f"These weights are not BioCodec's: {what} is missing.") from error
    _check_averages(averages, config.network)
    return config, ours


def _config(state: Tensors, name: str) -> ModelConfig:
    """Return the config whose network has these weights."""

    def shape(key: str) -> tuple[int, ...]:
        return tuple(state[key].shape)

    direction = "parametrizations.weight.original1"
    strides: dict[str, tuple[int, ...]] = {}
    for half, kind in (("encoder", "conv"), ("decoder", "convtr")):
        pattern = re.compile(rf"{half}\.model\.(\d+)\.{kind}\.{re.escape(direction)}")
        found = sorted((int(match[1]), key) for key in state if (match := pattern.fullmatch(key)))
        # Of the encoder's convolutions the first and the last have no stride.
        sized = found if kind == "convtr" else found[1:-1]
        strides[half] = tuple(shape(key)[2] // 2 for _, key in sized)
    width = shape(f"encoder.model.0.conv.{direction}")[0]
    decoder_dim, latent, _ = shape(f"decoder.model.0.conv.{direction}")
    books = [key for key in state if key.endswith(".codebook.weight")]
    size, dim = shape(books[0])
    network = NetworkConfig(
        encoder_dim=width,
        encoder_rates=strides["encoder"],
        latent_dim=latent,
        decoder_dim=decoder_dim,
        decoder_rates=strides["decoder"],
        n_codebooks=len(books),
        codebook_size=size,
        codebook_dim=dim,
        final_tanh=False,
    )
    network.check(causal=True)
    rate = _RATES.get(network.hop, 250.0)
    return ModelConfig(
        name=name,
        rate=rate,
        network=network,
        scaling=ScalingConfig(kind="robust", level_rms=0.75, level_peak=10.0),
        window_frames=round(_SECONDS * rate / network.hop),
        architecture=CAUSAL,
    )


def _check_averages(averages: Tensors, network: NetworkConfig) -> None:
    """Refuse moving averages that are not those of the codebooks; they are of no use here, but must be there."""
    shapes = {
        "_codebook.embed_avg": (network.codebook_size, network.codebook_dim),
        "_codebook.cluster_size": (network.codebook_size,),
        "_codebook.inited": (1,),
    }
    wanted = {
        f"quantizer.vq.layers.{level}.{name}": shape
        for level in range(network.n_codebooks)
        for name, shape in shapes.items()
    }
    found = {name: tuple(value.shape) for name, value in averages.items()}
    if found != wanted:
        odd = sorted(set(found.items()) ^ set(wanted.items()))[0][0]
        raise ModelError(f"These weights are not BioCodec's: {odd} is missing or of another size.")
