"""Validations of a run: the averaged weights are measured, and kept where they are the best so far."""

from __future__ import annotations

from pathlib import Path

from eegzip.codecs.checkpoints.checkpoint import as_stored, save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.loop.history import History
from eegzip.training.loop.model import TrainedModel
from eegzip.training.validation.windows import Validation


class Validator:
    """Measures models on subjects held out, and writes the best one into the folder of the run.

    Parameters
    ----------
    validation
        The windows.
    history
        Knows the best so far, and writes the log.
    out
        Folder of the run.
    dtype
        What its checkpoints store: the weights are rounded to it first, so that what is measured is what is kept.
    """

    def __init__(self, validation: Validation, history: History, out: Path, dtype: str) -> None:
        self._validation, self._history, self._out, self._dtype = validation, history, out, dtype
        self._network: tuple[ModelConfig, TokenNetwork] | None = None

    def __call__(self, model: TrainedModel, step: int, spent: float) -> None:
        """Validate a model after so many steps and seconds."""
        if self._network is None or self._network[0] != model.config:
            device = next(model.network.parameters()).device
            self._network = (model.config, build(model.config).to(device).eval().requires_grad_(False))
        network = self._network[1]
        network.load_state_dict(as_stored(model.average.values, self._dtype))
        if self._history.validated(step, spent, self._validation.measure(network)):
            save_checkpoint(self._out, model.config, model.average.values, overwrite=True, dtype=self._dtype)
