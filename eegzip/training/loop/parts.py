"""The parts of a network, each of which may learn at a rate of its own, or not at all."""

from __future__ import annotations

from typing import Any

from torch import nn

from eegzip.training.settings.sections import PARTS, OptimiserSettings

_BY_NAME = {"encoder": "encoder", "quantizer": "quantiser", "decoder": "decoder"}


def part_of(name: str) -> str:
    """Return the part that a parameter belongs to, by its name.

    What is neither encoder, quantiser nor decoder is ``channels``: DAC-MC's attention, projection and styles (paper,
    section 2.2).
    """
    return _BY_NAME.get(name.split(".")[0], "channels")


def makes_the_same_tokens(settings: OptimiserSettings) -> bool:
    """Whether all that tokens depend on is frozen, so that they, and what codes them, stay those of the start."""
    return not (settings.encoder or settings.channels or settings.quantiser)


def groups_by_rate(network: nn.Module, settings: OptimiserSettings) -> list[dict[str, Any]]:
    """Return the parameters to train as groups for an optimiser, each with its ``factor`` on the learning rate.

    Parameters that don't learn, by their own mark or by a factor of 0, are in no group, and marked.
    """
    factors = {part: getattr(settings, part) for part in PARTS}
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        factor = factors[part_of(name)]
        if not factor:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            groups.setdefault(factor, []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
