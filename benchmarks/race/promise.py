"""A rival held to what error targets promise: every channel, in every chunk, within the bound.

`eegzip compress --max-prd` promises that, where a rival's settings only lead to some mean over channels. So for each
target the rival's coarsest step is looked for that keeps the promise too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from eegzip.encoding.options import DEFAULT_CHUNK_SECONDS

_TRIALS = 4
"""Steps tried for a target; the one found is within about a hundredth of the coarsest."""


EVERY_CHANNEL = "every channel"
"""How the names of settings begin that keep a promise."""


def setting_of(target: float) -> str:
    """What the tables call a rival's setting that keeps the promise of a target in percent."""
    return f"{EVERY_CHANNEL} {target:g} %"


def worst_prd(original: np.ndarray, restored: np.ndarray, rate: float) -> float:
    """The largest PRD, in percent, of one channel [channels, n] in one chunk; infinite where a flat one is changed."""
    chunk = round(DEFAULT_CHUNK_SECONDS * rate)
    worst = 0.0
    for begin in range(0, original.shape[1], chunk):
        x, y = original[:, begin : begin + chunk].astype(float), restored[:, begin : begin + chunk]
        energy = np.square(x - x.mean(axis=1, keepdims=True)).sum(axis=1)
        error = np.square(x - y).sum(axis=1)
        worst = max(worst, float(np.sqrt(np.where(error > 0, error / np.maximum(energy, 1e-300), 0.0)).max()))
    return 100 * worst


def coarsest(
    trial: Callable[[float], float], known: dict[float, float], targets: tuple[float, ...]
) -> Iterator[tuple[float, float]]:
    """Yield targets and the coarsest steps found that keep their promises.

    Parameters
    ----------
    trial : callable
        Codes with a step and gives the worst PRD.
    known : dict of float to float
        Worst PRDs of steps tried already; those tried here join them.
    targets : tuple of float
        In percent. One that no known step keeps is left out.
    """
    for target in targets:
        if min(known.values()) > target:
            continue
        for _ in range(_TRIALS):
            kept = max(step for step, worst in known.items() if worst <= target)
            broken = min((step for step, worst in known.items() if worst > target and step > kept), default=None)
            if broken is None:
                break
            # Errors follow the step, or less than that.
            guess = kept * (target / max(known[kept], 1e-3 * target))
            between = (kept**3 * broken) ** 0.25, (kept * broken**3) ** 0.25
            step = float(np.clip(guess, *between))
            known[step] = trial(step)
        yield target, max(step for step, worst in known.items() if worst <= target)
