"""Physical dimensions: which units are voltages, and how many microvolts one of them is.

EDF asks for ``uV`` (EDF+ section 2.1.3 item 6 and its list of standard texts). Recorders also write ``µV`` in
half a dozen encodings, capitals, full words and nothing at all.
"""

from __future__ import annotations

# The only SI prefix that isn't ASCII is micro, so whatever stands in for a non-ASCII prefix means micro:
# U+00B5 and U+03BC, their UTF-8 bytes read as Latin-1, 0xE6 of code page 437, 0xEC of ISO 8859-7, and the
# characters that replace an undecodable one.
_MICRO = ("\u00c2\u00b5", "\u00ce\u00bc", "\u00b5", "\u03bc", "\u00e6", "\u00ec", "\ufffd", "?")
_SCALES = {"v": 1e6, "mv": 1e3, "uv": 1.0, "nv": 1e-3, "мкв": 1.0, "мв": 1e3}
_MISSING = {"", "-", "--", "?", "n/a", "na", "none", "unknown", "x"}


def _folded(unit: str) -> str:
    text = "".join(unit.split()).strip("[]().")
    for micro in _MICRO:
        if text.startswith(micro) and len(text) > len(micro):
            text = "u" + text[len(micro) :]
            break
    text = text.casefold()
    for word, letter in (("micro", "u"), ("mk", "u"), ("mc", "u"), ("milli", "m"), ("nano", "n")):
        if text.startswith(word):
            text = letter + text[len(word) :]
    for word in ("volts", "volt"):
        if text.endswith(word):
            text = text[: -len(word)] + "v"
    return text


def microvolts_per_unit(unit: str) -> float | None:
    """Return how many microvolts one `unit` is.

    Parameters
    ----------
    unit : str
        The physical dimension of a signal (EDF+ section 2.1.3): V, mV, uV or nV in any spelling met in the
        wild (``µV``, ``UV``, ``uV``, ``MICROVOLTS``). Case does not matter: no biosignal is in megavolts.

    Returns
    -------
    float or None
        Microvolts, or None where the unit is missing or no voltage.
    """
    return _SCALES.get(_folded(unit))


def is_missing(unit: str) -> bool:
    """Tell whether a physical dimension says nothing.

    Parameters
    ----------
    unit : str
        The physical dimension.

    Returns
    -------
    bool
        True for a blank field and for the usual stand-ins (``-``, ``?``, ``n/a``).
    """
    return unit.strip().casefold() in _MISSING
