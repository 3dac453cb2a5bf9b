"""Table of bands: what became of each in the EEG channels together, and between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from eegzip.evaluation.connectivity import CONNECTIVITY_BANDS, Connectivity
from eegzip.evaluation.metrics import Measures


@dataclass(frozen=True)
class BandEvaluation:
    """One band.

    Parameters
    ----------
    name : str
    low, high : float
        Hz.
    power_change, worst_power_change : float or None
        Percent: median of the EEG channels, and the one furthest from 0. ``None`` where no channel has the band.
    coherence, lowest_coherence : float or None
        Median of the EEG channels, and the lowest.
    pairs : Connectivity or None
        Between channels; ``None`` for fewer than two of one rate.
    """

    name: str
    low: float
    high: float
    power_change: float | None
    worst_power_change: float | None
    coherence: float | None
    lowest_coherence: float | None
    pairs: Connectivity | None


def band_table(channels: Sequence[Measures], pairs: Mapping[str, Connectivity]) -> tuple[BandEvaluation, ...]:
    """Return the bands of some channels: `channels` are their metrics, `pairs` what is between them."""
    table = []
    for name, (low, high) in CONNECTIVITY_BANDS.items():
        powers = [p for c in channels if (p := c.band_power.get(name)) is not None]
        coherences = [p for c in channels if (p := c.coherence.get(name)) is not None]
        table.append(
            BandEvaluation(
                name=name,
                low=low,
                high=high,
                power_change=median(powers) if powers else None,
                worst_power_change=max(powers, key=abs) if powers else None,
                coherence=median(coherences) if coherences else None,
                lowest_coherence=min(coherences) if coherences else None,
                pairs=pairs.get(name),
            )
        )
    return tuple(table)
