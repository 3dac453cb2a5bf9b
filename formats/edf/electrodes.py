"""Electrode names: the 10-20, 10-10 and 10-5 systems, and the many ways in which recorders write them."""

from __future__ import annotations

import re

# Rows of the 10-5 system from the nasion to the inion (Oostenveld and Praamstra 2001).
_ROWS = (
    "Fp", "AFp", "AF", "AFF", "F", "FFC", "FFT", "FC", "FT", "FCC", "FTT", "C", "T", "CCP", "TTP", "CP", "TP",
    "CPP", "TPP", "P", "PPO", "PO", "POO", "O", "OI", "I",
)  # fmt: skip
# Half steps of 10-5 carry an h; ears, mastoids and cerebellar positions stand outside the rows. Caps that reach
# below the ears count on.
_NAMES = (
    *(row + column for row in _ROWS for column in ("z", *map(str, range(1, 11)), *(f"{i}h" for i in range(1, 11)))),
    *(f"{row}{column}" for row in ("F", "FT", "T", "TP", "P") for column in (11, 12)),
    "Nz", "A1", "A2", "M1", "M2", "CB1", "CB2",
)  # fmt: skip
_ELECTRODES = {name.casefold(): name for name in _NAMES}
# Names of the first 10-20 edition that 10-10 renamed.
_RENAMED = {"t3": "T7", "t4": "T8", "t5": "P7", "t6": "P8"}
_ELECTRODES.update(_RENAMED)
# Written whole, and electrodes beside the systems: supraorbital and sphenoidal. They are never half of a pair without
# a dash ("LMT1" is a depth electrode).
_APART = {
    "nasion": "Nz", "inion": "Iz", "lm": "M1", "rm": "M2", "so1": "SO1", "so2": "SO2", "sp1": "SP1", "sp2": "SP2",
}  # fmt: skip
_EARS = frozenset({"A1", "A2", "M1", "M2"})
# What stands behind the dash where a channel is measured against a reference and not against a neighbour.
_REFERENCE_WORDS = """
    ref reference vref cref ref0 ref1 ref2 com common cms gnd org nose cs cs1 cs2
    le ler cle ce lle linked linkedears linkedear linkedmastoids mastoids ears
    ar av avg avr ave aver average avref avgref averageref avgreference averagereference mean car aar comavg
    lap laplacian csd rest
    a1a2 a1+a2 a1+a22 a12 m1m2 m1+m2 m1+m22 m12 tp9tp10 lmrm
"""
_REFERENCES = frozenset(_REFERENCE_WORDS.split())
# Inputs of old amplifiers were the grids of tubes.
_GRID = re.compile(r"g[0-9]{0,2}")
_PREFIX = re.compile(r"(?:EEG|POL)[\s_:.-]*", re.IGNORECASE)
_SUFFIX = re.compile(r"[\s_-]+EEG|\s*[\[(]\s*(?:EEG|[mun\u00b5\u03bc]V)\s*[\])]", re.IGNORECASE)
# MNE-Python tells channels of one name apart by a number ("T8-P8-0", "T8-P8-1") and exports it.
_COUNTER = re.compile(r"-[0-9]$")
_SEPARATOR = re.compile(r"\s*[-\u2013\u2014/\\:_|]\s*|\s+|(?<=[A-Za-z0-9])\.(?=[A-Za-z])")
# A second electrode at a place on the midline.
_DOUBLED = re.compile(r"([a-z]{1,3}z)[12]")
_AROUND = " .+*"


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
    key = name.strip(_AROUND).casefold()
    doubled = _DOUBLED.fullmatch(key)
    return _ELECTRODES.get(doubled[1] if doubled else key) or _APART.get(key)


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
    parts = _halves(label)
    active = electrode(parts[0])
    if active is None:
        return ()
    if len(parts) == 1 or _is_reference(parts[1]):
        return (active,)
    other = electrode(parts[1])
    if other is None:
        return ()
    return (active,) if other in _EARS and active not in _EARS else (active, other)


def ear_of(label: str) -> str | None:
    """Return the one ear or mastoid that a channel is measured against ("M1" for "C4-M1"), or None."""
    parts = _halves(label)
    ear = electrode(parts[1]) if len(parts) > 1 else None
    return ear if ear in _EARS else None


def _halves(label: str) -> tuple[str, ...]:
    """Split a label into electrode and reference, without the type and the unit around them."""
    bare = _PREFIX.sub("", label.strip(" ()[]"), count=1)
    if (ending := _SUFFIX.search(label)) and ending.end() == len(label.rstrip()):
        bare = _PREFIX.sub("", label[: ending.start()].strip(" ()[]"), count=1)
    bare = _COUNTER.sub("", bare.strip(" ()[]" + _AROUND))
    parts = tuple(_SEPARATOR.split(bare, maxsplit=1))
    return parts if len(parts) > 1 or electrode(bare) else _joined(bare)


def _is_reference(text: str) -> bool:
    word = re.sub(r"[^a-z0-9+]", "", text.casefold())
    return word in _REFERENCES or _GRID.fullmatch(word) is not None


def _joined(name: str) -> tuple[str, ...]:
    """Split a pair written without a dash ("C3A2", "FpzCz")."""
    halves = ((name[:i], name[i:]) for i in range(2, len(name) - 1))
    pairs = [pair for pair in halves if all(half.casefold() in _ELECTRODES for half in pair)]
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
