"""Where electrodes lie on a head that is a sphere of radius 1.

The places are those of MNE-Python's 10-05 montage (Oostenveld and Praamstra 2001, on the Colin 27 head). Its points lie
on a measured scalp, so the sphere that fits them best by least squares is moved to the origin, and each point is moved
along its radius onto the sphere. x points to the right ear, y to the nose, z up.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eegzip.codecs.channels.vocabulary import style_name
from eegzip.formats.edf.electrodes import electrode

Position = npt.NDArray[np.float64]

# MNE-Python 1.13 gave the montage a new name.
_MONTAGES = ("colin27_1005", "standard_1005")
# Names of the oldest edition that mean other places in 10-10 or none: Silverman's anterior temporal electrodes lie next
# to FT9 and FT10, and C3P, C4P lie half-way from C3 to P3 and from C4 to P4, where 10-10 has CP3 and CP4.
_NEAR = {"T1": "FT9", "T2": "FT10", "C3P": "CP3", "C4P": "CP4"}
_DIGITS = 9
# Ears and mastoids lie off the scalp, so they don't help to find its sphere.
_OFF_SCALP = frozenset({"A1", "A2", "M1", "M2"})


@functools.cache
def _montage() -> dict[str, Position]:
    """Unit positions by case-folded standard name."""
    # Here, so that nothing else waits for it.
    from mne.channels import get_builtin_montages, make_standard_montage

    name = next(name for name in _MONTAGES if name in get_builtin_montages())
    raw = {
        standard: place
        for label, place in make_standard_montage(name).get_positions()["ch_pos"].items()
        if (standard := electrode(label)) is not None
    }
    scalp = np.stack([place for label, place in raw.items() if label not in _OFF_SCALP])
    # |x|^2 = 2 x.c + (r^2 - |c|^2) is linear in the centre c and in the bracket.
    system = np.column_stack([2 * scalp, np.ones(len(scalp))])
    centre = np.linalg.lstsq(system, (scalp**2).sum(axis=1), rcond=None)[0][:3]
    # Rounded, as the last bits of a solution are the processor's, and groups go by whichever of two is nearer.
    return {
        label.casefold(): np.round((place - centre) / np.linalg.norm(place - centre), _DIGITS)
        for label, place in raw.items()
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
