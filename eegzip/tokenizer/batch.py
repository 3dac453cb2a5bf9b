"""Tokens and scales of the recordings of a batch as one tensor, and tensors as the codec takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from eegzip.formats.errors import ModelError, UsageError
from eegzip.formats.tokens.packed import ABSENT
from eegzip.tokenizer.encoding import Coded
from eegzip.tokenizer.samples import Layout
from eegzip.tokenizer.scales import Scales


def gathered(coded: Sequence[Coded], rows: int, frames: int, vocabulary: int) -> torch.Tensor:
    """Return int64 codes [B, rows, K, frames] of recordings that may have fewer streams, and less deep ones.

    Parameters
    ----------
    coded : sequence of Coded
    rows, frames : int
        Of each recording.
    vocabulary : int
        Entries of a codebook.
    """
    depth = max(max(each.codes.shape[1] for each in coded), 1)
    result = np.full((len(coded), rows, depth, frames), -1, np.int64)
    for number, each in enumerate(coded):
        groups = each.header.groups
        # Streams of single signals are at the places of these: of components those of flat channels are missing.
        alone = all(len(group.signals) == 1 for group in groups)
        places = [group.signals[0] for group in groups] if alone else list(range(len(groups)))
        if places:
            result[number, places, : each.codes.shape[1]] = each.codes
    if vocabulary <= ABSENT:
        result[result == ABSENT] = -1
    return torch.from_numpy(result)


def scales_of(coded: Sequence[Coded], layout: Layout) -> Scales:
    """Return what was found of recordings beside their tokens."""
    shape = (len(coded), len(layout.names))
    steps, centres, limits = np.ones(shape), np.zeros(shape), np.zeros((*shape, 2))
    knots = np.zeros((*shape, max(each.knots.shape[1] for each in coded), 2), np.int64)
    klts = []
    for number, each in enumerate(coded):
        header = each.header
        knots[number, :, : each.knots.shape[1]] = each.knots
        # A flat channel without tokens is its one value throughout.
        centres[number] = [signal.centre for signal in each.statistics]
        limits[number] = [(signal.lowest, signal.highest) for signal in each.statistics]
        for group in header.groups:
            members = list(group.signals)
            steps[number, members], centres[number, members] = group.ranges, group.centres
            limits[number, members] = np.stack([group.lowest, group.highest], axis=1)
        klts.append(tuple((tuple(header.groups[g].signals[0] for g in klt.groups), klt) for klt in header.klts))
    return Scales(
        channel_names=layout.names,
        sample_rate=layout.rate,
        n_samples=layout.n_samples,
        knots=knots,
        steps=steps,
        centres=centres,
        limits=limits,
        gains=layout.gains,
        offsets=layout.offsets,
        klts=tuple(klts),
    )


def packed(codes: torch.Tensor, model: str, codebooks: int, vocabulary: int) -> npt.NDArray[np.uint16]:
    """Return codes [B, G, k, F] as the codec takes them.

    Parameters
    ----------
    codes : Tensor of int
    model : str
        Name, for errors.
    codebooks, vocabulary : int
        Of the model.

    Raises
    ------
    UsageError
        The shape does not fit.
    ModelError
        A token is beyond the vocabulary.
    """
    if codes.ndim != 4 or not codes.numel() or codes.is_floating_point() or not 1 <= codes.shape[2] <= codebooks:
        raise UsageError(
            f"codes must be a tensor of integers [recordings, rows, 1 to {codebooks} codebooks, frames]; this one is "
            f"of {codes.dtype}, {list(codes.shape)}."
        )
    values = codes.detach().cpu().numpy()
    if int(values.min()) < -1 or int(values.max()) >= vocabulary:
        raise ModelError(
            f"tokens of {model} are 0 to {vocabulary - 1}, and -1 for none; these are {values.min()} to {values.max()}."
        )
    return np.where(values < 0, ABSENT, values).astype(np.uint16)
