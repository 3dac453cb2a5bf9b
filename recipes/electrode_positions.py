"""Write the table of electrode positions from MNE's 10-05 montage: ``python recipes/electrode_positions.py``.

The montage (Oostenveld and Praamstra 2001, on the Colin 27 head) has points on a measured scalp. So the sphere that
fits them best by least squares is moved to the origin, and each point is moved along its radius onto the sphere. x
points to the right ear, y to the nose, z up. Needs MNE, which nothing else of eegzip does.
"""

from __future__ import annotations

import numpy as np
from mne.channels import get_builtin_montages, make_standard_montage

from eegzip.codecs.channels.positions import TABLE
from eegzip.formats.edf.electrodes import electrode

# MNE-Python 1.13 gave the montage a new name.
_MONTAGES = ("colin27_1005", "standard_1005")
# Ears and mastoids lie off the scalp, so they don't help to find its sphere.
_OFF_SCALP = frozenset({"A1", "A2", "M1", "M2"})
# The last bits of a solution are the processor's, and groups go by whichever of two is nearer.
_DIGITS = 9


def table() -> str:
    """Return the table: name, x, y, z of each electrode of the montage that has a standard name."""
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
    lines = ["name,x,y,z"]
    for label, place in raw.items():
        unit = (place - centre) / np.linalg.norm(place - centre)
        lines.append(",".join([label, *(f"{number:.{_DIGITS}f}" for number in unit)]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="ascii")
