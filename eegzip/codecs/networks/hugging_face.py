"""DAC as Hugging Face's transformers keep it: ``config.json`` and ``model.safetensors`` of a ``DacModel``.

It is Descript's network under other names. Its convolutions have plain weights, or Descript's lengths and directions
(weight norm) under either of the two spellings that torch has had for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegzip.codecs.checkpoints.checkpoint import CONFIG, MAX_CONFIG_BYTES
from eegzip.codecs.checkpoints.config import FORMAT, NetworkConfig
from eegzip.codecs.checkpoints.schema import WrongTypeError, typed
from eegzip.codecs.checkpoints.weights import WEIGHTS, check_header, content_of
from eegzip.formats.errors import ModelError
from eegzip.formats.json_text import parsed

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

_INT, _INTS = "int", "tuple[int, ...]"
# Ours, theirs, the type. What a config leaves out is DacConfig's default, which is Descript's and so NetworkConfig's.
_ENTRIES = (
    ("encoder_dim", "encoder_hidden_size", _INT),
    ("encoder_rates", "downsampling_ratios", _INTS),
    ("decoder_dim", "decoder_hidden_size", _INT),
    ("decoder_rates", "upsampling_ratios", _INTS),
    ("latent_dim", "hidden_size", _INT),
    ("n_codebooks", "n_codebooks", _INT),
    ("codebook_size", "codebook_size", _INT),
    ("codebook_dim", "codebook_dim", _INT),
)
_LENGTH, _DIRECTION = "weight_g", "weight_v"
_KINDS = ("alpha", "weight", _LENGTH, _DIRECTION, "bias")
_SPELLINGS = {
    "parametrizations.weight.original0": _LENGTH,
    "parametrizations.weight.original1": _DIRECTION,
}
_UNIT = {"snake1": 0, "conv1": 1, "snake2": 2, "conv2": 3}
_MAX_NAMED = 4


def is_hugging_face(path: Path) -> bool:
    """Whether a path looks like a model in this layout: a safetensors file, or a folder with another's config."""
    if path.suffix.lower() == ".safetensors":
        return True
    try:
        config = _config(path)
    except ModelError:
        return False
    return "model_type" in config and config.get("format") != FORMAT


def safetensors_of(path: Path) -> Path:
    """Return the safetensors file of a model in this layout, given that file or its folder.

    Raises
    ------
    ModelError
        There is none.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise ModelError(
            f"{path} has no {WEIGHTS}; no other file of weights is opened. Save the model again with save_pretrained."
        )
    raise ModelError(f"There is no file {path}.")


def network_of(path: Path) -> NetworkConfig:
    """Return the network that the config of a model in this layout describes.

    Parameters
    ----------
    path
        The model's folder, or the safetensors file in it.

    Raises
    ------
    ModelError
        There is no config, it is another kind of model, or it says something that no DAC has.
    """
    folder = path if path.is_dir() else path.parent
    config = _config(folder)
    if config.get("format") == FORMAT:
        raise ModelError(f"{folder} is an eegzip model already; name it as it is.")
    kind = config.get("model_type")
    if kind != "dac":
        raise ModelError(f"{folder / CONFIG} describes a model of the type {str(kind)[:80]!r}; only 'dac' is known.")
    values: dict[str, Any] = {}
    for ours, theirs, wanted in _ENTRIES:
        if config.get(theirs) is None:
            continue
        try:
            values[ours] = typed(wanted, config[theirs])
        except WrongTypeError as error:
            raise ModelError(f"{theirs} in {folder / CONFIG} is not of the type {error.kind}.") from error
    if "encoder_rates" in values:
        values.setdefault("decoder_rates", values["encoder_rates"][::-1])
    shape = NetworkConfig(**values)
    shape.check()
    return shape


def read_weights(path: Path, shape: NetworkConfig, expected: Mapping[str, torch.Size]) -> Tensors:
    """Return the weights of a model in this layout under Descript's names.

    Parameters
    ----------
    path
        The safetensors file.
    shape
        The network that its config describes.
    expected
        Descript's names of that network's weights, and the shapes that they must have.

    Raises
    ------
    ModelError
        The file is damaged, lacks a weight, has one more, or one of another shape.
    """
    import safetensors.torch
    import torch

    check_header(path, ("F32", "F16", "BF16"))
    try:
        found = safetensors.torch.load(path.read_bytes())
    except Exception as error:
        raise ModelError(f"{path} is damaged ({error}); get it again.") from error
    names = {_spelt_as_descript(name): name for name in found}
    places = _places(shape, expected, names)
    wrong_shapes = [
        f"{names[theirs]} is {list(found[names[theirs]].shape)}, not {list(expected[ours])}"
        for theirs, ours in places.items()
        if theirs in names and found[names[theirs]].shape != expected[ours]
    ]
    problem = (
        _sentence("it lacks {}", [name for name in places if name not in names])
        or _sentence("it has {}, for which there is no place", sorted(names[name] for name in names.keys() - places))
        or _sentence("{}", wrong_shapes)
    )
    if problem:
        raise ModelError(f"{path} does not hold the weights of the network that its {CONFIG} describes: {problem}.")
    state: Tensors = {}
    for theirs, ours in places.items():
        state[ours] = found[names[theirs]].to(torch.float32)
        module, _, kind = ours.rpartition(".")
        if kind == _DIRECTION and theirs.endswith(".weight"):
            state[f"{module}.{_LENGTH}"], state[ours] = _length_and_direction(state[ours])
    return state


def _places(shape: NetworkConfig, expected: Collection[str], found: Collection[str]) -> dict[str, str]:
    """Return where each weight that a model must have goes; a plain one goes where its direction will be."""
    places = {}
    for theirs, ours in _modules(shape):
        kinds = [kind for kind in _KINDS if f"{ours}.{kind}" in expected]
        if _DIRECTION in kinds and not {f"{theirs}.{_LENGTH}", f"{theirs}.{_DIRECTION}"} & set(found):
            kinds = [kind for kind in kinds if kind not in (_LENGTH, _DIRECTION)]
            places[f"{theirs}.weight"] = f"{ours}.{_DIRECTION}"
        places.update({f"{theirs}.{kind}": f"{ours}.{kind}" for kind in kinds})
    return places


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = parsed(content_of(path, MAX_CONFIG_BYTES))
    except FileNotFoundError as error:
        raise ModelError(f"There is no {CONFIG} in {folder}, where the shape of the network should stand.") from error
    except OSError as error:
        raise ModelError(f"{path} can't be read as a model's config ({error.strerror}).") from error
    except ValueError as error:
        raise ModelError(f"{path} is no JSON ({error}); get the model again.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is no model's config.")
    return config


def _spelt_as_descript(name: str) -> str:
    """Return the name of a weight with its length or direction in torch's older spelling, which Descript has."""
    for theirs, ours in _SPELLINGS.items():
        if name.endswith(f".{theirs}"):
            return name.removesuffix(theirs) + ours
    return name


