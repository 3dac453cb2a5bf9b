"""Electrode names: the 10-20, 10-10 and 10-5 systems, and the many ways in which recorders write them."""

from __future__ import annotations

import re

# Rows of the 10-5 system from the nasion to the inion (Oostenveld and Praamstra 2001).
_ROWS = (
    "Fp", "AFp", "AF", "AFF", "F", "FFC", "FFT", "FC", "FT", "FCC", "FTT", "C", "T", "CCP", "TTP", "CP", "TP",
    "CPP", "TPP", "P", "PPO", "PO", "POO", "O", "OI", "I",
)  # fmt: skip
# Half steps of 10-5 carry an h; ears, mastoids and cerebellar positions stand outside the rows.
_NAMES = (
    *(row + column for row in _ROWS for column in ("z", *map(str, range(1, 11)), *(f"{i}h" for i in range(1, 11)))),
    "Nz", "A1", "A2", "M1", "M2", "CB1", "CB2",
)  # fmt: skip
_ELECTRODES = {name.casefold(): name for name in _NAMES}
# Names of the first 10-20 edition that 10-10 renamed.
_RENAMED = {"t3": "T7", "t4": "T8", "t5": "P7", "t6": "P8"}
_ELECTRODES.update(_RENAMED)
_EARS = frozenset({"A1", "A2", "M1", "M2"})
# What stands behind the dash where a channel is measured against a reference and not against a neighbour.
_REFERENCE_WORDS = (
    "ref reference le linked ar av avg avr average car a1a2 a1+a2 a12 m1m2 m1+m2 org g g1 g2 g19 gnd cle ler"
)
_REFERENCES = frozenset(_REFERENCE_WORDS.split())
_PREFIX = re.compile(r"(?:EEG|POL)[\s_:.-]*", re.IGNORECASE)
# MNE-Python tells channels of one name apart by a number ("T8-P8-0", "T8-P8-1") and exports it.
_COUNTER = re.compile(r"-[0-9]$")
_SEPARATOR = re.compile(r"\s*[-\u2013/:_]\s*|\s+")


def electrode(name: str) -> str | None:
    """Return the standard name of an electrode.

    Parameters
    ----------
    name : str
        A bare name in any case, with the dots that EEGMMIDB pads with ("Fc5.").

    Returns
    -------
    str or None
        "FC5", "Fp1", "Cz"...; T3 to T6 become T7, T8, P7, P8. None where the name is of no such system.
    """
    return _ELECTRODES.get(name.strip(" .").casefold())


def electrodes_of(label: str) -> tuple[str, ...]:
    """Find the electrodes that a label names.

    Parameters
    ----------
    label : str
        The label of a signal: "EEG FP1-REF", "Fc5.", "FP1-F7".

    Returns
    -------
    tuple of str
        One standard name for a channel against a reference, two for a bipolar one, none where the label names
        anything else. A pair of ears or mastoids ("A2-A1") is bipolar.
    """
    bare = _PREFIX.sub("", label.strip(" ()[]"), count=1).strip(" ()[].")
    bare = _COUNTER.sub("", bare)
    first, *rest = _SEPARATOR.split(bare, maxsplit=1)
    if not rest and electrode(first) is None:
        first, *rest = _joined(first)
    active = electrode(first)
    if active is None:
        return ()
    if not rest or rest[0].casefold() in _REFERENCES:
        return (active,)
    other = electrode(rest[0])
    if other is None:
        return ()
    return (active,) if other in _EARS and active not in _EARS else (active, other)


def _joined(name: str) -> tuple[str, ...]:
    """Split a pair written without a dash ("C3A2", "FpzCz")."""
    halves = ((name[:i], name[i:]) for i in range(2, len(name) - 1))
    pairs = [pair for pair in halves if electrode(pair[0]) and electrode(pair[1])]
    return pairs[0] if len(pairs) == 1 else (name,)


def normalise_channel_name(label: str) -> str:
    """Return the standard name of a channel.

    Parameters
    ----------
    label : str
        The label of a signal.

    Returns
    -------
    str
        "EEG FP1-REF", "Fp1-A2" and "FP1" become "Fp1"; "Fc5." becomes "FC5"; T3, T4, T5 and T6 become T7, T8,
        P7 and P8; the bipolar "FP1-F7" becomes "Fp1-F7". Other labels come back without surrounding blanks.
    """
    return "-".join(electrodes_of(label)) or label.strip()
