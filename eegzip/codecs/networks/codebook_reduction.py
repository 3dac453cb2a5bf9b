"""Fewer codebook entries, or fewer codebooks, out of a trained model (section 2.1 of the paper).

Entries are merged in pairs, each time the pair that costs least: merging codewords a and b that are used n and m times
raises the total squared error by nm / (n + m) * |a - b|^2 when their weighted mean takes their place (Ward's criterion;
as a way to make codebooks, Equitz's pairwise nearest neighbour of 1989). Libraries cluster by that criterion without
the uses, which would give a codeword that nothing chooses the same say as the most frequent one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegzip.codecs.checkpoints.config import ModelConfig
from eegzip.formats.errors import ModelError

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.float64]

# Costs of all pairs are held at once: half a gigabyte at this size.
_MAX_ENTRIES = 8192
# What an unused entry weighs beside an average one: enough to have a place, too little to move another's.
_UNUSED = 1e-6


def codebook_key(level: int) -> str:
    """Return the name of a level's codebook in a state dict."""
    return f"quantizer.quantizers.{level}.codebook.weight"


def reduced(
    state: Mapping[str, torch.Tensor],
    config: ModelConfig,
    size: int,
    uses: Sequence[npt.NDArray[np.generic]] | None = None,
) -> tuple[dict[str, torch.Tensor], ModelConfig]:
    """Return weights and config with the most similar entries of each codebook merged.

    Parameters
    ----------
    state
        The network's state dict.
    config
        Its config.
    size
        Entries that each codebook shall have.
    uses
        How often each entry of each level was chosen; by default all count alike.

    Returns
    -------
    state : dict
        New codebooks, everything else as given. With `uses` entries are in the order of their use, the most frequent
        first; otherwise in the order of the first entry that went into each.
    config : ModelConfig

    Raises
    ------
    ModelError
        The codebooks are smaller than that, or too large to be compared pair by pair.

    Notes
    -----
    Similar means near to the search: by Euclidean distance, or, where DAC's search by cosine chooses, by that of the
    entries brought to length 1. A merged entry is the mean of its members themselves, weighted by their use.
    """
    import torch

    shape = config.network
    if not 2 <= size <= shape.codebook_size:
        raise ModelError(f"Codebooks of {shape.codebook_size} entries can be reduced to 2 to that many, not {size}.")
    if shape.codebook_size > _MAX_ENTRIES:
        raise ModelError(f"Only codebooks of up to {_MAX_ENTRIES} entries can be reduced, not {shape.codebook_size}.")
    if uses is not None and [np.shape(use) for use in uses] != [(shape.codebook_size,)] * shape.n_codebooks:
        raise ModelError(f"There must be {shape.codebook_size} uses for each of the {shape.n_codebooks} codebooks.")
    result = dict(state)
    for level in range(shape.n_codebooks if size < shape.codebook_size else 0):
        book = state[codebook_key(level)]
        entries = book.detach().to("cpu", torch.float64).numpy()
        weights = _weights(uses[level]) if uses is not None else np.ones(len(entries))
        places = entries
        if shape.search == "cosine":
            places = entries / np.maximum(np.linalg.norm(entries, axis=1, keepdims=True), 1e-12)
        members = merged(places, weights, size)
        totals = np.bincount(members, weights, size)
        means = np.zeros((size, entries.shape[1]))
        np.add.at(means, members, entries * weights[:, None])
        means /= totals[:, None]
        if uses is not None:
            means = means[np.argsort(-totals, kind="stable")]
        result[codebook_key(level)] = torch.from_numpy(means).to(book)
    return result, replace(config, network=replace(shape, codebook_size=size))


def first_codebooks(
    state: Mapping[str, torch.Tensor], config: ModelConfig, k: int
) -> tuple[dict[str, torch.Tensor], ModelConfig]:
    """Return weights and config of the same model with its first codebooks only.

    Parameters
    ----------
    state
        The network's state dict.
    config
        Its config.
    k
        Codebooks to keep.

    Raises
    ------
    ModelError
        There are not so many.
    """
    shape = config.network
    if not 1 <= k <= shape.n_codebooks:
        raise ModelError(f"The model has {shape.n_codebooks} codebooks; the first {k} can't be taken.")
    left_out = tuple(f"quantizer.quantizers.{level}." for level in range(k, shape.n_codebooks))
    kept = {name: value for name, value in state.items() if not name.startswith(left_out)}
    return kept, replace(config, network=replace(shape, n_codebooks=k))


def merged(places: FloatArray, weights: FloatArray, size: int) -> npt.NDArray[np.int64]:
    """Return which of `size` clusters each point belongs to.

    Parameters
    ----------
    places
        Points [N, d].
    weights
        Their weights [N], positive.
    size
        Clusters wanted, 1 to N. They are numbered by their first points.
    """
    places, weights = places.copy(), weights.copy()
    owner = np.arange(len(places))
    squares = np.square(places).sum(1)
    costs = np.maximum(squares[:, None] + squares[None] - 2 * places @ places.T, 0)
    costs *= weights[:, None] * weights[None] / (weights[:, None] + weights[None])
    np.fill_diagonal(costs, np.inf)
    partner, least = costs.argmin(1), costs.min(1)
    for _ in range(len(places) - size):
        pair = int(least.argmin())
        keep, gone = sorted((pair, int(partner[pair])))
        total = weights[keep] + weights[gone]
        places[keep] += (places[gone] - places[keep]) * (weights[gone] / total)
        weights[keep] = total
        owner[owner == gone] = keep
        costs[gone], costs[:, gone], least[gone] = np.inf, np.inf, np.inf
        row = np.square(places - places[keep]).sum(1) * (weights * total / (weights + total))
        row[~np.isfinite(least)] = np.inf
        row[keep] = np.inf
        costs[keep], costs[:, keep] = row, row
        # Whose partner is one of the two has to look again; to the others the merged entry may have come nearer.
        again = np.flatnonzero(np.isfinite(least) & ((partner == keep) | (partner == gone)))
        again = np.union1d(again, [keep])
        partner[again], least[again] = costs[again].argmin(1), costs[again].min(1)
        nearer = row < least
        partner[nearer], least[nearer] = keep, row[nearer]
    return np.unique(owner, return_inverse=True)[1].astype(np.int64)


def _weights(use: npt.NDArray[np.generic]) -> FloatArray:
    """Return positive weights, 1 on average, from counts."""
    counts = np.asarray(use, np.float64)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ModelError("The uses of codebook entries must be counts.")
    mean = float(counts.mean())
    return counts / mean + _UNUSED if mean > 0 else np.ones(len(counts))
