"""Positions of electrodes on a head that is a sphere of radius 1.

The places are those of MNE-Python's 10-05 montage, moved onto the sphere: ``positions.csv``, which
`recipes/electrode_positions.py` writes. x points to the right ear, y to the nose, z up.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegzip.codecs.channels.vocabulary import style_name

Position = npt.NDArray[np.float64]

TABLE = Path(__file__).with_name("positions.csv")
# Names of the oldest edition that mean other places in 10-10 or none: Silverman's anterior temporal electrodes lie next
# to FT9 and FT10, and C3P, C4P lie half-way from C3 to P3 and from C4 to P4, where 10-10 has CP3 and CP4.
_NEAR = {"T1": "FT9", "T2": "FT10", "C3P": "CP3", "C4P": "CP4"}


@functools.cache
def _montage() -> dict[str, Position]:
    """Unit positions by case-folded standard name."""
    with TABLE.open(encoding="ascii", newline="") as file:
        return {
            row["name"].casefold(): np.array([float(row[axis]) for axis in ("x", "y", "z")])
            for row in csv.DictReader(file)
        }


def unit_positions(names: Sequence[str]) -> dict[str, Position]:
    """Find electrodes on the unit sphere.

    Parameters
    ----------
    names : sequence of str
        Names of channels, as :func:`~eegzip.formats.edf.normalise_channel_name` gives them; labels will do.

    Returns
    -------
    dict of str to ndarray of float, shape (3,)
        Unit vectors by the names as they were given. Names without a position are left out: bipolar channels, heart
        and eyes, numbered inputs, sphenoidal electrodes and whatever the 10-05 system does not know.
    """
    montage = _montage()
    places = {}
    for name in names:
        standard = style_name(name)
        place = montage.get(_NEAR.get(standard, standard).casefold())
        if place is not None:
            places[name] = place
    return places
