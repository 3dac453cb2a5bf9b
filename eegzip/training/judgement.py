"""Files of people held out, made with two models: what an error costs with either."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegzip.arrays import compress_array
from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.formats.errors import EegzipError
from eegzip.training.prior.pieces import chosen_parts, excerpt
from eegzip.training.segments.prepared import draws_of
from eegzip.training.segments.recordings import Part

if TYPE_CHECKING:
    from eegzip.progress import Progress

_DEPTHS = (3, 8, 24)
_RECORDINGS = 4
_MINUTES = 1.0
_TINY = 1e-9

Curve = dict[int, tuple[float, float]]
"""Mean logarithms of bytes a second and of PRD, by depth."""


@dataclass(frozen=True)
class Judgement:
    """Two models beside each other on people held out.

    Attributes
    ----------
    change_percent : float
        By how much the second one's PRD differs at equal bytes: a geometric mean over sets and depths.
    table : dict
        By set and depth: bytes a second and PRD in percent of either.
    """

    change_percent: float
    table: dict[str, dict[str, tuple[float, float]]]


def judged(
    before: Checkpoint, after: Checkpoint, parts: Sequence[Part], seed: int, progress: Progress | None = None
) -> Judgement:
    """Return what two models make of a minute of some recordings held out, at three depths each.

    Parameters
    ----------
    before, after
        The models.
    parts
        Of recordings; those that are held out count.
    seed
        Of the choice.
    progress
        Called with what is done, how much, and of how much.
    """
    chosen = chosen_parts([part for part in parts if part.held_out], _RECORDINGS, seed)
    depths = [d for d in _DEPTHS if d <= min(m.config.network.n_codebooks for m in (before, after))]
    points: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
        target = Path(folder) / "judged.eegz"
        for number, part in enumerate(chosen, 1):
            try:
                x, rate, labels = excerpt(part, _MINUTES, draws_of(part, seed, 0))
            except EegzipError:  # skipped when it was trained with, too
                continue
            for name, model in (("before", before), ("after", after)):
                for depth in depths:
                    report = compress_array(
                        x, rate, labels, target, model=model.folder, codebooks=depth, overwrite=True, **part.coding
                    )
                    size = sum(signal.stored_bytes for signal in report.signals) / (x.shape[1] / rate)
                    errors = [signal.prd for signal in report.signals if signal.prd is not None]
                    points[part.group, name, depth].append((math.log(size), math.log(float(np.mean(errors)) + _TINY)))
            if progress is not None:
                progress("judging files", number, len(chosen))
    curves: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(dict))
    for (group, name, depth), found in points.items():
        size, error = np.mean(found, axis=0)
        curves[group][name][depth] = (float(size), float(error))
    changes = [change for each in curves.values() for change in _at_equal_bytes(each["before"], each["after"])]
    table = {
        f"{group} {depth}": {name: (math.exp(each[name][depth][0]), math.exp(each[name][depth][1])) for name in each}
        for group, each in curves.items()
        for depth in depths
    }
    return Judgement(100 * (math.exp(float(np.mean(changes))) - 1), table)


def _at_equal_bytes(before: Curve, after: Curve) -> list[float]:
    """Return by how much the logarithm of the PRD differs at the bytes of each point of the first curve."""
    sizes, errors = (np.array([after[depth][which] for depth in sorted(after)]) for which in (0, 1))
    found = []
    for size, error in before.values():
        if len(sizes) == 1:
            found.append(float(errors[0] - error))
            continue
        # The straight line through the two points around it, or the two nearest.
        right = int(np.clip(np.searchsorted(sizes, size), 1, len(sizes) - 1))
        slope = (errors[right] - errors[right - 1]) / max(sizes[right] - sizes[right - 1], _TINY)
        found.append(float(errors[right - 1] + slope * (size - sizes[right - 1]) - error))
    return found
