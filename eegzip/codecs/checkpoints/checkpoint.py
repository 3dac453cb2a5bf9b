"""A checkpoint is a folder: ``model.safetensors``, ``config.json`` and a card, ``README.md``.

It may have a prior besides, ``prior.safetensors``: integer tables that code its tokens in context. Its digest names it
for ever, so a file can say which model it needs. Reading the config and computing the digest need no torch; the weights
are read when they are asked for. Nothing in a checkpoint is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eegzip.codecs.checkpoints.config import JointConfig, ModelConfig
from eegzip.codecs.checkpoints.weights import WEIGHTS, WEIGHTS_OF, check_header, content_of, weights_file
from eegzip.codecs.types import FloatArray
from eegzip.formats.errors import ModelError, OutputError, OutputExistsError
from eegzip.formats.files import replaced, sha256_of
from eegzip.formats.json_text import parsed
from eegzip.formats.tokens.tables import MAX_PRIOR_BYTES, PRIOR, TokenPrior

if TYPE_CHECKING:
    import torch

CONFIG = "config.json"
CARD = "README.md"
JOINT = "joint.safetensors"
"""Weights of the decoder that sees all channels, where a model has one."""
MAX_JOINT_BYTES = 64 << 20
MAX_CONFIG_BYTES = 1 << 20
# Priors by digest, the last that were asked for: checking a model, coding tokens and decoding them each ask.
_parsed: OrderedDict[str, TokenPrior] = OrderedDict()
_MAX_PARSED = 2


@dataclass(frozen=True)
class Checkpoint:
    """A checked checkpoint folder.

    Attributes
    ----------
    folder : Path
        Where it lies.
    config : ModelConfig
        Its ``config.json``.
    digest : str
        SHA-256, in hexadecimal, over config and weights; see :func:`compute_digest`.
    """

    folder: Path
    config: ModelConfig
    digest: str

    @cached_property
    def state(self) -> dict[str, torch.Tensor]:
        """The weights, float32 whatever they are stored as (imports torch)."""
        import torch

        # A copy, as networks change their weights in training.
        return {name: torch.tensor(value) for name, value in self.arrays.items()}

    @cached_property
    def arrays(self) -> Mapping[str, FloatArray]:
        """The weights as read-only arrays, float32 whatever they are stored as."""
        path = weights_file(self.folder)
        check_header(path)
        content = path.read_bytes()
        if compute_digest(self.config, hashlib.sha256(content).digest()) != self.digest:
            raise ModelError(f"The model in {self.folder} changed while it was being read; load it again.")
        return arrays_in(path, content)

    @cached_property
    def joint_arrays(self) -> Mapping[str, FloatArray]:
        """The weights of the joint decoder, likewise; a model without one has none."""
        if self.config.joint is None:
            return {}
        return arrays_in(self.folder / JOINT, _read_joint(self.folder, self.config.joint.weights))

    @cached_property
    def joint_state(self) -> dict[str, torch.Tensor]:
        """The weights of the joint decoder as tensors (imports torch)."""
        import torch

        return {name: torch.tensor(value) for name, value in self.joint_arrays.items()}


def arrays_in(path: Path, content: bytes) -> dict[str, FloatArray]:
    """Return what a safetensors file holds, as float32; `path` is what to call it.

    Weights that are no numbers are refused: what they touch would be none either, without an error anywhere.
    """
    import safetensors.numpy

    try:
        found = safetensors.numpy.load(content)
    except Exception as error:
        raise ModelError(f"{path} is damaged ({error}); get the model again.") from error
    arrays = {name: value.astype(np.float32, copy=False) for name, value in found.items()}
    for name, value in arrays.items():
        if not np.isfinite(value).all():
            raise ModelError(f"{path} holds weights that are no finite numbers ({name[:60]}); get the model again.")
        value.flags.writeable = False
    return arrays


def canonical_json(data: dict[str, Any]) -> bytes:
    """Return JSON with sorted keys, no spaces, ASCII only: the same bytes for the same content.

    Parameters
    ----------
    data
        The document; an entry ``digest`` is left out.
    """
    body = {k: v for k, v in data.items() if k != "digest"}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def compute_digest(config: ModelConfig, weights_sha256: bytes) -> str:
    """Return the digest of a model: SHA-256(SHA-256(canonical config) || SHA-256(weights file)).

    Parameters
    ----------
    config
        The model's config; what counts is its full canonical form, defaults written out.
    weights_sha256
        SHA-256 of ``model.safetensors``, as 32 bytes.
    """
    config_sha256 = hashlib.sha256(canonical_json(config.to_json())).digest()
    return hashlib.sha256(config_sha256 + weights_sha256).hexdigest()


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Check a checkpoint folder and return it; the weights are read later, when asked for.

    Parameters
    ----------
    folder
        Folder with ``config.json`` and ``model.safetensors``, or a ``weights-of.txt`` in place of the latter.

    Raises
    ------
    ModelError
        It is missing, damaged, unknown, or its recorded digest is not the one of its content.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} is no eegzip model: it has no {CONFIG}.")
    weights = weights_file(folder)
    path = folder / CONFIG
    with path.open("rb") as file:
        config, stated = parsed_config(file.read(MAX_CONFIG_BYTES + 1), path)
    check_header(weights)
    if config.prior is not None and read_prior(folder, config.prior) is None:
        raise ModelError(f"{folder / PRIOR} is missing or not the one that {CONFIG} names; get the model again.")
    if config.joint is not None:
        _read_joint(folder, config.joint.weights)
    digest = compute_digest(config, bytes.fromhex(sha256_of(weights)))
    refuse_other_digest(digest, stated, folder)
    return Checkpoint(folder, config, digest)


def parsed_config(content: bytes, path: Path) -> tuple[ModelConfig, object]:
    """Read a ``config.json``: the config, and the digest that it states, if any; `path` is what to call it.

    Raises
    ------
    ModelError
        It is none.
    """
    if len(content) > MAX_CONFIG_BYTES:
        raise ModelError(f"{path} is too large to be a model's config.")
    try:
        data = parsed(content)
    except ValueError as error:
        raise ModelError(f"{path} is no JSON ({error}); get the model again.") from error
    config = ModelConfig.from_json(data)
    return config, data.get("digest")


def refuse_other_digest(digest: str, stated: object, folder: Path) -> None:
    """Refuse a model that is not the one that its config states."""
    if stated is not None and stated != digest:
        raise ModelError(
            f"The model in {folder} is not what its config.json says: the digest is {digest[:16]}..., "
            f"not {str(stated)[:16]}...; get the model again."
        )


def read_prior(folder: Path, digest: str) -> TokenPrior | None:
    """Return a model's prior, or ``None`` where there is none of this digest.

    It lies in the model's folder or, where it has none, in that of the model whose weights it has.

    Raises
    ------
    ModelError
        It has the digest but is no prior.
    """
    content = prior_content(folder, digest)
    if content is None:
        return None
    prior = _parsed.pop(digest, None) or TokenPrior(content)
    _parsed[digest] = prior
    while len(_parsed) > _MAX_PARSED:
        _parsed.popitem(last=False)
    return prior


def prior_content(folder: Path, digest: str) -> bytes | None:
    """Return the content of the file that :func:`read_prior` reads."""
    path = folder / PRIOR
    try:
        if not path.exists() and (folder / WEIGHTS_OF).is_file():
            path = weights_file(folder).parent / PRIOR
        content = content_of(path, MAX_PRIOR_BYTES)
    except (OSError, ModelError):
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None


def _read_joint(folder: Path, digest: str) -> bytes:
    """Return the content of a model's joint decoder, checked.

    Raises
    ------
    ModelError
        It is missing, too large, or another one.
    """
    path = folder / JOINT
    try:
        content = content_of(path, MAX_JOINT_BYTES)
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"{path} is missing or not the one that {CONFIG} names; get the model again.")
    check_header(path, ("F32",))
    return content


def add_joint(folder: str | Path, joint: JointConfig, state: dict[str, torch.Tensor]) -> Checkpoint:
    """Give a checkpoint a joint decoder, which makes it another one, of another digest.

    Parameters
    ----------
    folder
        Of the checkpoint; changed in place.
    joint
        Shape of the decoder; its `weights` are found here.
    state
        The decoder's weights; stored as float32.
    """
    import safetensors.torch
    import torch

    checkpoint = load_checkpoint(folder)
    tensors = {k: v.detach().to("cpu", torch.float32).contiguous() for k, v in state.items()}
    content = safetensors.torch.save(tensors)
    config = replace(checkpoint.config, joint=replace(joint, weights=hashlib.sha256(content).hexdigest()))
    try:
        _replace(checkpoint.folder / JOINT, content)
    except OSError as error:
        raise OutputError(f"The decoder can't be written to {folder}: {error.strerror}.") from error
    return rename(folder, config)


def add_prior(folder: str | Path, content: bytes) -> Checkpoint:
    """Give a checkpoint a prior, which makes it another one, of another digest.

    Parameters
    ----------
    folder
        Of the checkpoint; changed in place.
    content
        Of ``prior.safetensors``.

    Raises
    ------
    ModelError
        The checkpoint is damaged, or the prior is not for its codebooks.
    """
    checkpoint = load_checkpoint(folder)
    prior, network = TokenPrior(content), checkpoint.config.network
    if (prior.levels, prior.entries) != (network.n_codebooks, network.codebook_size):
        raise ModelError(f"The prior is not made for the codebooks of the model in {folder}.")
    try:
        _replace(checkpoint.folder / PRIOR, content)
    except OSError as error:
        raise OutputError(f"The prior can't be written to {folder}: {error.strerror}.") from error
    return rename(folder, replace(checkpoint.config, prior=prior.digest))


def rename(folder: str | Path, config: ModelConfig) -> Checkpoint:
    """Give the weights in a folder another config, which makes them another model, of another digest.

    Parameters
    ----------
    folder
        Of the checkpoint; changed in place.
    config
        Of a network with the same weights.
    """
    config.check()
    digest = compute_digest(config, bytes.fromhex(sha256_of(weights_file(Path(folder)))))
    document = json.dumps({**config.to_json(), "digest": digest}, indent=2) + "\n"
    try:
        _replace(Path(folder) / CONFIG, document.encode("ascii"))
    except OSError as error:
        raise OutputError(f"The model in {folder} can't be changed: {error.strerror}.") from error
    return load_checkpoint(folder)


def save_checkpoint(
    folder: str | Path,
    config: ModelConfig,
    state: dict[str, torch.Tensor],
    card: str | None = None,
    overwrite: bool = False,
    dtype: str = "float32",
) -> Checkpoint:
    """Write a checkpoint folder and return it, loaded.

    Parameters
    ----------
    folder
        Where to; made when missing.
    config
        The model's config. A prior that it names is not taken over: it was fitted to other weights.
    state
        The network's full state dict.
    card
        Text of the model card, in Markdown.
    overwrite
        Whether a checkpoint that is there already may be replaced.
    dtype
        What the weights are stored as, ``float32`` or ``float16``. A network computes in float32 in either case:
        with the numbers that :func:`as_stored` gives.

    Raises
    ------
    ModelError
        A weight is too large for float16.
    """
    import safetensors.torch

    folder = Path(folder)
    config = replace(config, prior=None)
    config.check()
    if (folder / CONFIG).exists() and not overwrite:
        raise OutputExistsError(f"{folder} already holds a model; choose another folder or allow overwriting.")
    content = safetensors.torch.save(_stored(state, dtype))
    digest = compute_digest(config, hashlib.sha256(content).digest())
    document = json.dumps({**config.to_json(), "digest": digest}, indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The config goes last: a folder without it is no checkpoint, so a half-written one is never taken for one.
        (folder / CONFIG).unlink(missing_ok=True)
        (folder / PRIOR).unlink(missing_ok=True)
        _replace(folder / WEIGHTS, content)
        (folder / WEIGHTS_OF).unlink(missing_ok=True)
        if card is not None:
            _replace(folder / CARD, card.encode("utf-8"))
        _replace(folder / CONFIG, document.encode("ascii"))
    except OSError as error:
        raise OutputError(f"The model can't be written to {folder}: {error.strerror}.") from error
    return load_checkpoint(folder)


def as_stored(state: dict[str, torch.Tensor], dtype: str) -> dict[str, torch.Tensor]:
    """Return weights as a checkpoint that stores them as `dtype` gives them back, float32; see `save_checkpoint`."""
    return {name: value.float() for name, value in _stored(state, dtype).items()}


def _stored(state: dict[str, torch.Tensor], dtype: str) -> dict[str, torch.Tensor]:
    import torch

    kind = {"float32": torch.float32, "float16": torch.float16}[dtype]
    tensors = {k: v.detach().to("cpu", kind).contiguous() for k, v in state.items()}
    for name, value in tensors.items():
        # Weights that were not finite before are another matter: a diverged run keeps them to be looked at.
        if kind == torch.float16 and bool(torch.isinf(value).any()) and not bool(torch.isinf(state[name]).any()):
            raise ModelError(f"The weights {name} are too large for float16; store the model as float32.")
    return tensors


def _replace(path: Path, content: bytes) -> None:
    with replaced(path) as temporary:
        temporary.write_bytes(content)
