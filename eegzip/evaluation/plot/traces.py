"""Traces to plot of a recording: as recorded or against each other, beside those of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eegzip.codecs.channels.positions import unit_positions
from eegzip.codecs.channels.vocabulary import DOUBLE_BANANA
from eegzip.formats.errors import UsageError

MONTAGES = ("recorded", "bipolar", "average")
"""As recorded; the longitudinal bipolar chains ("double banana"); against the mean of all electrodes."""

_CHAINS = ("Fp1-F3", "Fz-Cz", "Fp2-F4", "Fp2-F8")
"""Where in the double banana a chain follows on another."""


@dataclass(frozen=True)
class Trace:
    """A row of the picture.

    Parameters
    ----------
    name : str
    unit : str
    rate : float
        Samples a second.
    original : ndarray of float64, shape (samples,)
    other : ndarray of float64, shape (samples,), or None
        Of the recording compared with.
    apart : bool
        Whether a gap sets it off from the row above.
    """

    name: str
    unit: str
    rate: float
    original: np.ndarray
    other: np.ndarray | None
    apart: bool = False

    def less(self, reference: Trace, name: str, *, apart: bool = False) -> Trace:
        """Return it against another trace."""
        other = None if self.other is None or reference.other is None else self.other - reference.other
        return Trace(name, self.unit, self.rate, self.original - reference.original, other, apart)


def montaged(rows: list[Trace], montage: str) -> list[Trace]:
    """Rows in a montage.

    Parameters
    ----------
    rows : list of Trace
        As recorded, named by their electrodes.
    montage : str
        One of :data:`MONTAGES`.

    Raises
    ------
    UsageError
        There is no such montage, or the channels don't have the electrodes that it takes.
    """
    if montage not in MONTAGES:
        raise UsageError(f"there is no montage '{montage}'; choose one of {', '.join(MONTAGES)}.")
    if montage == "recorded":
        return rows
    places = unit_positions([row.name for row in rows])
    single = [row for row in rows if row.name in places and row.unit == "uV"]
    rates = [row.rate for row in single]
    single = [row for row in single if row.rate == max(rates, key=rates.count)]
    if montage == "average":
        if len(single) < 2:
            raise UsageError("an average reference takes two electrodes at least that are recorded against another.")
        others = [row.other for row in single if row.other is not None]
        mean = Trace(
            "average",
            "uV",
            single[0].rate,
            np.mean([row.original for row in single], axis=0),
            np.mean(others, axis=0) if others else None,
        )
        return [row.less(mean, f"{row.name}-av") for row in single]
    by_name = {row.name: row for row in single}
    found = []
    for pair in DOUBLE_BANANA:
        first, second = pair.split("-")
        if first in by_name and second in by_name:
            found.append(by_name[first].less(by_name[second], pair, apart=pair in _CHAINS))
    if not found:
        raise UsageError("a bipolar montage takes neighbours of the 10-20 system, such as Fp1 and F3; there are none.")
    return found
