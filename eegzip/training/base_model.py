"""The model that a stage builds on, taken over into the folder of a run: its weights are never written anew."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from eegzip.codecs.checkpoints.checkpoint import JOINT, Checkpoint, read_prior, rename
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.checkpoints.registry import BUNDLED
from eegzip.codecs.checkpoints.weights import WEIGHTS, WEIGHTS_OF, weights_file
from eegzip.formats.tokens.tables import PRIOR


class BaseModel:
    """A model, under the name of the run that builds on it.

    Parameters
    ----------
    start
        The model.
    name
        Of the new one.
    joint
        Whether its decoder of all channels comes along.
    """

    def __init__(self, start: Checkpoint, name: str, *, joint: bool = False) -> None:
        self._start, self._name, self._joint = start, name, joint
        # Found now, as a run may well write into the folder that it started from.
        self._weights = weights_file(start.folder)
        self._written = False

    def write(self, out: Path) -> None:
        """Make a folder this model, at the first call."""
        if self._written:
            return
        out.mkdir(parents=True, exist_ok=True)
        config = self._start.config
        if self._weights.parent.parent == BUNDLED:
            # Bundled weights are always at hand.
            (out / WEIGHTS).unlink(missing_ok=True)
            (out / WEIGHTS_OF).write_text(self._weights.parent.name + "\n", encoding="ascii")
        elif self._weights.resolve() != (out / WEIGHTS).resolve():
            (out / WEIGHTS_OF).unlink(missing_ok=True)
            shutil.copyfile(self._weights, out / WEIGHTS)
        if self._start.folder.resolve() != out.resolve():
            (out / PRIOR).unlink(missing_ok=True)
        if config.prior is not None and read_prior(out, config.prior) is None:
            shutil.copyfile(self._start.folder / PRIOR, out / PRIOR)
        if self._joint and config.joint is not None:
            shutil.copyfile(self._start.folder / JOINT, out / JOINT)
        rename(out, replace(config, name=self._name, joint=config.joint if self._joint else None))
        self._written = True


def same_codec(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether two models are alike but for name, prior, decoder of all channels and weights."""
    bare = [replace(config, name="", prior=None, joint=None) for config in (one, other)]
    return bare[0] == bare[1]
