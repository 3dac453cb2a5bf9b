"""Examples of a step, those alike in length laid on one another, and made ahead by other processes."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from eegzip.codecs.networks.joint import Neighbours
from eegzip.training.joint.examples import Draw, Example

# Steps that each process has ready.
_AHEAD = 4


class Stack(NamedTuple):
    """Examples of one length; those of few channels are filled up with channels of nothing.

    Attributes
    ----------
    latents, decoded : Tensor, shape (examples, channels, frames, bins)
    loudness : Tensor, shape (examples, channels, frames)
    depth : Tensor of int64, shape (examples,)
    channels : Tensor of int64, shape (examples,)
        Channels of each that are its own.
    neighbours : Neighbours
        Of each example.
    """

    latents: torch.Tensor
    decoded: torch.Tensor
    loudness: torch.Tensor
    depth: torch.Tensor
    channels: torch.Tensor
    neighbours: Neighbours

    def to(self, device: torch.device) -> Stack:
        """Return it on a device."""

        def moved(part: torch.Tensor) -> torch.Tensor:
            return part.to(device, non_blocking=True)

        return Stack(
            moved(self.latents),
            moved(self.decoded),
            moved(self.loudness),
            moved(self.depth),
            moved(self.channels),
            Neighbours(*map(moved, self.neighbours)),
        )


def stacked(examples: Sequence[Example]) -> Stack:
    """Return examples of one length as a stack."""
    most = max(len(example.latents) for example in examples)

    def filled(name: str) -> torch.Tensor:
        parts = [getattr(example, name) for example in examples]
        whole = parts[0].new_zeros(len(parts), most, *parts[0].shape[1:])
        for row, part in zip(whole, parts, strict=True):
            row[: len(part)] = part
        return whole

    def between(name: str) -> torch.Tensor:
        parts = [getattr(example.neighbours, name) for example in examples]
        matrices = parts[0].dim() == 3
        # Channels of nothing have a variance of one, as its logarithm is taken, and nothing to do with any other.
        shape = (len(parts), parts[0].shape[0], most, most) if matrices else (len(parts), parts[0].shape[0], most)
        whole = parts[0].new_zeros(shape) if matrices else parts[0].new_ones(shape)
        for row, part in zip(whole, parts, strict=True):
            size = part.shape[-1]
            row[(..., slice(size), slice(size)) if matrices else (..., slice(size))] = part
        return whole

    return Stack(
        filled("latents"),
        filled("decoded"),
        filled("loudness"),
        torch.tensor([example.depth for example in examples]),
        torch.tensor([len(example.latents) for example in examples]),
        Neighbours(*(between(name) for name in Neighbours._fields)),
    )


class _Steps(Dataset[list[Stack]]):
    """The stacks of each step."""

    def __init__(self, draw: Draw, examples: int, together: bool) -> None:
        self._draw, self._examples, self._together = draw, examples, together

    def __getitem__(self, step: int) -> list[Stack]:
        examples = [self._draw(step, number) for number in range(self._examples)]
        if not self._together:
            return [stacked([example]) for example in examples]
        alike: dict[int, list[Example]] = defaultdict(list)
        for example in examples:
            alike[example.latents.shape[1]].append(example)
        return [stacked(group) for group in alike.values()]


def stacks_from(step: int, draw: Draw, examples: int, device: torch.device, workers: int) -> Iterator[list[Stack]]:
    """Give the stacks of a step and of all after it.

    Parameters
    ----------
    step
        The first.
    draw
        Gives examples.
    examples
        Of a step.
    device
        That they are for. A GPU takes those alike in length at once; on a CPU filling up would cost more than it saves.
    workers
        Processes that make them ahead for a GPU.
    """
    gpu = device.type == "cuda"
    workers = workers if gpu else 0
    return iter(
        DataLoader(
            _Steps(draw, examples, gpu),
            batch_size=None,
            sampler=range(step, sys.maxsize),
            num_workers=workers,
            prefetch_factor=_AHEAD if workers else None,
            pin_memory=gpu,
        )
    )
