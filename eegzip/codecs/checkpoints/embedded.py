"""Models that files carry: taken out of a checkpoint folder, and used without one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path

from eegzip.codecs.checkpoints.checkpoint import (
    Checkpoint,
    arrays_in,
    compute_digest,
    parsed_config,
    prior_content,
    refuse_other_digest,
)
from eegzip.codecs.checkpoints.weights import check_open, weights_file
from eegzip.codecs.types import FloatArray
from eegzip.formats.eegz.embedded import CONFIG, JOINT, PRIOR, WEIGHTS, embedded_file, embedded_names
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.limits import MAX_EMBEDDED_BYTES


def files_to_embed(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Files of a model, for a file to carry.

    Parameters
    ----------
    checkpoint : Checkpoint

    Returns
    -------
    dict of str to bytes
        ``config.json`` and ``model.safetensors``, and a prior and a joint decoder where the model has them, its own or
        those of the model whose weights it has.

    Raises
    ------
    UsageError
        They are larger than a file may carry.
    ModelError
        They changed meanwhile.
    """
    config, folder = checkpoint.config, checkpoint.folder
    paths = {CONFIG: folder / CONFIG, WEIGHTS: weights_file(folder)}
    if config.joint is not None:
        paths[JOINT] = folder / JOINT
    if sum(path.stat().st_size for path in paths.values()) > MAX_EMBEDDED_BYTES:
        raise _too_large(config.name)
    contents = {name: path.read_bytes() for name, path in paths.items()}
    if config.prior is not None:
        prior = prior_content(folder, config.prior)
        if prior is None:
            raise ModelError(f"the model in {folder} changed while it was being read; load it again.")
        contents[PRIOR] = prior
    if sum(map(len, contents.values())) > MAX_EMBEDDED_BYTES:
        raise _too_large(config.name)
    if _checked(contents, folder).digest != checkpoint.digest:
        raise ModelError(f"the model in {folder} changed while it was being read; load it again.")
    return contents


def _too_large(name: str) -> UsageError:
    return UsageError(
        f"the model '{name}' is larger than a file may carry ({MAX_EMBEDDED_BYTES >> 20} MiB); leave out --embed-model "
        "(embed_model) and keep the model's folder with the archive."
    )


@dataclass(frozen=True)
class EmbeddedCheckpoint(Checkpoint):
    """A checked model out of a file.

    Attributes
    ----------
    folder : Path
        The file.
    contents : mapping of str to bytes
        Of its files.
    """

    contents: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    @cached_property
    def arrays(self) -> Mapping[str, FloatArray]:
        """The weights as read-only arrays, float32."""
        return arrays_in(self.folder / WEIGHTS, self.contents[WEIGHTS])

    @cached_property
    def joint_arrays(self) -> Mapping[str, FloatArray]:
        """The weights of the joint decoder, likewise; a model without one has none."""
        return {} if self.config.joint is None else arrays_in(self.folder / JOINT, self.contents[JOINT])


def embedded_checkpoint(reader: EegzReader) -> Checkpoint | None:
    """The model that a file carries, checked as a folder's is; ``None`` where it carries none.

    Its prior is not read: the reader finds it where tokens are coded with it.

    Raises
    ------
    ModelError
        It is no model, or not the one that it says.
    ContainerError
        It is damaged, or larger than may be.
    """
    names = embedded_names(reader)
    if CONFIG not in names or WEIGHTS not in names:
        return None
    contents = {name: embedded_file(reader, name) or b"" for name in names if name != PRIOR}
    return _checked(contents, Path(str(reader.path)))


def _checked(contents: Mapping[str, bytes], folder: Path) -> EmbeddedCheckpoint:
    config, stated = parsed_config(contents[CONFIG], folder / CONFIG)
    check_open(BytesIO(contents[WEIGHTS]), len(contents[WEIGHTS]), folder / WEIGHTS)
    if config.joint is not None:
        joint = contents.get(JOINT, b"")
        if hashlib.sha256(joint).hexdigest() != config.joint.weights:
            raise ModelError(f"{folder / JOINT} is missing or not the one that {CONFIG} names.")
        check_open(BytesIO(joint), len(joint), folder / JOINT, ("F32",))
    digest = compute_digest(config, hashlib.sha256(contents[WEIGHTS]).digest())
    refuse_other_digest(digest, stated, folder)
    return EmbeddedCheckpoint(folder, config, digest, contents)
