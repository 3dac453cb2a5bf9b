"""A network in training, and what goes with its weights: optimiser, moving average, use of the codebooks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.codebook_reduction import reduced
from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.formats.errors import UsageError
from eegzip.training.loop.distributed import Processes
from eegzip.training.loop.ema import WeightAverage
from eegzip.training.loop.parts import groups_by_rate
from eegzip.training.loop.step import CodecStep
from eegzip.training.quantiser import CodebookKeeper
from eegzip.training.settings.checked import TrainSettings


class TrainedModel:
    """A network with its optimiser, averages and counts, all of which begin anew.

    Parameters
    ----------
    settings
        Of the run.
    config
        Of the checkpoint.
    network
        With the weights to start from.
    processes
        Where it computes, and with whom.

    Attributes
    ----------
    codec : Module
        One pass through the network, as distributed training wraps it.
    average : WeightAverage
        What is validated and saved.
    keeper : CodebookKeeper
    """

    def __init__(
        self, settings: TrainSettings, config: ModelConfig, network: TokenNetwork, processes: Processes
    ) -> None:
        self._settings, self._processes = settings, processes
        optimiser, device = settings.optimiser, processes.device
        self.config = config
        self.network = network.to(device).train()
        quantiser = settings.quantiser
        if not optimiser.quantiser:
            quantiser = replace(quantiser, update="gradient", revive_every=0)
        elif quantiser.update == "ema":
            for quantizer in network.quantizer.quantizers:
                quantizer.codebook.weight.requires_grad_(False)
        groups = groups_by_rate(network, optimiser)
        self.optimiser = torch.optim.Adam(groups, lr=optimiser.lr, betas=(optimiser.betas[0], optimiser.betas[1]))
        self.average = WeightAverage(network, optimiser.average)
        self.keeper = CodebookKeeper(network, quantiser)
        autocast = optimiser.autocast == "bfloat16" or (optimiser.autocast == "auto" and device.type == "cuda")
        self.codec = processes.wrapped(CodecStep(network, autocast=autocast))

    def begin(self) -> None:
        """Count and average from here on, as after weights were set."""
        self.keeper.begin(self.network)
        self.average.begin(self.network)

    def merged(self, size: int) -> TrainedModel:
        """Return a model whose codebooks have `size` entries, merged from this one's by their use."""
        uses = [use.cpu().numpy() for use in self.keeper.uses]
        state, config = reduced(self.network.state_dict(), self.config, size, uses)
        network = build(config)
        network.load_state_dict(state)
        return TrainedModel(self._settings, config, network, self._processes)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {
            "codebook_size": self.config.network.codebook_size,
            "network": self.network.state_dict(),
            "average": self.average.values,
            "averaged_steps": self.average.steps,
            "optimiser": self.optimiser.state_dict(),
            "keeper": self.keeper.state(),
        }

    def resumed(self, state: dict[str, Any]) -> TrainedModel:
        """Return the model that :meth:`state` was of: this one, or one of as many codebook entries as that had."""
        model, size = self, state["codebook_size"]
        if size != self.config.network.codebook_size:
            config = replace(self.config, network=replace(self.config.network, codebook_size=size))
            model = TrainedModel(self._settings, config, build(config), self._processes)
        model.network.load_state_dict(state["network"])
        model.average.values, model.average.steps = state["average"], state["averaged_steps"]
        then, now = state["optimiser"]["param_groups"], model.optimiser.param_groups
        if [group.get("factor") for group in then] != [group["factor"] for group in now]:
            raise UsageError(
                "the run was begun with other factors on the learning rates of its parts, and what Adam remembers is "
                "theirs: resume it with the same, or start another run with --init of its last checkpoint."
            )
        model.optimiser.load_state_dict(state["optimiser"])
        model.keeper.load(state["keeper"])
        return model