def _length_and_direction(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return g and v of the weight norm that has this weight."""
    import torch

    length = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)
    # Weight norm divides by the length of v: a row of zeros has no direction, and any will do.
    return length, torch.where(length == 0, torch.ones_like(weight), weight)


def _modules(shape: NetworkConfig) -> Iterator[tuple[str, str]]:
    """Yield the names of all modules that have weights: transformers', Descript's."""
    last = len(shape.encoder_rates) + 1
    yield "encoder.conv1", "encoder.block.0"
    for i in range(len(shape.encoder_rates)):
        theirs, ours = f"encoder.block.{i}", f"encoder.block.{i + 1}.block"
        for unit in range(3):
            yield from _unit(f"{theirs}.res_unit{unit + 1}", f"{ours}.{unit}.block")
        yield f"{theirs}.snake1", f"{ours}.3"
        yield f"{theirs}.conv1", f"{ours}.4"
    yield "encoder.snake1", f"encoder.block.{last}"
    yield "encoder.conv2", f"encoder.block.{last + 1}"
    for i in range(shape.n_codebooks):
        for part in ("in_proj", "out_proj", "codebook"):
            yield f"quantizer.quantizers.{i}.{part}", f"quantizer.quantizers.{i}.{part}"
    last = len(shape.decoder_rates) + 1
    yield "decoder.conv1", "decoder.model.0"
    for i in range(len(shape.decoder_rates)):
        theirs, ours = f"decoder.block.{i}", f"decoder.model.{i + 1}.block"
        yield f"{theirs}.snake1", f"{ours}.0"
        yield f"{theirs}.conv_t1", f"{ours}.1"
        for unit in range(3):
            yield from _unit(f"{theirs}.res_unit{unit + 1}", f"{ours}.{unit + 2}.block")
    yield "decoder.snake1", f"decoder.model.{last}"
    yield "decoder.conv2", f"decoder.model.{last + 1}"


def _unit(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    for name, number in _UNIT.items():
        yield f"{theirs}.{name}", f"{ours}.{number}"


def _sentence(words: str, names: list[str]) -> str:
    """Return a sentence about some of the names; none where there are none."""
    more = len(names) - _MAX_NAMED
    listed = ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
    return words.format(listed) if names else ""
